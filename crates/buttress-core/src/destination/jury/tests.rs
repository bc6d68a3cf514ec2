use std::{sync::Arc, time::Duration};

use super::*;
use crate::{
    BreakerState, Cause, Clock, Destination, EjectionPolicy, Endpoint, EventKind, Events,
    FaultKind, HealthPolicy, Host, Labels, Outcome, PanicMode, Place, Ratio, Registry, Rules,
    Vitals,
};

const FAILED: Outcome = Outcome::Failure(Cause::Error);

fn named(address: &str) -> Endpoint {
    Endpoint::new(address).unwrap_or_else(|error| unreachable!("{error}"))
}

fn at(millis: u64) -> Nanos {
    Nanos::ZERO.after(Duration::from_millis(millis))
}

/// A set of so many, each down after five failures in a row.
fn set(priorities: &[u32]) -> (Destination, Vec<Vitals>) {
    let rules = Rules {
        health: HealthPolicy::consecutive(5),
        ..Rules::default()
    };
    set_under(&rules, priorities)
}

fn set_under(rules: &Rules, priorities: &[u32]) -> (Destination, Vec<Vitals>) {
    let host = Host {
        registry: Registry::new(Arc::new(Events::new(100, |_| {}))),
        ..Host::new(Clock(|| Nanos::ZERO))
    };
    let destination = Destination::new("set", rules, &host);
    let endpoints = priorities.iter().enumerate().map(|(index, priority)| {
        let address = format!("10.0.0.{}:80", index + 1);
        destination.endpoint(named(&address).priority(*priority))
    });
    let endpoints = endpoints.collect();
    (destination, endpoints)
}

fn call(vitals: &Vitals, millis: u64, outcome: Outcome) {
    if let Ok(permit) = vitals.permit(at(millis)) {
        vitals.record(permit, at(millis + 1), outcome);
    }
}

fn states(set: &[Vitals]) -> Vec<BreakerState> {
    set.iter().map(Vitals::state).collect()
}

fn held(set: &[Vitals]) -> Vec<Hold> {
    let registry = set[0].destination().registry();
    let told = registry.events().since(0).events;
    told.iter()
        .filter_map(|event| match event.kind {
            EventKind::Held(why) => Some(why),
            _ => None,
        })
        .collect()
}

#[test]
fn one_that_fails_while_its_peers_are_well_is_out() {
    let (_, set) = set(&[0, 0]);
    for millis in 0..10 {
        call(&set[0], millis, FAILED);
        call(&set[1], millis, Outcome::Success);
    }
    assert_eq!(states(&set), [BreakerState::Open, BreakerState::Closed]);
}

#[test]
fn a_whole_set_that_fails_is_a_common_cause_said_once_and_emptied_of_nobody() {
    let (_, set) = set(&[0, 0, 0]);
    for millis in 0..200 {
        for endpoint in &set {
            call(endpoint, millis, FAILED);
        }
    }
    assert_eq!(states(&set), [BreakerState::Closed; 3]);
    assert_eq!(held(&set), [Hold::CommonCause], "once, not once each");
    assert!(
        set.iter()
            .all(|vitals| vitals.snapshot(at(200)).decisions.health.held == 1)
    );
}

#[test]
fn never_more_are_out_than_may_be() {
    for members in 2..=6 {
        let (_, set) = set(&vec![0; members]);
        // One after another fails, each while those that remain are well.
        for sick in 0..members {
            for millis in 0..10 {
                let now = 100 * sick as u64 + millis;
                for (index, endpoint) in set.iter().enumerate() {
                    call(
                        endpoint,
                        now,
                        if index == sick {
                            FAILED
                        } else {
                            Outcome::Success
                        },
                    );
                }
            }
        }
        let out = states(&set)
            .iter()
            .filter(|state| **state != BreakerState::Closed)
            .count();
        assert_eq!(out, (members / 2).max(1), "of {members}");
        assert_eq!(held(&set).first(), Some(&Hold::Cap));
    }
}

#[test]
fn a_primary_may_go_while_its_standby_is_there_and_not_the_standby_too() {
    let (_, set) = set(&[0, 1]);
    for (sick, well) in [(0, 1), (1, 0)] {
        for millis in 0..10 {
            call(&set[sick], 100 * sick as u64 + millis, FAILED);
            call(&set[well], 100 * sick as u64 + millis, Outcome::Success);
        }
    }
    assert_eq!(states(&set), [BreakerState::Open, BreakerState::Closed]);
}

