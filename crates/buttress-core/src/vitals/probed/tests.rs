use std::{sync::Arc, time::Duration};

use crate::{
    BreakerState, Cause, Clock, Destination, Edge, Endpoint, EventKind, Events, FaultKind,
    HealthPolicy, Host, Nanos, Outcome, Registry, Rules, Vitals,
};

const FAILED: Outcome = Outcome::Failure(Cause::Error);
const LOST: Outcome = Outcome::Failure(Cause::Timeout);

fn at(millis: u64) -> Nanos {
    Nanos::ZERO.after(Duration::from_millis(millis))
}

/// Two endpoints, each down after five failures in a row; what takes half a second is late.
fn pair() -> [Vitals; 2] {
    let rules = Rules {
        health: HealthPolicy::consecutive(5),
        timeout: Some(Duration::from_secs(1)),
        ..Rules::default()
    };
    let host = Host {
        registry: Registry::new(Arc::new(Events::new(100, |_| {}))),
        ..Host::new(Clock(|| Nanos::ZERO))
    };
    let destination = Destination::new("set", &rules, &host);
    ["a:1", "b:1"].map(|address| {
        let endpoint = Endpoint::new(address).unwrap_or_else(|error| unreachable!("{error}"));
        destination.endpoint(endpoint)
    })
}

fn call(vitals: &Vitals, millis: u64, outcome: Outcome) {
    if let Ok(permit) = vitals.permit(at(millis)) {
        vitals.record(permit, at(millis + 1), outcome);
    }
}

/// A probe that took 10 ms.
fn probe(vitals: &Vitals, millis: u64, outcome: Outcome, edge: Option<Edge>) {
    vitals.probed(at(millis), at(millis + 10), outcome, edge);
}

fn told(vitals: &Vitals, what: fn(&EventKind) -> bool) -> usize {
    let events = vitals.destination().registry().events().since(0).events;
    events.iter().filter(|event| what(&event.kind)).count()
}

fn kinds(vitals: &Vitals) -> Vec<FaultKind> {
    let events = vitals.destination().registry().events().since(0).events;
    let kinds = events.into_iter().filter_map(|event| match event.kind {
        EventKind::Diagnosed(verdict) => Some(verdict.kind),
        _ => None,
    });
    kinds.collect()
}

#[test]
fn an_endpoint_that_nobody_calls_is_out_by_its_probes_since_the_first_bad_one() {
    let [sick, well] = pair();
    probe(&sick, 0, Outcome::Success, Some(Edge::Up));
    probe(&sick, 2_000, LOST, None);
    probe(&sick, 2_500, LOST, None);
    probe(&sick, 3_000, LOST, Some(Edge::Down));
    assert_eq!(
        (sick.state(), well.state()),
        (BreakerState::Open, BreakerState::Closed)
    );
    let episode = sick.snapshot(at(3_010)).episodes.remove(0);
    assert_eq!((episode.broke, episode.detected), (at(2_000), at(3_010)));
}

#[test]
fn calls_that_go_well_are_believed_before_probes_that_fail() {
    let [one, _peer] = pair();
    probe(&one, 0, FAILED, None);
    call(&one, 50, Outcome::Success);
    probe(&one, 100, FAILED, Some(Edge::Down));
    assert_eq!(one.state(), BreakerState::Closed);
    assert_eq!(told(&one, |kind| *kind == EventKind::ProbesDisagree), 1);
}

#[test]
fn good_probes_let_the_next_call_find_out_and_close_nothing_themselves() {
    let [one, _peer] = pair();
    (0..5).for_each(|millis| call(&one, millis, FAILED));
    assert!(one.due(at(10)) > at(20));
    probe(&one, 10, Outcome::Success, Some(Edge::Up));
    assert_eq!((one.state(), one.due(at(10))), (BreakerState::Open, at(20)));
    call(&one, 20, FAILED);
    assert_eq!(
        one.state(),
        BreakerState::HalfOpen,
        "one bad call is no answer yet"
    );
    call(&one, 10_000, FAILED);
    assert_eq!(one.state(), BreakerState::Open);
}

