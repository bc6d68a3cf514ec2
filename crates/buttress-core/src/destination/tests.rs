use super::*;
use crate::{
    BreakerState, Cause, Clock, Counts, Events, Health, HealthPolicy, Outcome, Permit, Refusal,
    random::{Draws, unit},
};

const TIMEOUT: u64 = 1_000;

fn at(millis: u64) -> Nanos {
    Nanos::ZERO.after(Duration::from_millis(millis))
}

/// Down after three facts in a row; a second for an attempt, so that half a second is late until more is known.
fn destination() -> Destination {
    let rules = Rules {
        health: HealthPolicy::consecutive(3),
        timeout: Some(Duration::from_millis(TIMEOUT)),
        ..Rules::default()
    };
    let host = Host {
        registry: Registry::new(Arc::new(Events::new(100, |_| {}))),
        ..Host::new(Clock(|| Nanos::ZERO))
    };
    Destination::new("db", &rules, &host)
}

fn begin(vitals: &Vitals, millis: u64) -> Permit {
    vitals
        .permit(at(millis))
        .unwrap_or_else(|refusal: Refusal| unreachable!("{refusal}"))
}

fn call(vitals: &Vitals, began: u64, ended: u64, outcome: Outcome) {
    let permit = begin(vitals, began);
    vitals.record(permit, at(ended), outcome);
}

/// Ticks whenever asked to, until `until` or until nothing is left to look after.
fn tick_until(destination: &Destination, mut now: Nanos, until: Nanos) -> Nanos {
    while now < until {
        match destination.tick(now) {
            Some(next) => now = next,
            None => break,
        }
    }
    now
}

fn counts(vitals: &Vitals) -> Counts {
    vitals.snapshot(at(0)).counts
}

#[test]
fn a_hang_is_noticed_at_the_age_and_not_at_the_timeout() {
    let (destination, vitals) = watched();
    let calls: Vec<Permit> = (0..3).map(|n| begin(&vitals, 100 + 10 * n)).collect();
    let end = tick_until(&destination, at(120), at(2_000));
    assert_eq!(vitals.state(), BreakerState::Open);
    let episode = vitals.snapshot(end).episodes.remove(0);
    assert_eq!(episode.broke, at(100));
    let detected = episode.detected.since(at(100)).as_millis() as u64;
    assert!((520..=520 + 70).contains(&detected), "{detected} ms");
    for permit in calls {
        vitals.record(permit, at(1_100), Outcome::Failure(Cause::Timeout));
    }
    let episode = vitals.snapshot(end).episodes.remove(0);
    assert_eq!(episode.causes.of(Cause::Timeout), 3);
}

fn watched() -> (Destination, Vitals) {
    let destination = destination();
    let vitals = destination.alone();
    (destination, vitals)
}

#[test]
fn without_a_ticker_the_next_calls_notice() {
    let vitals = destination().alone();
    (0..3).for_each(|n| {
        let _ = begin(&vitals, n);
    });
    let _ = begin(&vitals, 510);
    assert!(vitals.permit(at(511)).is_err());
}

#[test]
fn a_call_found_too_old_counts_once_whatever_becomes_of_it() {
    for outcome in [
        Outcome::Success,
        Outcome::Failure(Cause::Timeout),
        Outcome::Cancelled,
    ] {
        let (destination, vitals) = watched();
        for start in [1_000, 2_000] {
            let permit = begin(&vitals, start);
            let _ = tick_until(&destination, at(start), at(start + 900));
            vitals.record(permit, at(start + 900), outcome);
        }
        // Two facts; a third would trip.
        assert_eq!(vitals.state(), BreakerState::Closed, "{outcome:?}");
        call(&vitals, 2_901, 2_902, Outcome::Failure(Cause::Error));
        assert_eq!(vitals.state(), BreakerState::Open, "{outcome:?}");
    }
}

#[test]
fn a_late_success_is_evidence_even_if_nobody_looked() {
    let vitals = destination().alone();
    (0..3).for_each(|n| call(&vitals, 1_000 * n, 1_000 * n + 600, Outcome::Success));
    assert_eq!(vitals.state(), BreakerState::Open);
    assert_eq!(counts(&vitals).successes, 3);
}