#[test]
fn one_that_was_out_and_is_back_or_gone_makes_room() {
    let (destination, mut set) = set(&[0, 0]);
    let fail = |set: &[Vitals], sick: usize, from: u64| {
        for millis in from..from + 10 {
            for (index, endpoint) in set.iter().enumerate() {
                call(
                    endpoint,
                    millis,
                    if index == sick {
                        FAILED
                    } else {
                        Outcome::Success
                    },
                );
            }
        }
    };
    fail(&set, 0, 0);
    assert_eq!(states(&set), [BreakerState::Open, BreakerState::Closed]);
    // It recovers by its probes; then the other may go.
    (0..200).for_each(|step| call(&set[0], 2_000 + 100 * step, Outcome::Success));
    assert_eq!(states(&set), [BreakerState::Closed, BreakerState::Closed]);
    fail(&set, 1, 30_000);
    assert_eq!(states(&set), [BreakerState::Closed, BreakerState::Open]);
    // The one that is out leaves the set for good, and another comes.
    set.truncate(1);
    set.push(destination.endpoint(named("10.0.0.9:80")));
    fail(&set, 1, 40_000);
    assert_eq!(states(&set), [BreakerState::Closed, BreakerState::Open]);
}

#[test]
fn a_lone_service_may_always_open() {
    let destination = set(&[]).0;
    let vitals = destination.alone();
    (0..5).for_each(|millis| call(&vitals, millis, FAILED));
    assert_eq!(vitals.state(), BreakerState::Open);
}

#[test]
fn peers_nominate_one_that_its_own_rule_is_blind_to() {
    let rules = Rules {
        health: HealthPolicy::consecutive(1_000),
        ..Rules::default()
    };
    let destination = Destination::new("set", &rules, &Host::new(Clock(|| Nanos::ZERO)));
    let set = ["a:1", "b:1", "c:1"].map(|address| destination.endpoint(named(address)));
    for millis in (0..25_000).step_by(50) {
        for (index, endpoint) in set.iter().enumerate() {
            let ill = index == 1 && millis % 200 == 0;
            call(
                endpoint,
                millis,
                if ill { FAILED } else { Outcome::Success },
            );
        }
        let _ = destination.tick(at(millis + 2));
    }
    assert_eq!(
        (set[0].state(), set[2].state()),
        (BreakerState::Closed, BreakerState::Closed)
    );
    assert_ne!(set[1].state(), BreakerState::Closed);
    let since = set[1].snapshot(at(25_000)).episodes.remove(0);
    assert!(since.time_to_detect() <= Duration::from_secs(10));
}

#[test]
fn a_set_with_too_few_left_is_in_panic_says_so_and_says_when_it_is_over() {
    let rules = Rules {
        health: HealthPolicy::consecutive(5),
        ejection: EjectionPolicy::new().at_most(Ratio::percent(100)),
        ..Rules::default()
    };
    let (destination, set) = set_under(&rules, &[0, 0, 0]);
    let panics = || {
        let told = destination.registry().events().since(0).events;
        let kinds = told.into_iter().map(|event| event.kind);
        kinds
            .filter(|kind| matches!(kind, EventKind::Panic { .. } | EventKind::PanicOver))
            .collect::<Vec<_>>()
    };
    for sick in 0..2 {
        assert_eq!(destination.panic(), None);
        for millis in 0..10 {
            for (index, endpoint) in set.iter().enumerate() {
                let now = 100 * sick + millis;
                call(
                    endpoint,
                    now,
                    if index as u64 == sick {
                        FAILED
                    } else {
                        Outcome::Success
                    },
                );
            }
        }
    }
    let panic = PanicMode {
        usable: 1,
        known: 3,
    };
    assert_eq!(destination.panic(), Some(panic));
    assert_eq!(
        panics(),
        [EventKind::Panic {
            usable: 1,
            known: 3
        }]
    );
    (0..40).for_each(|step| call(&set[0], 2_000 + 100 * step, Outcome::Success));
    assert_eq!(destination.panic(), None);
    assert_eq!(panics().len(), 2);
}

#[test]
fn a_set_that_lives_above_the_tolerable_rate_is_told_which_rate_to_declare() {
    let (destination, set) = set_under(&Rules::default(), &[0, 0, 0]);
    // Every twentieth call fails, everywhere.
    for millis in (0..120_000).step_by(10) {
        for (index, endpoint) in set.iter().enumerate() {
            let failing = (millis / 10 + index as u64 * 7).is_multiple_of(20);
            call(
                endpoint,
                millis,
                if failing { FAILED } else { Outcome::Success },
            );
        }
        let _ = destination.tick(at(millis + 5));
    }
    assert_eq!(states(&set), [BreakerState::Closed; 3]);
    let told = destination.registry().events().since(0).events;
    let declared: Vec<f64> = told
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::Intolerable { declare, .. } => Some(declare.as_f64()),
            _ => None,
        })
        .collect();
    assert_eq!(declared.len(), 1, "{told:?}");
    assert!((0.07..0.08).contains(&declared[0]), "{declared:?}");
}

