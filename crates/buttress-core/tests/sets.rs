//! Endpoints of a set, as it is now.

use std::time::Duration;

use buttress_core::{
    BreakerState, Cause, Clock, Destination, Edge, EjectionPolicy, Endpoint, Enforce,
    EnforcePolicy, HealthPolicy, Host, Nanos, Outcome, PeersPolicy, Picker, Rules, Vitals,
};

const FAILED: Outcome = Outcome::Failure(Cause::Error);

fn at(millis: u64) -> Nanos {
    Nanos::ZERO.after(Duration::from_millis(millis))
}

fn call(vitals: &Vitals, millis: u64, outcome: Outcome) -> bool {
    vitals
        .permit(at(millis))
        .map(|permit| vitals.record(permit, at(millis), outcome))
        .is_ok()
}

/// Cap by priority follows priorities as they are now.
#[test]
fn the_cap_is_that_of_the_priority_an_endpoint_has_now() {
    let rules = Rules {
        health: HealthPolicy::consecutive(3),
        peers: PeersPolicy::Off,
        ..Rules::default()
    };
    let destination = Destination::new("set", &rules, &Host::new(Clock(|| Nanos::ZERO)));
    let endpoint = |name: &str, priority| Endpoint::new(name).unwrap().priority(priority);
    let all: Vec<Vitals> = [("a:1", 0), ("b:1", 0), ("c:1", 1)]
        .map(|(name, priority)| destination.endpoint(endpoint(name, priority)))
        .into();
    // The standby is promoted: three of one priority.
    all[2].describe(&endpoint("c:1", 0));
    for vitals in &all {
        call(vitals, 1, Outcome::Success);
    }
    for millis in 0..200 {
        // b is well.
        call(&all[1], 1000 + millis, Outcome::Success);
        if millis > 100 {
            call(&all[0], 1000 + millis, FAILED);
            if millis > 110 {
                call(&all[2], 1000 + millis, FAILED);
            }
        }
    }
    let states: Vec<_> = all.iter().map(Vitals::state).collect();
    let out = states
        .iter()
        .filter(|state| **state != BreakerState::Closed)
        .count();
    assert!(out <= EjectionPolicy::new().allowed(3), "{states:?}");
}

/// An outage that was only watched, and is then acted on by another rule, is one outage since it began.
#[test]
fn an_outage_that_another_rule_acts_on_began_when_it_began() {
    let rules = Rules {
        health: HealthPolicy::consecutive(3),
        peers: PeersPolicy::Off,
        enforce: EnforcePolicy::new().health(Enforce::OFF),
        ..Rules::default()
    };
    let destination = Destination::new("set", &rules, &Host::new(Clock(|| Nanos::ZERO)));
    let [sick, well] =
        ["a:1", "b:1"].map(|name| destination.endpoint(Endpoint::new(name).unwrap()));
    call(&sick, 1, Outcome::Success);
    call(&well, 1, Outcome::Success);
    let mut millis = 10_000;
    while millis < 110_000 {
        call(&sick, millis, FAILED);
        call(&well, millis, Outcome::Success);
        millis += 100;
    }
    let before = sick.snapshot(at(millis)).reliability.unwrap();
    assert_eq!((before.failures, sick.state()), (1, BreakerState::Closed));
    assert!(before.down >= Duration::from_secs(99), "{before:?}");
    // Its probes fail, too.
    for step in 0..3 {
        let edge = (step == 2).then_some(Edge::Down);
        sick.probed(at(millis + step), at(millis + step + 1), FAILED, edge);
    }
    millis += 10;
    assert_eq!(sick.state(), BreakerState::Open);
    let after = sick.snapshot(at(millis));
    let figures = after.reliability.unwrap();
    assert!(
        figures.down >= before.down,
        "{:?} < {:?}; {:?}",
        figures.down,
        before.down,
        after.episodes
    );
}

/// Whoever is not in anybody's hand is not changed by being let go.
#[test]
fn letting_go_of_one_that_was_never_taken_changes_nothing() {
    let rules = Rules {
        health: HealthPolicy::consecutive(3),
        ..Rules::default()
    };
    let vitals = Vitals::new("db", &rules, &Host::new(Clock(|| Nanos::ZERO)));
    for millis in 0..3 {
        call(&vitals, 1000 + millis, FAILED);
    }
    assert_eq!(vitals.state(), BreakerState::Open);
    vitals.force(None, at(1010));
    assert_eq!(vitals.state(), BreakerState::Open);
}

#[test]
fn of_weight_zero_gets_no_calls_though_it_is_alone_in_our_zone() {
    let destination = Destination::new("set", &Rules::default(), &Host::new(Clock(|| Nanos::ZERO)));
    let mut endpoints = vec![Endpoint::new("own:1").unwrap().zone("a").weight(0)];
    endpoints.extend((0..5).map(|n| Endpoint::new(format!("o{n}:1")).unwrap().zone("b")));
    let vitals: Vec<Vitals> = endpoints
        .iter()
        .map(|one| destination.endpoint(one.clone()))
        .collect();
    let picker = Picker::new(endpoints.iter().zip(&vitals), Some("a"));
    let mut hits = 0;
    let mut state = 0x1234_5678_u64;
    for _ in 0..10_000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let picked = picker.pick(
            at(1),
            state ^ (state >> 31),
            true,
            |place| &vitals[place],
            |_| false,
        );
        hits += usize::from(picked == Some(0));
    }
    assert_eq!(hits, 0);
}

/// Several of our zone, all of weight zero.
#[test]
fn a_zone_being_drained_by_weight_gets_no_calls() {
    let destination = Destination::new("set", &Rules::default(), &Host::new(Clock(|| Nanos::ZERO)));
    let mut endpoints: Vec<_> = (0..3)
        .map(|n| {
            Endpoint::new(format!("own{n}:1"))
                .unwrap()
                .zone("a")
                .weight(0)
        })
        .collect();
    endpoints.extend((0..3).map(|n| Endpoint::new(format!("o{n}:1")).unwrap().zone("b")));
    let vitals: Vec<Vitals> = endpoints
        .iter()
        .map(|one| destination.endpoint(one.clone()))
        .collect();
    let picker = Picker::new(endpoints.iter().zip(&vitals), Some("a"));
    let mut hits = 0;
    let mut state = 0x1234_5678_u64;
    for _ in 0..10_000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let picked = picker.pick(
            at(1),
            state ^ (state >> 31),
            true,
            |place| &vitals[place],
            |_| false,
        );
        hits += usize::from(picked.is_some_and(|place| place < 3));
    }
    assert_eq!(hits, 0);
}