#[test]
fn while_nothing_is_under_way_nobody_needs_to_look() {
    let (destination, vitals) = watched();
    assert_eq!(destination.tick(at(0)), None);
    let permit = begin(&vitals, 1);
    assert!(destination.tick(at(2)).is_some());
    vitals.record(permit, at(3), Outcome::Success);
    let _ = tick_until(&destination, at(3), at(5_000));
    assert_eq!(destination.tick(at(5_000)), None);
}

#[test]
fn a_pause_of_ours_is_nobodys_fault() {
    let (destination, vitals) = watched();
    let calls: Vec<Permit> = (0..20).map(|n| begin(&vitals, n)).collect();
    let asleep = tick_until(&destination, at(20), at(100));
    // Five seconds later we wake: the calls' own timers fire first, then ours.
    let awake = asleep.after(Duration::from_secs(5));
    for permit in &calls[..10] {
        vitals.record(*permit, awake, Outcome::Failure(Cause::Timeout));
    }
    let _ = tick_until(&destination, awake, awake.after(Duration::from_millis(300)));
    for permit in &calls[10..] {
        vitals.record(*permit, awake, Outcome::Success);
    }
    assert_eq!(vitals.snapshot(awake).health, Health::Healthy);
    let told = destination.registry().events().since(0).events;
    assert!(
        matches!(
            told[..],
            [Event {
                kind: EventKind::Asleep(_),
                ..
            }]
        ),
        "once: {told:?}"
    );
    assert_eq!(
        (
            counts(&vitals).failures.of(Cause::Timeout),
            counts(&vitals).successes
        ),
        (10, 10)
    );
}

#[test]
fn calls_that_stay_unanswered_after_our_pause_are_late_as_ever() {
    let (destination, vitals) = watched();
    (0..3).for_each(|n| {
        let _ = begin(&vitals, n);
    });
    let asleep = tick_until(&destination, at(3), at(100));
    let awake = asleep.after(Duration::from_secs(5));
    let _ = tick_until(&destination, awake, awake.after(Duration::from_millis(400)));
    assert_eq!(vitals.state(), BreakerState::Closed);
    let _ = tick_until(
        &destination,
        awake.after(Duration::from_millis(401)),
        awake.after(Duration::from_millis(700)),
    );
    assert_eq!(vitals.state(), BreakerState::Open);
}

#[test]
fn a_clock_that_jumps_an_hour_either_way_blames_nobody_and_blinds_nobody() {
    const HOUR: u64 = 3_600_000;
    for later in [0, 2 * HOUR] {
        let (destination, vitals) = watched();
        let permit = begin(&vitals, HOUR);
        let _ = tick_until(&destination, at(HOUR), at(HOUR + 100));
        let _ = destination.tick(at(later));
        assert_eq!(vitals.state(), BreakerState::Closed);
        vitals.record(permit, at(later + 1), Outcome::Success);
        let calls: Vec<Permit> = (0..3).map(|n| begin(&vitals, later + 10 + n)).collect();
        let _ = tick_until(&destination, at(later + 13), at(later + 800));
        assert_eq!(
            vitals.state(),
            BreakerState::Open,
            "blind after a jump to {later}"
        );
        drop(calls);
    }
}

#[test]
fn the_age_is_learned_from_healthy_calls_and_never_above_half_the_timeout() {
    let (destination, vitals) = watched();
    assert_eq!(destination.age(), Some(Duration::from_millis(500)));
    let mut now = 0;
    for round in 0..14_000 {
        // One call in two hundred takes 40 ms, the others 10.
        let took = if round % 200 == 0 { 40 } else { 10 };
        call(&vitals, now, now + took, Outcome::Success);
        now += 10;
        let _ = destination.tick(at(now));
    }
    let age = destination.age().unwrap_or_default().as_secs_f64() * 1e3;
    assert!((40.0..42.0).contains(&age), "{age} ms");
}