#[test]
fn probes_that_are_well_while_calls_fail_are_grey_and_said_once() {
    let [one, peer] = pair();
    (0..5).for_each(|millis| {
        call(&peer, millis, Outcome::Success);
        call(&one, millis, FAILED);
    });
    assert_eq!(kinds(&one), [FaultKind::Errors]);
    probe(&one, 10, Outcome::Success, None);
    assert_eq!(kinds(&one), [FaultKind::Errors], "no call has failed since");
    let probing = at(10_000);
    let permit = one
        .permit(probing)
        .unwrap_or_else(|refusal| unreachable!("{refusal}"));
    one.record(permit, probing, FAILED);
    assert_eq!(kinds(&one), [FaultKind::Errors, FaultKind::Grey]);
    assert_eq!(told(&one, |kind| *kind == EventKind::Grey), 1);
}

#[test]
fn a_probe_from_before_the_trouble_says_nothing_of_it() {
    let [one, peer] = pair();
    probe(&one, 0, Outcome::Success, Some(Edge::Up));
    (1_000..1_005).for_each(|millis| {
        call(&peer, millis, Outcome::Success);
        call(&one, millis, Outcome::Failure(Cause::Connect));
    });
    assert_eq!(kinds(&one), [FaultKind::Crash]);
}

#[test]
fn a_probe_that_answers_late_tells_slow_from_hung_unless_one_was_lost() {
    for (lost, expected) in [(false, FaultKind::Slow), (true, FaultKind::Hang)] {
        let [one, peer] = pair();
        let destination = one.destination();
        // What calls take is known: a hundredth of a second.
        for n in 0..4_000 {
            for vitals in [&one, &peer] {
                let permit = vitals
                    .permit(at(10 * n))
                    .unwrap_or_else(|refusal| unreachable!("{refusal}"));
                vitals.record(permit, at(10 * n + 10), Outcome::Success);
            }
            let _ = destination.tick(at(10 * n + 10));
        }
        // Nothing to do for a while, so that nobody looks; whoever did would be awake.
        let _ = destination.tick(at(45_000));
        let lot = (0..5).map(|n| one.permit(at(50_000 + n)));
        let lot: Vec<_> = lot
            .map(|permit| permit.unwrap_or_else(|refusal| unreachable!("{refusal}")))
            .collect();
        call(&peer, 50_000, Outcome::Success);
        (50_000..51_010).for_each(|millis| _ = destination.tick(at(millis)));
        for permit in lot {
            one.record(permit, at(51_010), LOST);
        }
        assert_eq!(kinds(&one), [FaultKind::Hang]);
        if lost {
            probe(&one, 51_020, LOST, None);
        }
        one.probed(at(51_100), at(51_900), Outcome::Success, None);
        assert_eq!(kinds(&one).last(), Some(&expected));
    }
}

#[test]
fn a_probe_that_says_nothing_changes_nothing() {
    let [one, _peer] = pair();
    probe(&one, 0, Outcome::Overload(None), None);
    probe(&one, 10, Outcome::Refused, None);
    assert!(!one.is_suspect());
    assert_eq!(told(&one, |_| true), 0);
}

#[test]
fn a_rule_of_silence_hears_the_probes_of_one_that_nobody_calls() {
    let rules = Rules {
        health: HealthPolicy::phi(
            crate::PhiPolicy::new()
                .rhythm(crate::Rhythm::Periodic)
                .pause(Duration::ZERO),
        ),
        ..Rules::default()
    };
    let vitals = Vitals::new("db", &rules, &Host::new(Clock(|| Nanos::ZERO)));
    (0..10).for_each(|n| probe(&vitals, n * 2_000, Outcome::Success, None));
    assert_eq!(vitals.state(), BreakerState::Closed);
    vitals.probed(at(20_000), at(21_000), LOST, None);
    assert_eq!(
        vitals.state(),
        BreakerState::Open,
        "with no edge of its probes"
    );
    assert_eq!(vitals.snapshot(at(21_000)).decisions.health.enforced, 1);
}
