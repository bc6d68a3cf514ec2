use std::{collections::VecDeque, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::{
    Blame, BreakerPolicy, Cause, Causes, Counts, EventKind, Events, Health, HealthPolicy, Registry,
    Sign, sync::Ordering,
};

const FAILED: Outcome = Outcome::Failure(Cause::Error);

fn at(millis: u64) -> Nanos {
    Nanos::ZERO.after(Duration::from_millis(millis))
}

fn vitals(parts: Parts) -> Vitals {
    let rules = Rules {
        health: HealthPolicy::consecutive(3),
        breaker: BreakerPolicy::new()
            .open_for(Duration::from_millis(100))
            .close_after(2),
        parts,
        ..Rules::default()
    };
    Vitals::new("db", &rules, &Host::new(Clock(|| Nanos::ZERO)))
}

fn call(vitals: &Vitals, millis: u64, outcome: Outcome) -> bool {
    vitals
        .permit(at(millis))
        .map(|permit| vitals.record(permit, at(millis), outcome))
        .is_ok()
}

/// The same, of one endpoint of several, or of many.
fn one_of(count: usize, rules: &Rules) -> Vitals {
    let destination = Destination::new("db", rules, &Host::new(Clock(|| Nanos::ZERO)));
    destination.expect(count);
    destination.endpoint(Endpoint::itself())
}

/// The first time from `millis` on that a call is admitted.
fn next_probe(vitals: &Vitals, millis: u64) -> u64 {
    match vitals.permit(at(millis)) {
        Err(refusal) => {
            let wait = refusal.retry_after().unwrap_or_default().as_millis() as u64;
            millis + wait + 1
        }
        Ok(_) => unreachable!("it is open"),
    }
}

#[test]
fn whose_health_is_disregarded_bears_no_more_calls_at_once_for_it() {
    let rules = Rules {
        health: HealthPolicy::consecutive(1),
        limit: Some(crate::LimitPolicy::concurrency(2)),
        ..Rules::default()
    };
    let vitals = Vitals::new("db", &rules, &Host::new(Clock(|| Nanos::ZERO)));
    assert!(call(&vitals, 1, FAILED));
    let lane = vitals.0.mine();
    let first = lane.permit_anyway(at(2)).unwrap();
    let second = lane.permit_anyway(at(2)).unwrap();
    let third = lane.permit_anyway(at(2)).unwrap_err();
    assert!(matches!(third, Refusal::Overloaded { .. }), "{third}");
    // Their places come back.
    lane.record(&first, at(3), Outcome::Success);
    lane.record(&second, at(3), FAILED);
    assert!(lane.permit_anyway(at(4)).is_ok());
}

#[test]
fn whoever_solves_the_delay_of_hedges_hears_of_losers_that_were_late_too() {
    let rules = Rules {
        timeout: Some(Duration::from_millis(1_000)),
        ..Rules::default()
    };
    let vitals = Vitals::new("db", &rules, &Host::new(Clock(|| Nanos::ZERO)));
    assert!(call(&vitals, 1, Outcome::Success));
    let lane = vitals.0.mine();
    // Half the timeout is late.
    for millis in [100, 499, 500, 900] {
        let permit = lane.permit(at(10)).unwrap();
        lane.overtaken(&permit, at(10 + millis));
    }
    assert_eq!(vitals.known().overtaken.load(Ordering::Relaxed), 4);
    assert_eq!(vitals.snapshot(at(910)).counts.late, 2);
}

#[test]
fn an_outage_is_one_episode_from_its_first_failed_call_to_restoration() {
    let vitals = vitals(Parts::default());
    assert!(call(&vitals, 1, Outcome::Success));
    for millis in [10, 20, 30] {
        assert!(call(&vitals, millis, FAILED));
    }
    let probe = next_probe(&vitals, 31);
    assert!(call(&vitals, probe, FAILED), "a failed probe");
    let probe = next_probe(&vitals, probe);
    assert!(call(&vitals, probe, Outcome::Success) && call(&vitals, probe + 5, Outcome::Success));
    let snapshot = vitals.snapshot(at(10_000));
    let [episode] = &snapshot.episodes[..] else {
        unreachable!("one episode")
    };
    assert_eq!((episode.broke, episode.detected), (at(10), at(30)));
    assert_eq!(
        (episode.repaired, episode.restored),
        (Some(at(probe)), Some(at(probe + 5)))
    );
    assert_eq!(
        (episode.causes.of(Cause::Error), episode.causes.total()),
        (4, 4)
    );
    assert_eq!(
        (snapshot.health, snapshot.state),
        (Health::Healthy, BreakerState::Closed)
    );
}

#[test]
fn failures_that_a_success_forgave_belong_to_no_episode() {
    let vitals = vitals(Parts::default());
    for outcome in [FAILED, FAILED, Outcome::Success, FAILED, FAILED, FAILED] {
        call(&vitals, 5, outcome);
    }
    assert_eq!(vitals.snapshot(at(5)).episodes[0].causes.total(), 3);
}

#[test]
fn a_dropped_attempt_is_cancelled_and_holds_nothing() {
    let vitals = vitals(Parts::default());
    drop(vitals.admit());
    let counts = vitals.snapshot(at(0)).counts;
    assert_eq!((counts.cancelled, counts.in_flight()), (1, 0));
}

#[test]
fn an_attempt_in_which_its_service_panics_is_a_failure() {
    for (runs, panics) in [(true, 1), (false, 0)] {
        let vitals = vitals(Parts::default());
        let theirs = vitals.clone();
        let panicked = std::thread::spawn(move || {
            let mut attempt = theirs.admit().ok();
            let blame = Blame::on(&mut attempt);
            if !runs {
                blame.over();
            }
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        let counts = vitals.snapshot(at(0)).counts;
        let ended = (counts.failures.of(Cause::Panic), counts.cancelled);
        assert_eq!(ended, (panics, 1 - panics));
    }
}

#[test]
fn without_a_breaker_nothing_is_refused_and_episodes_are_kept_all_the_same() {
    let vitals = vitals(Parts {
        breaker: false,
        ..Parts::default()
    });
    for millis in 0..50 {
        assert!(call(&vitals, millis, FAILED));
    }
    assert_eq!(vitals.snapshot(at(50)).health, Health::Down);
    assert!(call(&vitals, 60, Outcome::Success) && call(&vitals, 70, Outcome::Success));
    let snapshot = vitals.snapshot(at(100));
    assert_eq!(
        (snapshot.health, snapshot.episodes[0].restored),
        (Health::Healthy, Some(at(70)))
    );
}

#[test]
fn callers_at_fault_and_overload_trip_nothing() {
    let vitals = vitals(Parts::default());
    for millis in 0..1_000 {
        for outcome in [
            Outcome::CallerFault,
            Outcome::Overload(None),
            Outcome::Cancelled,
            Outcome::Refused,
        ] {
            assert!(call(&vitals, millis, outcome));
        }
    }
    assert_eq!(vitals.snapshot(at(1_000)).health, Health::Healthy);
}

#[test]
fn a_thousand_threads_worth_of_calls_at_expiry_make_one_probe() {
    let vitals = vitals(Parts::default());
    (0..3).for_each(|_| assert!(call(&vitals, 0, FAILED)));
    let due = at(next_probe(&vitals, 0));
    let permitted: usize = std::thread::scope(|scope| {
        let ask = || (0..250).filter(|_| vitals.permit(due).is_ok()).count();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert_eq!(permitted, 1);
}

#[test]
fn counts_are_exact_under_contention() {
    let vitals = vitals(Parts {
        breaker: false,
        stats: false,
        ..Parts::default()
    });
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                (0..10_000).for_each(|turn| {
                    call(
                        &vitals,
                        turn,
                        if turn % 4 == 0 {
                            FAILED
                        } else {
                            Outcome::Success
                        },
                    );
                })
            });
        }
    });
    let counts = vitals.snapshot(at(0)).counts;
    assert_eq!(
        (counts.started, counts.successes, counts.failures.total()),
        (40_000, 30_000, 10_000)
    );
    assert_eq!(counts.in_flight(), 0);
}

