use std::sync::Arc;

use buttress_core::{Admission, Cause, Events, Force, Host, Outcome, Registry, Rules};

use super::*;

fn table(most: usize) -> Table {
    let host = Host {
        registry: Registry::new(Arc::new(Events::new(16, |_| {}))),
        ..Host::new(CLOCK)
    };
    Table::new(Destination::new("db", &Rules::default(), &host), most)
}

fn known(table: &Table) -> Vec<String> {
    let names = table.destination.vitals().into_iter();
    let mut names: Vec<String> = names.map(|one| one.name()[3..].to_owned()).collect();
    names.sort();
    names
}

/// Born, or used once more.
fn call(table: &Table, name: &str) -> Vitals {
    table.find(Key::from(name), Vitals::clone)
}

fn open(vitals: &Vitals) {
    while let Ok(attempt) = vitals.admit() {
        attempt.finish(Outcome::Failure(Cause::Error));
    }
}

#[test]
fn a_key_keeps_its_record_and_others_have_theirs() {
    let table = table(3);
    let first = call(&table, "a");
    first.admit().unwrap().finish(Outcome::Success);
    assert_eq!(call(&table, "a").calls(), 1);
    assert_eq!(call(&table, "b").calls(), 0);
}

#[test]
fn who_was_not_used_for_longest_goes_first() {
    let table = table(3);
    for name in ["a", "b", "c", "a", "b"] {
        call(&table, name);
    }
    call(&table, "d");
    assert_eq!(known(&table), ["a", "b", "d"]);
    // The hand has taken their second chance from `a` and `b`; `b` has been used again.
    call(&table, "b");
    call(&table, "e");
    assert_eq!(known(&table), ["b", "d", "e"]);
    assert_eq!(table.destination.forgotten(), 2);
}

#[test]
fn who_is_ill_or_in_somebodys_hand_goes_last() {
    let table = table(4);
    open(&call(&table, "ill"));
    call(&table, "forced").force(Some(Force::MetricsOnly), CLOCK.now());
    for stranger in 0..1_000 {
        call(&table, &stranger.to_string());
    }
    assert_eq!(known(&table), ["998", "999", "forced", "ill"]);
    // With all of them ill, one of these goes.
    for name in ["998", "999"] {
        open(&call(&table, name));
    }
    call(&table, "new");
    let left = known(&table);
    assert!(
        left.len() == 4 && left.contains(&"new".to_owned()),
        "{left:?}"
    );
}

#[test]
fn an_open_one_in_another_part_outlives_the_well_everywhere() {
    let table = table(128);
    assert!(table.parts.len() > 1);
    let ill: Vec<String> = (0..100).map(|n| format!("ill {n}")).collect();
    ill.iter().for_each(|name| open(&call(&table, name)));
    for stranger in 0..5_000 {
        call(&table, &stranger.to_string());
    }
    let left = known(&table);
    assert_eq!(left.len(), 128);
    assert!(ill.iter().all(|name| left.contains(name)));
}

#[test]
fn with_all_others_ill_whoever_makes_up_keys_drives_out_his_own() {
    let table = table(128);
    let ill: Vec<String> = (0..128).map(|n| format!("ill {n}")).collect();
    ill.iter().for_each(|name| open(&call(&table, name)));
    for stranger in 0..1_000 {
        call(&table, &stranger.to_string());
    }
    let left = known(&table);
    let kept = ill.iter().filter(|name| left.contains(name)).count();
    assert_eq!((left.len(), kept), (128, 127));
}

#[test]
fn made_up_keys_make_no_more_than_there_is_room_for_and_spare_who_is_called() {
    let table = table(1_000);
    let regular: Vec<String> = (0..200).map(|n| format!("regular {n}")).collect();
    regular.iter().for_each(|name| _ = call(&table, name));
    for stranger in 0..50_000_u64 {
        table.enter(Key::from(stranger));
        if stranger % 2 == 0 {
            call(&table, &regular[stranger as usize / 2 % 200]);
        }
    }
    let left = known(&table);
    assert_eq!(left.len(), 1_000);
    assert_eq!(table.count.load(Ordering::Relaxed), 1_000);
    assert!(regular.iter().all(|name| left.contains(name)));
    let (places, ring): (usize, usize) = table.parts.iter().map(read).fold((0, 0), |sum, part| {
        (sum.0 + part.places.len(), sum.1 + part.ring.len())
    });
    assert_eq!((places, ring), (1_000, 1_000));
}

#[test]
fn every_key_is_where_the_map_says_after_any_number_of_removals() {
    let mut part = Part::default();
    let table = table(1);
    let entry = |number| Entry {
        number,
        vitals: table.destination.key("x"),
        used: AtomicBool::new(number % 3 == 0),
    };
    (0..50).for_each(|number| _ = part.put(entry(number), None));
    for number in 50..200 {
        let victim = part.victim(Who::Anybody).unwrap();
        if number % 2 == 0 {
            part.remove(victim);
        } else {
            assert!(part.put(entry(number), Some(victim)).is_some());
        }
        assert_eq!(part.places.len(), part.ring.len());
        for (place, entry) in part.ring.iter().enumerate() {
            assert_eq!(part.places[&entry.number], place);
        }
        if part.ring.len() < 10 {
            part.put(entry(number + 1_000), None);
        }
    }
}

#[test]
fn threads_that_bring_one_key_at_once_share_its_record_and_overfill_nothing() {
    for most in [1, 7, 300] {
        let table = table(most);
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let table = &table;
                scope.spawn(move || {
                    for call in 0..2_000_u64 {
                        let key = (call * (thread + 1)) % 1_000;
                        let entrance = table.enter(Key::from(key));
                        let admitted = entrance.admit_or_wait(CLOCK.now(), Default::default);
                        let Ok(Admission::Now(attempt)) = admitted else {
                            unreachable!("nothing speaks against it")
                        };
                        attempt.finish(Outcome::Success);
                    }
                });
            }
        });
        assert!(
            known(&table).len() <= most,
            "{most}: {}",
            known(&table).len()
        );
        assert_eq!(known(&table).len(), table.count.load(Ordering::Relaxed));
    }
    let table = table(10);
    std::thread::scope(|scope| {
        (0..4).for_each(|_| _ = scope.spawn(|| call(&table, "same").admit().unwrap()));
    });
    assert_eq!(known(&table), ["same"]);
    assert_eq!(call(&table, "same").calls(), 4);
}