#[test]
fn what_speaks_against_a_healthy_endpoint_is_part_of_the_norm_all_the_same() {
    let rules = Rules {
        timeout: Some(Duration::from_millis(TIMEOUT)),
        ..Rules::default()
    };
    let destination = Destination::new("db", &rules, &Host::new(Clock(|| Nanos::ZERO)));
    let vitals = destination.alone();
    let mut draws = Draws::seeded(1);
    for round in 0..100_000 {
        // Heavy-tailed: one call in a thousand takes more than 32 times the shortest. One in a hundred fails.
        let took = 1e6 / (1.0 - unit(draws.next())).sqrt();
        let failed = unit(draws.next()) < 0.01;
        let outcome = if failed {
            Outcome::Failure(Cause::Error)
        } else {
            Outcome::Success
        };
        let permit = begin(&vitals, 10 * round);
        let ended = at(10 * round).after(Duration::from_nanos(took as u64));
        vitals.record(permit, ended, outcome);
        if round % 100 == 99 {
            let _ = destination.tick(at(10 * round + 9));
        }
    }
    let age = destination.age().unwrap_or_default().as_secs_f64() * 1e3;
    assert!((27.0..38.0).contains(&age), "{age} ms");
    let base = destination.0.norm.base().unwrap_or_default();
    assert!((0.008..0.012).contains(&base), "{base}");
    assert_eq!(vitals.state(), BreakerState::Closed);
}

#[test]
fn what_an_ill_endpoint_takes_is_not_the_norm() {
    let destination = destination();
    let (well, ill) = (
        destination.endpoint(named("a:1")),
        destination.endpoint(named("b:1")),
    );
    let mut now = 0;
    for _ in 0..24_000 {
        call(&well, now, now + 30, Outcome::Success);
        if let Ok(permit) = ill.permit(at(now)) {
            ill.record(permit, at(now + 400), Outcome::Failure(Cause::Error));
        }
        now += 5;
        let _ = destination.tick(at(now));
    }
    assert!(destination.age().unwrap_or_default() < Duration::from_millis(33));
}

#[test]
fn what_takes_no_longer_than_a_turn_at_the_processor_proves_nothing() {
    let destination = destination();
    let vitals = destination.endpoint(named("a:1"));
    for now in 0..60_000 {
        call(&vitals, now, now + 1, Outcome::Success);
        let _ = destination.tick(at(now));
    }
    assert!(
        destination
            .age()
            .is_some_and(|age| age < Duration::from_millis(3))
    );
    // Our process has to wait for its turn, and all that is under way with it.
    let calls: Vec<Permit> = (0..16).map(|_| begin(&vitals, 60_000)).collect();
    for permit in calls {
        vitals.record(permit, at(60_020), Outcome::Success);
    }
    assert!(vitals.is_suspect(), "or the test shows nothing");
    assert_eq!(vitals.state(), BreakerState::Closed);
}

fn named(address: &str) -> Endpoint {
    Endpoint::new(address).unwrap_or_else(|error| unreachable!("{error}"))
}

#[test]
fn a_hundred_thousand_endpoints_come_and_go_without_a_trace() {
    let destination = destination();
    let address = named("passing:1");
    for n in 0..100_000 {
        let vitals = destination.endpoint(address.clone());
        if n % 1_000 == 0 {
            (0..5).for_each(|_| call(&vitals, n, n, Outcome::Failure(Cause::Error)));
        }
    }
    assert!(lock(&destination.0.members).capacity() < 1_000);
    assert!(lock(&destination.0.out).is_empty());
    assert!(destination.registry().snapshot(at(0)).is_empty());
}

#[test]
fn a_busy_machine_is_no_excuse_for_whoever_never_answers() {
    let (destination, vitals) = watched();
    // Our timer is late by 30 ms each time, for minutes.
    let (mut now, mut calls) = (1_000, Vec::new());
    let mut due = destination.tick(at(now));
    while vitals.state() == BreakerState::Closed && now < 60_000 {
        if let Ok(permit) = vitals.permit(at(now)) {
            calls.push((now, permit));
        }
        now += 37;
        if due.is_none_or(|due| at(now) >= due.after(Duration::from_millis(30))) {
            due = destination.tick(at(now));
        }
        while let Some((began, permit)) = calls
            .first()
            .copied()
            .filter(|(began, _)| began + TIMEOUT <= now)
        {
            let _ = began;
            vitals.record(permit, at(now), Outcome::Failure(Cause::Timeout));
            calls.remove(0);
        }
    }
    assert!(now < 5_000, "blind for {now} ms");
}