#[test]
fn only_changes_are_told() {
    let events = Arc::new(Events::new(100, |_| {}));
    let host = Host {
        registry: Registry::new(Arc::clone(&events)),
        ..Host::new(Clock(|| Nanos::ZERO))
    };
    let vitals = Vitals::new("db", &Rules::default(), &host);
    (0..100).for_each(|millis| assert!(call(&vitals, millis, Outcome::Success)));
    assert_eq!(events.since(0).events.len(), 0);
    (0..5).for_each(|_| assert!(call(&vitals, 100, FAILED)));
    assert!(matches!(
        events.since(0).events[0].kind,
        EventKind::Opened { .. }
    ));
}

/// The naive twin: a list of everything that happened, and one pass over it.
fn twin(log: &[(u64, Outcome)]) -> (Counts, u64) {
    let (mut counts, mut run, mut down_good, mut outages, mut down) =
        (Counts::default(), 0, 0, 0, false);
    for (_, outcome) in log {
        counts.started += 1;
        match outcome {
            Outcome::Success => counts.successes += 1,
            Outcome::Failure(cause) => counts.failures.add(*cause),
            Outcome::Overload(_) => counts.overloads += 1,
            Outcome::CallerFault => counts.caller_faults += 1,
            Outcome::Refused => counts.refused += 1,
            _ => counts.cancelled += 1,
        }
        match (down, outcome.sign()) {
            (_, Sign::Silent) => {}
            (false, Sign::Good) => run = 0,
            (false, Sign::Bad) => run += 1,
            (true, Sign::Good) => down_good += 1,
            (true, Sign::Bad) => down_good = 0,
        }
        if !down && run == 3 {
            (down, down_good, outages) = (true, 0, outages + 1);
        } else if down && down_good == 2 {
            (down, run) = (false, 0);
        }
    }
    (counts, outages)
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        4 => Just(Outcome::Success),
        4 => prop::sample::select(Cause::ALL.to_vec()).prop_map(Outcome::Failure),
        1 => Just(Outcome::Overload(None)),
        1 => Just(Outcome::CallerFault),
        1 => Just(Outcome::Refused),
        1 => Just(Outcome::Cancelled),
    ]
}