#[test]
fn a_route_that_fails_wherever_it_is_called_ejects_nobody() {
    let (_, set) = set_under(&Rules::default(), &[0, 0, 0]);
    let routes = ["/a", "/b", "/c", "/d"];
    for n in 0..3_000_u64 {
        let (route, now) = (routes[(n / 3 % 4) as usize], at(n));
        let vitals = &set[(n % 3) as usize];
        let Ok(mut permit) = vitals.permit(now) else {
            unreachable!("nobody is out")
        };
        vitals.label(&mut permit, Labels::none().route(route).method("GET"));
        let ill = n > 1_000 && route == "/b";
        vitals.record(permit, now, if ill { FAILED } else { Outcome::Success });
    }
    assert_eq!(states(&set), [BreakerState::Closed; 3]);
    assert!(held(&set).contains(&Hold::Route), "{:?}", held(&set));
    let verdict = set[0].destination().diagnose(at(1_001), at(3_000));
    let text = verdict
        .map(|verdict| verdict.to_string())
        .unwrap_or_default();
    assert!(text.starts_with("route /b is failing"), "{text}");
}

#[test]
fn an_outage_is_kept_with_its_verdict() {
    let (_, set) = set(&[0, 0]);
    for millis in 0..10 {
        call(&set[0], millis, Outcome::Failure(Cause::Connect));
        call(&set[1], millis, Outcome::Success);
    }
    let verdict = set[0].snapshot(at(20)).episodes.remove(0).verdict;
    let verdict = verdict.map(|verdict| (verdict.place.clone(), verdict.kind));
    assert_eq!(
        verdict,
        Some((Place::Endpoint("10.0.0.1:80".into()), FaultKind::Crash))
    );
}

#[test]
fn an_endpoint_that_is_watched_only_takes_no_place_however_often_its_peers_name_it() {
    let rules = Rules {
        enforce: crate::Enforce::OFF.into(),
        ..Rules::default()
    };
    let (destination, set) = set_under(&rules, &[0; 6]);
    for millis in 0..120_000_u64 {
        let ill = millis.is_multiple_of(6);
        call(
            &set[(millis % 6) as usize],
            millis,
            if ill {
                Outcome::Failure(crate::Cause::Error)
            } else {
                Outcome::Success
            },
        );
        destination.0.observe(at(millis));
    }
    let out = lock(&destination.0.out).len();
    assert_eq!(out, 0, "all of them are called");
}

#[test]
fn metrics_only_on_one_that_is_out_makes_no_room_while_it_stays_out() {
    let (destination, set) = set(&[0, 0, 0, 0]);
    for millis in 0..200_u64 {
        for (n, vitals) in set.iter().enumerate() {
            call(
                vitals,
                millis,
                if n == 0 {
                    Outcome::Failure(crate::Cause::Error)
                } else {
                    Outcome::Success
                },
            );
        }
    }
    assert_eq!(set[0].state(), BreakerState::Open);
    set[0].force(Some(crate::Force::MetricsOnly), at(201));
    let taken = lock(&destination.0.out).len();
    let really = set
        .iter()
        .filter(|one| one.state() == BreakerState::Open)
        .count();
    assert_eq!(taken, really);
}

#[test]
fn an_alarm_held_before_the_clock_was_set_back_is_heard_again_after_it() {
    let (destination, set) = set(&[0]);
    let hour = 3_600_000;
    (0..6).for_each(|n| call(&set[0], hour + n, FAILED));
    assert_eq!(held(&set), [Hold::Cap]);
    let _peer = destination.endpoint(named("10.0.0.9:80"));
    (0..60).for_each(|n| call(&set[0], n * 1_000, FAILED));
    assert_eq!(set[0].state(), BreakerState::Open);
}

/// Ten that are well; then four are slow at times, the first of them more often.
fn slow_in_part(accused: u64, cause: Cause) -> (Vec<Vitals>, Vec<Hold>) {
    let (_, set) = set_under(&Rules::default(), &[0; 10]);
    for millis in 0..3_000_u64 {
        for (index, endpoint) in set.iter().enumerate() {
            let turn = (millis * 7 + index as u64 * 3) % 10;
            let slow = match index {
                0 => accused,
                1..4 => 3,
                _ => 0,
            };
            let outcome = if millis >= 2_000 && turn < slow {
                Outcome::Failure(cause)
            } else {
                Outcome::Success
            };
            call(endpoint, millis, outcome);
        }
    }
    let held = held(&set);
    (set, held)
}

#[test]
fn slowness_that_many_share_takes_nobody_out_for_the_others_would_have_more_to_bear() {
    let (set, held) = slow_in_part(6, Cause::Timeout);
    assert_eq!(states(&set), [BreakerState::Closed; 10]);
    assert!(held.contains(&Hold::CommonCause), "{held:?}");
    // Errors are no load, and who answers nothing in time is not only slow.
    for (accused, cause) in [(6, Cause::Error), (10, Cause::Timeout)] {
        let (set, _) = slow_in_part(accused, cause);
        assert_ne!(states(&set)[0], BreakerState::Closed, "{accused} {cause:?}");
    }
}
