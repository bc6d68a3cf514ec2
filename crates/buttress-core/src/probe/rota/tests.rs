use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn at(millis: u64) -> Nanos {
    Nanos::ZERO.after(Duration::from_millis(millis))
}

fn of(count: usize, policy: ProbePolicy) -> (Rota, Vec<u64>) {
    let mut rota = Rota::new(policy, 1);
    let keys = (0..count).map(|_| rota.add(at(0))).collect();
    (rota, keys)
}

#[test]
fn no_more_are_on_their_way_than_allowed_and_the_longest_overdue_go_first() {
    let (mut rota, keys) = of(5, ProbePolicy::new().at_once(2));
    let mut order: Vec<(Nanos, u64)> = keys
        .iter()
        .map(|key| (rota.schedules[key].due(), *key))
        .collect();
    order.sort_unstable();
    let later = at(1_000);
    assert_eq!(rota.wake(), Some(order[0].0));
    assert_eq!(
        [rota.next(later), rota.next(later)],
        [Some(order[0].1), Some(order[1].1)]
    );
    assert_eq!(
        (rota.next(later), rota.wake()),
        (None, None),
        "both places are taken"
    );
    rota.result(order[0].1, later, Sign::Good);
    assert_eq!(rota.next(later), Some(order[2].1));
}

#[test]
fn an_endpoint_that_goes_gives_its_place_back_and_its_result_meets_nobody() {
    let (mut rota, keys) = of(2, ProbePolicy::new().at_once(1));
    let first = rota.next(at(500)).unwrap();
    assert_eq!(rota.next(at(500)), None);
    rota.remove(first);
    let second = rota.next(at(500)).unwrap();
    assert_ne!(first, second);
    assert_eq!(rota.result(first, at(501), Sign::Good), None);
    assert_eq!(rota.next(at(500)), None, "the second is still on its way");
    assert!(
        !keys.contains(&rota.add(at(600))),
        "keys are not used again"
    );
}

#[test]
fn a_destination_is_busy_from_its_first_call_until_an_idle_interval_after_its_last() {
    let (mut rota, keys) = of(2, ProbePolicy::new());
    rota.traffic(at(0), true);
    let [first, second] = [keys[0], keys[1]];
    let wait = |rota: &mut Rota, key: u64, now: u64| {
        while rota.next(at(now)).is_some() {}
        rota.result(key, at(now), Sign::Good);
        rota.schedules[&key].due().since(at(now))
    };
    wait(&mut rota, first, 500);
    rota.traffic(at(59_999), false);
    assert!(wait(&mut rota, first, 59_999) < Duration::from_secs(3));
    rota.traffic(at(60_000), false);
    assert!(wait(&mut rota, first, 62_999) > Duration::from_secs(50));
    // A call to one of them is a call to the destination.
    rota.traffic(at(63_000), true);
    assert!(rota.schedules[&first].due() < at(66_000));
    assert!(wait(&mut rota, second, 70_000) < Duration::from_secs(3));
}

#[test]
fn failing_calls_bring_their_endpoint_to_the_front() {
    let (mut rota, keys) = of(20, ProbePolicy::new().at_once(20));
    while let Some(key) = rota.next(at(500)) {
        rota.result(key, at(500), Sign::Good);
    }
    rota.hint(keys[7], at(1_000));
    assert_eq!(rota.next(at(1_000)), Some(keys[7]));
    rota.hint(99, at(1_000));
}

#[derive(Clone, Debug)]
enum Step {
    Add,
    Remove(usize),
    Wait(u64),
    Next,
    Result(usize, bool),
    Hint(usize),
    Traffic(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Add),
        any::<usize>().prop_map(Step::Remove),
        (0..5_000_u64).prop_map(Step::Wait),
        Just(Step::Next),
        Just(Step::Next),
        (any::<usize>(), any::<bool>()).prop_map(|(which, good)| Step::Result(which, good)),
        any::<usize>().prop_map(Step::Hint),
        any::<bool>().prop_map(Step::Traffic),
    ]
}

proptest! {
    /// The twin knows who there is and who is on the way, and looks through all of them each time.
    #[test]
    fn names_whom_a_search_through_all_would_name(
        steps in prop::collection::vec(step(), 0..120), at_once in 1..4_u32, seed: u64,
    ) {
        let mut rota = Rota::new(ProbePolicy::new().at_once(at_once), seed);
        let (mut waiting, mut flying): (Vec<u64>, Vec<u64>) = Default::default();
        let mut now = at(0);
        for step in steps {
            match step {
                Step::Add => waiting.push(rota.add(now)),
                Step::Remove(which) => {
                    let list = if which % 2 == 0 { &mut waiting } else { &mut flying };
                    if !list.is_empty() {
                        rota.remove(list.swap_remove(which / 2 % list.len()));
                    }
                }
                Step::Wait(millis) => now = now.after(Duration::from_millis(millis)),
                Step::Hint(which) => {
                    let keys: Vec<u64> = waiting.iter().chain(&flying).copied().collect();
                    if !keys.is_empty() {
                        rota.hint(keys[which % keys.len()], now);
                    }
                }
                Step::Traffic(called) => rota.traffic(now, called),
                Step::Result(which, good) => {
                    if !flying.is_empty() {
                        let key = flying.swap_remove(which % flying.len());
                        rota.result(key, now, if good { Sign::Good } else { Sign::Bad });
                        waiting.push(key);
                    }
                }
                Step::Next => {
                    let first = waiting.iter().map(|key| (rota.schedules[key].due(), *key)).min();
                    let first = first.filter(|_| flying.len() < at_once as usize);
                    prop_assert_eq!(rota.wake(), first.map(|(due, _)| due));
                    let expected = first.filter(|(due, _)| *due <= now).map(|(_, key)| key);
                    prop_assert_eq!(rota.next(now), expected);
                    if let Some(key) = expected {
                        waiting.retain(|other| *other != key);
                        flying.push(key);
                    }
                }
            }
        }
        prop_assert_eq!(rota.flying as usize, flying.len());
        prop_assert_eq!(rota.schedules.len(), flying.len() + waiting.len());
    }
}