proptest! {
    #[test]
    fn counts_and_outages_are_those_of_the_naive_twin(log in prop::collection::vec((0..1_000_u64, outcome()), 0..300)) {
        let vitals = vitals(Parts { breaker: false, ..Parts::default() });
        let mut now = 0;
        for (step, outcome) in &log {
            now += step;
            prop_assert!(call(&vitals, now, *outcome));
        }
        let snapshot = vitals.snapshot(at(now));
        let (counts, outages) = twin(&log);
        prop_assert_eq!(snapshot.counts, counts);
        let figures = snapshot.reliability.unwrap();
        prop_assert_eq!(figures.failures, outages);
        prop_assert_eq!(figures.up + figures.down, at(now).since(at(0)));
    }

    #[test]
    fn one_of_many_fares_as_one_of_several(
        seconds in prop::bool::ANY,
        ops in prop::collection::vec((0..400_u64, 0..20_usize, outcome()), 0..400),
    ) {
        let health = if seconds { HealthPolicy::consecutive(5) } else { HealthPolicy::Cusum };
        let rules = Rules { health, timeout: Some(Duration::from_millis(1_000)), ..Rules::default() };
        let both = [3, 1_000].map(|count| one_of(count, &rules));
        let (mut now, mut held) = (0, Vec::new());
        for (step, which, outcome) in ops {
            now += step;
            if which > 5 && held.len() < 6 {
                let permits = both.each_ref().map(|vitals| vitals.permit(at(now)));
                let [Ok(several), Ok(many)] = permits else {
                    prop_assert!(permits.iter().all(Result::is_err));
                    continue;
                };
                held.push([several, many]);
            } else if which < held.len() {
                for (vitals, permit) in both.iter().zip(held.remove(which)) {
                    vitals.record(permit, at(now), outcome);
                }
            }
            let [several, many] = both.each_ref().map(|vitals| vitals.snapshot(at(now)));
            prop_assert_eq!(several.counts, many.counts);
            prop_assert_eq!((several.state, several.health), (many.state, many.health));
            let [several, many] = both.each_ref().map(|vitals| {
                let mut calls: Vec<_> = vitals.known().recorded().map(|call| call.started).collect();
                calls.sort_unstable();
                calls
            });
            // Of one that is well, fewer.
            prop_assert!(many.iter().all(|call| several.contains(call)));
        }
    }

    #[test]
    fn whatever_happens_a_closed_breaker_admits_and_nothing_stays_held(
        ops in prop::collection::vec((0..200_u64, any::<bool>(), outcome()), 0..300),
    ) {
        let vitals = vitals(Parts::default());
        let (mut now, mut held) = (0, Vec::new());
        for (step, start, outcome) in ops {
            now += step;
            let closed = vitals.state() == BreakerState::Closed;
            if start {
                let permit = vitals.permit(at(now));
                prop_assert!(permit.is_ok() || !closed);
                held.extend(permit);
            } else if let Some(permit) = held.pop() {
                vitals.record(permit, at(now), outcome);
            }
            let counts = vitals.snapshot(at(now)).counts;
            prop_assert_eq!(counts.in_flight(), held.len() as u64);
            if let Some(availability) = vitals.snapshot(at(now)).reliability.unwrap().availability {
                prop_assert!((0.0..=1.0).contains(&availability));
            }
        }
    }
}