#[test]
fn ten_peers_that_fall_silent_with_us_are_nobodys_fault_and_one_event() {
    let destination = destination();
    let set: Vec<Vitals> = (0..10)
        .map(|n| destination.endpoint(named(&format!("10.0.0.{n}:1"))))
        .collect();
    let calls: Vec<Permit> = set.iter().map(|vitals| begin(vitals, 1_000)).collect();
    let asleep = tick_until(&destination, at(1_000), at(1_100));
    let awake = asleep.after(Duration::from_secs(60));
    for (vitals, permit) in set.iter().zip(calls) {
        vitals.record(permit, awake, Outcome::Failure(Cause::Timeout));
    }
    let _ = tick_until(&destination, awake, awake.after(Duration::from_millis(200)));
    assert!(
        set.iter()
            .all(|vitals| vitals.snapshot(awake).health == Health::Healthy)
    );
    assert_eq!(destination.registry().events().since(0).events.len(), 1);
}

#[test]
fn a_hang_is_evidence_under_a_rate_rule_too() {
    let rules = Rules {
        health: HealthPolicy::Rate(crate::RatePolicy::new()),
        timeout: Some(Duration::from_millis(TIMEOUT)),
        ..Rules::default()
    };
    let destination = Destination::new("db", &rules, &Host::new(Clock(|| Nanos::ZERO)));
    let vitals = destination.alone();
    let mut now = at(0);
    for round in 0..3 {
        let began = 1_500 * round;
        let calls: Vec<Permit> = (0..20)
            .filter_map(|n| vitals.permit(at(began + n)).ok())
            .collect();
        now = tick_until(&destination, now.max(at(began + 20)), at(began + TIMEOUT));
        for permit in calls {
            vitals.record(
                permit,
                at(began + TIMEOUT + 20),
                Outcome::Failure(Cause::Timeout),
            );
        }
    }
    assert_eq!(
        vitals.state(),
        BreakerState::Open,
        "sixty calls, sixty timeouts"
    );
}

#[test]
fn a_newcomer_that_hangs_is_noticed_at_the_age() {
    let destination = destination();
    let vitals = destination.newcomer(Endpoint::itself());
    let _peer = destination.endpoint(Endpoint::new("10.0.0.2:80").unwrap());
    assert_eq!(vitals.state(), BreakerState::Ramping);
    let _calls: Vec<Permit> = (0..5).map(|n| begin(&vitals, 100 + 10 * n)).collect();
    destination.0.norm.claim(at(150));
    tick_until(&destination, at(150), at(5_000));
    assert_eq!(vitals.state(), BreakerState::Open);
}

#[test]
fn a_probing_call_answered_too_late_is_bad_whether_or_not_somebody_looked() {
    let state = |looked: bool| {
        let rules = Rules {
            breaker: crate::BreakerPolicy::new().close_after(1),
            ..destination().0.rules
        };
        let destination = Destination::new("db", &rules, &Host::new(Clock(|| Nanos::ZERO)));
        let vitals = destination.endpoint(Endpoint::itself());
        let _peer = destination.endpoint(Endpoint::new("10.0.0.2:80").unwrap());
        let _under_way = begin(&vitals, 1);
        (2..5).for_each(|n| call(&vitals, n, n, Outcome::Failure(Cause::Error)));
        let due = vitals.due(at(5)).after(Duration::from_millis(1));
        let probe = vitals.permit(due).unwrap();
        assert!(probe.is_probe());
        let end = due.after(Duration::from_millis(TIMEOUT - 50));
        if looked {
            tick_until(&destination, due, end);
        }
        vitals.record(probe, end, Outcome::Success);
        vitals.state()
    };
    assert_eq!(
        state(false),
        BreakerState::Open,
        "or the test shows nothing"
    );
    assert_eq!(state(true), BreakerState::Open);
}

#[test]
fn a_busy_machine_notices_a_hang_all_the_same() {
    let (destination, vitals) = watched();
    destination
        .0
        .norm
        .learned(Duration::from_millis(20), Duration::MAX);
    destination.0.norm.claim(at(0));
    let (mut due, mut calls) = (at(5), Vec::new());
    for millis in 0..60_000 {
        if at(millis) >= due.after(Duration::from_millis(30)) {
            due = destination.tick(at(millis)).unwrap_or(at(millis + 5));
        }
        if millis.is_multiple_of(20) {
            calls.extend(vitals.permit(at(millis)));
        }
        if let Some(first) = calls.first()
            && at(millis).since(first.started()) >= Duration::from_millis(TIMEOUT)
        {
            vitals.record(
                calls.remove(0),
                at(millis),
                Outcome::Failure(Cause::Timeout),
            );
        }
        if vitals.state() == BreakerState::Open {
            assert!(millis < 3_000, "{millis}");
            return;
        }
    }
    unreachable!("never");
}

#[test]
fn a_clock_set_forward_an_hour_and_back_blinds_nobody() {
    let (destination, vitals) = watched();
    let hour = 3_600_000;
    let under_way = begin(&vitals, 0);
    destination.0.norm.claim(at(0));
    tick_until(&destination, at(0), at(400));
    let _ = destination.tick(at(hour));
    vitals.record(under_way, at(900), Outcome::Success);
    let _ = destination.tick(at(1_000));
    for n in 0..20 {
        if let Ok(permit) = vitals.permit(at(1_100 + n)) {
            vitals.record(permit, at(1_101 + n), Outcome::Failure(Cause::Error));
        }
    }
    assert_eq!(vitals.state(), BreakerState::Open);
}

#[test]
fn a_busy_machine_is_no_excuse_for_an_endpoint_that_refuses_every_call() {
    for pace in [1, 5, 10, 20, 50] {
        let (destination, vitals) = watched();
        destination
            .0
            .norm
            .learned(Duration::from_millis(20), Duration::MAX);
        destination.0.norm.claim(at(0));
        // The timer fires thirty milliseconds late each time; calls fail at once.
        let (mut due, mut tripped) = (at(5), false);
        for millis in 0..10_000_u64 {
            if at(millis) >= due.after(Duration::from_millis(30)) {
                due = destination.tick(at(millis)).unwrap_or(at(millis + 5));
            }
            if millis.is_multiple_of(pace) {
                match vitals.permit(at(millis)) {
                    Ok(permit) => {
                        vitals.record(permit, at(millis), Outcome::Failure(Cause::Error));
                    }
                    Err(_) => tripped = true,
                }
            }
        }
        assert!(tripped, "each of 10 s of calls failed, one in {pace} ms");
    }
}

#[test]
fn an_open_breaker_probes_though_the_clock_was_set_back_an_hour() {
    let (_destination, vitals) = watched();
    let hour = 3_600_000;
    (0..3).for_each(|n| call(&vitals, hour + n, hour + n, Outcome::Failure(Cause::Error)));
    assert_eq!(vitals.state(), BreakerState::Open);
    // Ten minutes of asking: the longest wait is far shorter.
    assert!((0..600).any(|second| vitals.permit(at(second * 1_000)).is_ok()));
}