#[test]
fn causes_print_only_what_occurred() {
    let mut causes = Causes::none();
    causes.add(Cause::Reset);
    assert_eq!(causes.iter().collect::<Vec<_>>(), [(Cause::Reset, 1)]);
}

#[test]
fn one_caller_whose_calls_all_fail_trips_nothing_for_the_others() {
    let rules = Rules {
        caller_share: Some(crate::Ratio::percent(25)),
        ..Rules::default()
    };
    let trips = |labelled: bool| {
        let vitals = Vitals::new("db", &rules, &Host::new(Clock(|| Nanos::ZERO)));
        (0..5_000).any(|n: u64| {
            let Ok(mut permit) = vitals.permit(at(n)) else {
                return true;
            };
            let hostile = n.is_multiple_of(10);
            let name = if hostile {
                "hostile".to_owned()
            } else {
                format!("tenant {}", n % 97)
            };
            if labelled {
                vitals.label(&mut permit, crate::Labels::none().caller(&name));
            }
            vitals.record(
                permit,
                at(n),
                if hostile { FAILED } else { Outcome::Success },
            );
            false
        })
    };
    assert!(trips(false), "or the test shows nothing");
    assert!(!trips(true));
}

#[test]
fn by_hand_it_is_out_until_let_go_and_then_comes_back_by_degrees() {
    for force in [crate::Force::Open, crate::Force::Drain] {
        let vitals = Vitals::new("db", &Rules::default(), &Host::new(Clock(|| Nanos::ZERO)));
        let under_way = vitals.permit(at(0)).unwrap();
        vitals.force(Some(force), at(1));
        assert_eq!(vitals.permit(at(2)).unwrap_err(), Refusal::Withdrawn);
        vitals.record(under_way, at(3), Outcome::Success);
        let shot = vitals.snapshot(at(4));
        assert_eq!(
            (shot.state, shot.forced, shot.counts.in_flight()),
            (BreakerState::Open, Some(force), 0)
        );
        vitals.force(None, at(5));
        assert_eq!(vitals.state(), BreakerState::Ramping);
        assert_eq!(
            vitals.snapshot(at(6)).episodes.len(),
            0,
            "maintenance is no outage"
        );
    }
}

#[test]
fn by_hand_alarms_are_noted_down_and_not_acted_on() {
    for (force, noted) in [
        (crate::Force::Closed, 1),
        (crate::Force::MetricsOnly, 1),
        (crate::Force::Disabled, 0),
    ] {
        let vitals = Vitals::new("db", &Rules::default(), &Host::new(Clock(|| Nanos::ZERO)));
        vitals.force(Some(force), at(0));
        (0..100).for_each(|millis| assert!(call(&vitals, millis, FAILED)));
        let shot = vitals.snapshot(at(100));
        assert_eq!(
            (shot.state, shot.decisions.total().unenforced),
            (BreakerState::Closed, noted),
            "{force}"
        );
        vitals.force(None, at(100));
        (100..110).for_each(|millis| _ = call(&vitals, millis, FAILED));
        assert_eq!(vitals.state(), BreakerState::Open, "{force}");
    }
}

#[test]
fn a_reset_forgets_the_outage_and_results_from_before_it() {
    let vitals = vitals(Parts::default());
    let stale = vitals.permit(at(0)).unwrap();
    (0..3).for_each(|millis| assert!(call(&vitals, millis, FAILED)));
    assert_eq!(vitals.state(), BreakerState::Open);
    vitals.reset(at(5));
    assert_eq!(
        (vitals.state(), vitals.snapshot(at(5)).health),
        (BreakerState::Closed, Health::Healthy)
    );
    assert!(call(&vitals, 6, FAILED) && call(&vitals, 7, FAILED));
    vitals.record(stale, at(8), FAILED);
    assert_eq!(vitals.state(), BreakerState::Closed);
}