#[test]
fn one_that_is_slower_than_its_peers_is_told_of_and_with_the_rule_enforced_is_out() {
    use crate::{Enforce, EnforcePolicy, Rule};

    for (enforce, state) in [
        (EnforcePolicy::new(), BreakerState::Closed),
        (
            EnforcePolicy::new().latency(Enforce::ON),
            BreakerState::Open,
        ),
    ] {
        let rules = Rules {
            enforce,
            ..Rules::default()
        };
        let host = Host {
            registry: Registry::new(Arc::new(Events::new(100, |_| {}))),
            ..Host::new(Clock(|| Nanos::ZERO))
        };
        let destination = Destination::new("db", &rules, &host);
        let set =
            ["a:1", "b:1", "c:1"].map(|name| destination.endpoint(Endpoint::new(name).unwrap()));
        let mut last = BreakerState::Closed;
        for millis in (0..25_000_u64).step_by(10) {
            for (n, vitals) in set.iter().enumerate() {
                if let Ok(permit) = vitals.permit(at(millis)) {
                    let took = if n == 2 { 60 } else { 20 } + millis / 10 % 10;
                    vitals.record(permit, at(millis + took), Outcome::Success);
                }
            }
            destination.0.observe(at(millis));
            if set[2].state() == BreakerState::Open {
                last = BreakerState::Open;
            }
        }
        assert_eq!(last, state);
        let decisions = set.map(|vitals| vitals.snapshot(at(25_000)).decisions.latency);
        let all = decisions.map(|of| of.enforced + of.unenforced);
        assert_eq!(all[..2], [0, 0]);
        // Let back in, it is compared again; noted down, it is noted once.
        assert!(all[2] == 1 || state == BreakerState::Open && all[2] == 2);
        let events = host.registry.events().since(0).events;
        let said = events.iter().any(|event| match event.kind {
            EventKind::Held(Hold::DryRun(Rule::Latency)) => state == BreakerState::Closed,
            EventKind::Opened {
                by: Rule::Latency, ..
            } => state == BreakerState::Open,
            _ => false,
        });
        assert!(said, "{events:?}");
    }
}

/// A service that takes 30 to 39 ms, a hundred times a second, watched for two minutes; and when they are over.
fn well_known() -> (Destination, Vitals, u64) {
    let destination = Destination::new("db", &Rules::default(), &Host::new(Clock(|| Nanos::ZERO)));
    let vitals = destination.alone();
    for millis in (0..120_000).step_by(10) {
        let permit = begin(&vitals, millis);
        let took = 30 + millis / 10 * 7 % 10;
        let _ = destination.tick(at(millis + took / 2));
        vitals.record(permit, at(millis + took), Outcome::Success);
    }
    let age = destination.age().unwrap_or_default();
    assert!((39..=41).contains(&age.as_millis()), "{age:?}");
    (destination, vitals, 120_000)
}

#[test]
fn a_queue_behind_one_long_call_is_no_hang() {
    let (destination, vitals, now) = well_known();
    // One takes 70 ms, and those behind it wait for it: ten in a row are late, none by much.
    let mut waiting = std::collections::VecDeque::new();
    for millis in now..now + 400 {
        if millis % 10 == 0 {
            let ends = now + 70 + (millis - now).max(1) * 8 / 10;
            waiting.push_back((ends.max(millis + 30), begin(&vitals, millis)));
        }
        while waiting.front().is_some_and(|(ends, _)| *ends <= millis) {
            let (ends, permit) = waiting.pop_front().unwrap();
            vitals.record(permit, at(ends), Outcome::Success);
        }
        let _ = destination.tick(at(millis));
    }
    assert!(counts(&vitals).successes > 12_000);
    assert_eq!(vitals.state(), BreakerState::Closed);
    assert!(vitals.is_suspect(), "or the test shows nothing");
}

#[test]
fn a_hang_is_noticed_though_its_calls_have_to_prove_it() {
    let (destination, vitals, now) = well_known();
    let mut calls = Vec::new();
    let noticed = (now..now + 1_000).find(|millis| {
        if millis % 10 == 0 {
            calls.extend(vitals.permit(at(*millis)));
        }
        let _ = destination.tick(at(*millis));
        vitals.state() == BreakerState::Open
    });
    assert!(noticed.is_some_and(|at| at - now <= 100), "{noticed:?}");
}

#[test]
fn calls_that_hang_all_at_once_prove_it_though_no_other_comes() {
    let (destination, vitals, now) = well_known();
    let _calls: Vec<Permit> = (0..8).map(|_| begin(&vitals, now)).collect();
    destination.0.norm.claim(at(now));
    tick_until(&destination, at(now), at(now + 500));
    assert_eq!(vitals.state(), BreakerState::Open);
}