#[test]
fn metrics_only_calls_an_endpoint_that_was_open() {
    let vitals = vitals(Parts::default());
    (0..3).for_each(|millis| assert!(call(&vitals, millis, FAILED)));
    vitals.force(Some(crate::Force::MetricsOnly), at(4));
    assert!(call(&vitals, 5, FAILED), "it is called");
}

fn ended() -> impl Strategy<Value = Outcome> {
    prop_oneof![6 => Just(Outcome::Success), 4 => Just(FAILED), 1 => Just(Outcome::CallerFault), 1 => Just(Outcome::Cancelled)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    /// One detector that hears every call singly, in the order in which they end.
    #[test]
    fn alarms_come_when_a_twin_that_hears_each_call_raises_them(
        ops in prop::collection::vec((0..20_u64, any::<bool>(), any::<prop::sample::Index>(), ended()), 0..400),
    ) {
        let rules = Rules {
            breaker: BreakerPolicy::new().open_for(std::time::Duration::from_millis(20)).close_after(2),
            ..Rules::default()
        };
        let vitals = Vitals::new("db", &rules, &Host::new(Clock(|| Nanos::ZERO)));
        let mut rule = crate::health::Detector::new(&HealthPolicy::Cusum, || vitals.known().destination.bank());
        let (mut now, mut held): (u64, Vec<(Permit, u32)>) = (0, Vec::new());
        for (step, start, which, outcome) in ops {
            now += step;
            let generation = vitals.known().word().generation();
            if start || held.is_empty() {
                if let Ok(permit) = vitals.permit(at(now)) { held.push((permit, permit.generation)); }
                continue;
            }
            let (permit, of) = held.remove(which.index(held.len()));
            let closed = vitals.state() == BreakerState::Closed;
            vitals.record(permit, at(now), outcome);
            let mut expected = false;
            if closed && of == generation && outcome.sign() != Sign::Silent {
                let fact = crate::health::Fact { started: permit.started(), now: at(now), outcome };
                expected = rule.record(&fact).is_some();
                if expected { rule.reset(); }
            }
            if closed {
                prop_assert_eq!(vitals.state() == BreakerState::Open, expected, "at {}", now);
            }
        }
    }
}

#[test]
fn failures_that_are_tolerable_do_not_keep_it_from_coming_back_for_ever() {
    let vitals = Vitals::new("db", &Rules::default(), &Host::new(Clock(|| Nanos::ZERO)));
    vitals.force(Some(crate::Force::Open), at(0));
    vitals.force(None, at(0));
    assert_eq!(vitals.state(), BreakerState::Ramping);
    // Four thousand calls a second for a minute, of which one in 500 fails.
    let mut sent = 0_u64;
    for millis in (0..60_000).flat_map(|millis| [millis; 4]) {
        if let Ok(permit) = vitals.permit(at(millis)) {
            sent += 1;
            let outcome = if sent.is_multiple_of(500) {
                FAILED
            } else {
                Outcome::Success
            };
            vitals.record(permit, at(millis), outcome);
        }
    }
    assert_eq!(
        vitals.state(),
        BreakerState::Closed,
        "share {}",
        vitals.share()
    );
}

#[test]
fn a_total_outage_trips_though_few_callers_are_known() {
    let rules = Rules {
        caller_share: Some(crate::Ratio::percent(25)),
        ..Rules::default()
    };
    let vitals = Vitals::new("db", &rules, &Host::new(Clock(|| Nanos::ZERO)));
    let tripped = (0..10_000_u64).any(|n| {
        let Ok(mut permit) = vitals.permit(at(n)) else {
            return true;
        };
        let name = ["web", "batch", "admin"][n as usize % 3];
        vitals.label(&mut permit, crate::Labels::none().caller(name));
        vitals.record(permit, at(n), FAILED);
        false
    });
    assert!(tripped, "10 000 calls of three callers, all failed");
}

#[test]
fn one_caller_whose_calls_all_hang_trips_nothing_for_the_others() {
    let rules = Rules {
        caller_share: Some(crate::Ratio::percent(25)),
        timeout: Some(std::time::Duration::from_millis(1_000)),
        ..Rules::default()
    };
    let destination = Destination::new("db", &rules, &Host::new(Clock(|| Nanos::ZERO)));
    let vitals = destination.alone();
    let mut hanging = Vec::new();
    for millis in (0..20_000_u64).step_by(10) {
        let n = millis / 10;
        let Ok(mut permit) = vitals.permit(at(millis)) else {
            unreachable!("tripped at {millis} ms by one caller");
        };
        if n.is_multiple_of(10) {
            vitals.label(&mut permit, crate::Labels::none().caller("hostile"));
            hanging.push(permit);
        } else {
            vitals.label(
                &mut permit,
                crate::Labels::none().caller(&format!("tenant {}", n % 97)),
            );
            vitals.record(permit, at(millis + 1), Outcome::Success);
        }
        if hanging
            .first()
            .is_some_and(|first: &Permit| at(millis).since(first.started()).as_millis() >= 1_000)
        {
            vitals.record(
                hanging.remove(0),
                at(millis),
                Outcome::Failure(Cause::Timeout),
            );
        }
        let _ = destination.tick(at(millis));
    }
}

#[test]
fn a_lone_service_that_is_slower_since_an_hour_and_never_fails_is_called() {
    let destination = Destination::new("db", &Rules::default(), &Host::new(Clock(|| Nanos::ZERO)));
    let vitals = destination.alone();
    let (mut sent, mut asked) = (0_u64, 0_u64);
    // Twenty calls a second that take 10 to 19 ms, and from the tenth minute on three times as long.
    for n in 0..20 * 4_200_u64 {
        let began = 50 * n;
        let took = (10 + n * 7 % 10) * if began > 600_000 { 3 } else { 1 };
        let last = began > 3_600_000;
        asked += u64::from(last);
        if let Ok(permit) = vitals.permit(at(began)) {
            sent += u64::from(last);
            if n.is_multiple_of(2) {
                let _ = destination.tick(at(began + took - 1));
            }
            vitals.record(permit, at(began + took), Outcome::Success);
        }
        let _ = destination.tick(at(began + took));
    }
    assert!(sent * 10 > asked * 9, "{sent} of {asked} calls admitted");
}

#[test]
fn a_lone_service_that_always_takes_more_than_half_its_timeout_is_called() {
    for took in [600, 900] {
        let rules = Rules {
            timeout: Some(std::time::Duration::from_millis(1_000)),
            ..Rules::default()
        };
        let destination = Destination::new("db", &rules, &Host::new(Clock(|| Nanos::ZERO)));
        let vitals = destination.alone();
        let mut under_way = std::collections::VecDeque::new();
        let (mut sent, mut asked) = (0_u64, 0_u64);
        // Twenty calls a second for ten minutes, and the ticker every 50 ms.
        for millis in (0..600_000_u64).step_by(50) {
            while under_way.front().is_some_and(|(ends, _)| *ends <= millis) {
                let (ends, permit) = under_way.pop_front().unwrap();
                vitals.record(permit, at(ends), Outcome::Success);
            }
            asked += 1;
            if let Ok(permit) = vitals.permit(at(millis)) {
                sent += 1;
                under_way.push_back((millis + took + millis / 50 % 7 * 10, permit));
            }
            let _ = destination.tick(at(millis));
        }
        assert!(sent * 10 > asked * 9, "{took} ms: {sent} of {asked}");
    }
}

fn enforcing(enforce: crate::EnforcePolicy) -> Vitals {
    let rules = Rules {
        enforce,
        ..Rules::default()
    };
    let host = Host::new(Clock(|| Nanos::ZERO));
    Destination::new("db", &rules, &host).alone()
}

#[test]
fn one_rules_dry_run_is_noted_once_and_keeps_no_other_from_acting() {
    use crate::{Enforce, EnforcePolicy, Rule};

    let vitals = enforcing(EnforcePolicy::new().peers(Enforce::OFF));
    for second in 0..3 {
        vitals
            .known()
            .nominate(at(second), Rule::Peers, at(second * 10_000));
    }
    let decisions = vitals.snapshot(at(20_000)).decisions;
    assert_eq!(
        (decisions.peers.unenforced, vitals.state()),
        (1, BreakerState::Closed)
    );
    (0..100).for_each(|n| _ = call(&vitals, 20_000 + n, FAILED));
    let decisions = vitals.snapshot(at(20_100)).decisions;
    assert_eq!(
        (decisions.health.enforced, vitals.state()),
        (1, BreakerState::Open)
    );
}

#[test]
fn one_rule_acts_on_what_another_has_only_noted() {
    use crate::{Enforce, EnforcePolicy, Rule};

    let vitals = enforcing(EnforcePolicy::new().health(Enforce::OFF));
    (0..100).for_each(|n| assert!(call(&vitals, n, FAILED)));
    vitals.known().nominate(at(0), Rule::Probes, at(100));
    let decisions = vitals.snapshot(at(100)).decisions;
    assert_eq!(
        (decisions.health.unenforced, decisions.probes.enforced),
        (1, 1)
    );
    assert_eq!(vitals.state(), BreakerState::Open);
}

#[test]
fn an_answer_that_has_begun_takes_as_long_as_it_takes() {
    thread_local!(static NOW: std::cell::Cell<u64> = const { std::cell::Cell::new(0) });
    let at = |millis: u64| NOW.set(millis * 1_000_000);
    let rules = Rules {
        // Half of it is late.
        timeout: Some(Duration::from_millis(20)),
        ..Rules::default()
    };
    for (begins, ends, late) in [(5, 500, 0), (15, 16, 1), (15, 500, 1)] {
        at(0);
        let vitals = Vitals::new("x", &rules, &Host::new(Clock(|| Nanos::new(NOW.get()))));
        let attempt = vitals.admit().ok();
        let watch = attempt
            .as_ref()
            .and_then(crate::Attempt::unattended)
            .unwrap();
        let mut receipt = crate::Receipt::new(Outcome::Success, attempt);
        // Millisecond by millisecond, for a gap is a pause of our own.
        for now in 1..=ends {
            at(now);
            let _ = watch.tick(Nanos::new(NOW.get()));
            if now >= begins {
                receipt.answered();
            }
        }
        drop(receipt);
        assert_eq!(
            vitals.0.state().census_since().late,
            late,
            "{begins} {ends}"
        );
        let counts = vitals.snapshot(Nanos::new(NOW.get())).counts;
        assert_eq!((counts.successes, counts.in_flight()), (1, 0));
    }
}

#[test]
fn of_one_of_many_no_call_is_forgotten_once_something_speaks_against_it() {
    let vitals = one_of(1_000, &Rules::default());
    for millis in 0..100 {
        assert!(call(&vitals, millis, Outcome::Success));
    }
    assert!((1..10).contains(&vitals.known().recorded().count()));
    for millis in 100..150 {
        let failed = millis % 10 == 0;
        call(
            &vitals,
            millis,
            if failed { FAILED } else { Outcome::Success },
        );
    }
    let since = || vitals.known().recorded().filter(|call| call.started >= 100);
    assert_eq!(since().count(), 50);
    // When calls have refuted it, and that was looked at, a few will do again.
    for millis in 150..10_000 {
        call(&vitals, millis, Outcome::Success);
    }
    let _ = vitals.destination().tick(at(10_000));
    assert!(!vitals.known().word().is_suspect());
}

#[test]
fn one_of_many_that_hangs_is_found_out() {
    let rules = Rules {
        timeout: Some(Duration::from_millis(1_000)),
        ..Rules::default()
    };
    let destination = Destination::new("db", &rules, &Host::new(Clock(|| Nanos::ZERO)));
    destination.expect(1_000);
    let set: Vec<Vitals> = (0..10)
        .map(|_| destination.endpoint(Endpoint::itself()))
        .collect();
    for millis in 0..1_000 {
        assert!(
            set.iter()
                .all(|vitals| call(vitals, millis, Outcome::Success))
        );
    }
    let hung = &set[7];
    let waiting = (0..100).map_while(|number| hung.permit(at(1_000 + 10 * number)).ok());
    assert!(waiting.count() > 10);
    hung.known().look(at(2_000));
    assert_eq!(hung.state(), BreakerState::Open);
}

/// One of two, that takes 30 to 39 ms and is called a hundred times a second; then each call to it is given up after 80 ms, for another one
/// was answered. Does it `answer` others meanwhile?
fn given_up(answers: bool) -> BreakerState {
    let destination = Destination::new("db", &Rules::default(), &Host::new(Clock(|| Nanos::ZERO)));
    let set = [(); 2].map(|()| destination.endpoint(Endpoint::itself()));
    let one = &set[0];
    let ended = |begun: u64, took: u64| {
        if let Ok(permit) = one.permit(at(begun)) {
            one.record(permit, at(begun + took), Outcome::Success);
        }
    };
    for millis in (0..120_000).step_by(10) {
        ended(millis, 30 + millis / 10 * 7 % 10);
        let _ = destination.tick(at(millis));
    }
    for now in (120_000..121_000).step_by(10) {
        if answers {
            ended(now, 5);
        }
        if let Ok(permit) = one.permit(at(now)) {
            let outcome = one.known().overtaken(permit.started(), at(now + 80));
            one.record(permit, at(now + 80), outcome);
        }
    }
    one.state()
}

#[test]
fn calls_given_up_stand_in_a_queue_where_others_are_answered_and_are_lost_where_none_is() {
    assert_eq!(given_up(true), BreakerState::Closed);
    assert_ne!(given_up(false), BreakerState::Closed);
}

/// One of two under a timeout of 300 ms, that takes 90 to 99 ms; then sixteen come at once, and wait in a queue for up to 235 ms.
#[test]
fn a_busy_server_is_not_taken_out_for_queues_that_are_short_of_its_timeout() {
    let rules = Rules {
        timeout: Some(Duration::from_millis(300)),
        ..Rules::default()
    };
    let destination = Destination::new("db", &rules, &Host::new(Clock(|| Nanos::ZERO)));
    let set = [(); 2].map(|()| destination.endpoint(Endpoint::itself()));
    let one = &set[0];
    let ended = |begun: u64, took: u64| {
        let permit = one.permit(at(begun)).unwrap();
        one.record(permit, at(begun + took), Outcome::Success);
    };
    for millis in (0..119_700).step_by(10) {
        ended(millis, 90 + millis / 10 * 7 % 10);
        let _ = destination.tick(at(millis));
    }
    let mut line: VecDeque<_> = (0..16).map(|_| one.permit(at(119_700)).unwrap()).collect();
    for millis in (119_700..120_000).step_by(5) {
        let _ = destination.tick(at(millis));
        let limit = one.known().destination.norm.limit(at(millis)).unwrap();
        one.known().find_overdue(limit, at(millis));
        // One is answered in time, the others so late that a server that does nothing else would be taken for one that hangs.
        if let 90 | 160.. = millis - 119_700
            && let Some(first) = line.pop_front()
        {
            one.record(first, at(millis), Outcome::Success);
        }
        one.known().look(at(millis));
    }
    assert_eq!(one.state(), BreakerState::Closed);
    assert_eq!(one.known().late.load(Ordering::Relaxed), 15);
}

/// One of two, that takes 30 to 39 ms; then eight come at once, and wait for 90 behind one that takes long. So long after they came another one
/// was `answered` for the last time.
fn one_takes_long(answered: u64) -> BreakerState {
    let destination = Destination::new("db", &Rules::default(), &Host::new(Clock(|| Nanos::ZERO)));
    let set = [(); 2].map(|()| destination.endpoint(Endpoint::itself()));
    let one = &set[0];
    let ended = |begun: u64, took: u64| {
        if let Ok(permit) = one.permit(at(begun)) {
            one.record(permit, at(begun + took), Outcome::Success);
        }
    };
    for millis in (0..120_000).step_by(10) {
        ended(millis, 30 + millis / 10 * 7 % 10);
        let _ = destination.tick(at(millis));
    }
    let waiting: Vec<Permit> = (0..8)
        .filter_map(|_| one.permit(at(120_100)).ok())
        .collect();
    for millis in (120_100..120_190).step_by(5) {
        if millis == 120_100 + answered {
            ended(millis - 30, 30);
        }
        let _ = destination.tick(at(millis));
    }
    for permit in waiting {
        one.record(permit, at(120_190), Outcome::Success);
    }
    one.state()
}

#[test]
fn one_call_that_takes_long_is_no_hang_until_nothing_was_answered_for_as_long() {
    assert_eq!(one_takes_long(30), BreakerState::Closed);
    assert_eq!(one_takes_long(0), BreakerState::Open);
}
