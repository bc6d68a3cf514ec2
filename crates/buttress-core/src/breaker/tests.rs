use proptest::prelude::*;

use super::*;
use crate::Sign;

const SECOND: Duration = Duration::from_secs(1);

fn policy() -> BreakerPolicy {
    BreakerPolicy::new()
        .open_for(SECOND)
        .up_to(4 * SECOND)
        .close_after(2)
        .lease(3 * SECOND)
}

fn at(seconds: f64) -> Nanos {
    Nanos::ZERO.after(Duration::from_secs_f64(seconds))
}

/// A breaker that was tripped at zero, and the time of its first probe.
fn tripped() -> (Breaker, Nanos) {
    let mut breaker = Breaker::new(policy(), Enforce::ON, true, 7);
    let permit = breaker.permit(Nanos::ZERO).0.unwrap();
    let Some(Change::Opened(wait)) = breaker.follow(permit, Nanos::ZERO, Sign::Bad, true) else {
        unreachable!("an alarm opens")
    };
    (breaker, Nanos::ZERO.after(wait))
}

#[test]
fn refuses_while_open_and_says_for_how_long() {
    let (mut breaker, due) = tripped();
    assert_eq!(breaker.state(), BreakerState::Open);
    let (refused, change) = breaker.permit(Nanos::ZERO);
    assert_eq!(
        (refused.unwrap_err(), change),
        (due.since(Nanos::ZERO), None)
    );
}

#[test]
fn one_probe_at_a_time_and_enough_good_ones_close() {
    let (mut breaker, due) = tripped();
    let (probe, change) = breaker.permit(due);
    assert_eq!(change, Some(Change::Probing));
    assert!(breaker.permit(due).0.is_err(), "a second probe at once");
    assert_eq!(
        breaker.follow(probe.unwrap(), due, Sign::Good, false),
        Some(Change::FirstGood)
    );
    let second = breaker.permit(due).0.unwrap();
    assert_eq!(
        breaker.follow(second, due, Sign::Good, false),
        Some(Change::Closed)
    );
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn a_failed_probe_opens_for_longer_up_to_the_cap() {
    let (mut breaker, mut due) = tripped();
    for doubled in [2.0, 4.0, 4.0] {
        let probe = breaker.permit(due).0.unwrap();
        let Some(Change::Opened(wait)) = breaker.follow(probe, due, Sign::Bad, false) else {
            unreachable!("a failed probe opens")
        };
        assert!(
            (doubled * 0.5..doubled * 1.5).contains(&wait.as_secs_f64()),
            "{wait:?}"
        );
        due = due.after(wait);
    }
}

#[test]
fn a_result_from_before_the_trip_decides_nothing() {
    let mut breaker = Breaker::new(policy(), Enforce::ON, true, 7);
    let stale: Vec<Permit> = (0..10)
        .map(|_| breaker.permit(Nanos::ZERO).0.unwrap())
        .collect();
    let last = breaker.permit(Nanos::ZERO).0.unwrap();
    let Some(Change::Opened(wait)) = breaker.follow(last, Nanos::ZERO, Sign::Bad, true) else {
        unreachable!("an alarm opens")
    };
    let due = Nanos::ZERO.after(wait);
    let probe = breaker.permit(due).0.unwrap();
    for permit in stale {
        assert_eq!(breaker.follow(permit, due, Sign::Good, false), None);
    }
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    assert!(
        breaker.permit(due).0.is_err(),
        "stale results must not free the probe's place"
    );
    assert_eq!(
        breaker
            .follow(probe, due, Sign::Bad, false)
            .map(|_| breaker.state()),
        Some(BreakerState::Open)
    );
}

#[test]
fn a_lost_probe_cannot_wedge() {
    let (mut breaker, due) = tripped();
    let lost = breaker.permit(due).0.unwrap();
    let expiry = due.after(policy().lease);
    let (refused, change) = breaker.permit(expiry);
    assert!(matches!(change, Some(Change::Opened(_))));
    let again = expiry.after(refused.unwrap_err());
    assert!(breaker.permit(again).0.is_ok());
    assert_eq!(
        breaker.follow(lost, again, Sign::Good, false),
        None,
        "its late answer is of an old generation"
    );
}

#[test]
fn a_late_answer_is_a_failed_probe() {
    let (mut breaker, due) = tripped();
    let probe = breaker.permit(due).0.unwrap();
    let late = due.after(policy().lease);
    assert!(matches!(
        breaker.follow(probe, late, Sign::Good, false),
        Some(Change::Opened(_))
    ));
}

#[test]
fn undecided_probes_return_their_permit_but_keep_their_distance() {
    let (mut breaker, mut due) = tripped();
    for _ in 0..1000 {
        let probe = breaker.permit(due).0.unwrap();
        assert!(probe.is_probe());
        breaker.follow(probe, due, Sign::Silent, false);
        let spacing = breaker.permit(due).0.unwrap_err();
        assert_eq!(spacing, SECOND, "the open time between undecided probes");
        due = due.after(spacing);
    }
    for _ in 0..2 {
        let probe = breaker.permit(due).0.unwrap();
        breaker.follow(probe, due, Sign::Good, false);
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn without_enforcement_it_refuses_nothing_and_still_sees_recovery() {
    let mut breaker = Breaker::new(policy(), Enforce::OFF, true, 7);
    let permit = breaker.permit(Nanos::ZERO).0.unwrap();
    assert!(
        breaker
            .follow(permit, Nanos::ZERO, Sign::Bad, true)
            .is_some()
    );
    assert!(breaker.flows() && breaker.is_down());
    for (sign, change) in [
        (Sign::Good, Some(Change::FirstGood)),
        (Sign::Bad, None),
        (Sign::Good, Some(Change::FirstGood)),
        (Sign::Good, Some(Change::Closed)),
    ] {
        let permit = breaker.permit(at(1.0)).0.unwrap();
        assert_eq!(breaker.follow(permit, at(1.0), sign, false), change);
    }
}

#[test]
fn bad_policies_name_their_field() {
    for (policy, field) in [
        (policy().open_for(Duration::ZERO), "breaker.open_for"),
        (policy().open_for(Duration::MAX), "breaker.open_for"),
        (policy().up_to(Duration::from_millis(1)), "breaker.up_to"),
        (policy().close_after(0), "breaker.close_after"),
        (policy().lease(Duration::MAX), "breaker.lease"),
    ] {
        assert_eq!(policy.check().unwrap_err().field(), field);
    }
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Permit,
    Finish(usize, Sign, bool),
    Wait(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => Just(Op::Permit),
        4 => (any::<usize>(), prop_oneof![Just(Sign::Good), Just(Sign::Bad), Just(Sign::Silent)], any::<bool>())
            .prop_map(|(which, sign, alarm)| Op::Finish(which, sign, alarm)),
        2 => prop_oneof![0..10_u64, 100..5_000_u64, Just(u64::MAX / 2_000_000)].prop_map(Op::Wait),
    ]
}

proptest! {
    #[test]
    fn never_two_live_probes_and_never_wedged(ops in prop::collection::vec(op(), 0..200), seed: u64) {
        let mut breaker = Breaker::new(policy(), Enforce::ON, true, seed);
        let mut now = Nanos::ZERO;
        let mut running: Vec<Permit> = Vec::new();
        for op in ops {
            match op {
                Op::Permit => {
                    let flowed = breaker.flows();
                    if let (Ok(permit), _) = breaker.permit(now) {
                        prop_assert_eq!(permit.is_probe(), !flowed);
                        let live = running.iter()
                            .filter(|other| other.is_probe() && other.generation == breaker.generation())
                            .filter(|other| now < other.started.after(policy().lease))
                            .count();
                        prop_assert!(!permit.is_probe() || live == 0, "a probe beside a live probe");
                        running.push(permit);
                    }
                }
                Op::Finish(which, sign, alarm) if !running.is_empty() => {
                    let permit = running.swap_remove(which % running.len());
                    let before = breaker.generation();
                    let change = breaker.follow(permit, now, sign, alarm && sign == Sign::Bad);
                    prop_assert!(permit.generation == before || change.is_none(), "an old result decided");
                }
                Op::Finish(..) => {}
                Op::Wait(millis) => now = now.after(Duration::from_millis(millis)),
            }
        }
        // Whatever happened, silence of a lease and of the longest wait always leads to a probe or to flow.
        now = now.after(policy().lease);
        if breaker.permit(now).0.is_err() {
            now = now.after(2 * policy().longest(true));
            prop_assert!(breaker.permit(now).0.is_ok());
        }
    }
}

/// In a set, with the defaults, tripped at zero; and the time of its first probe.
fn tripped_in_a_set() -> (Breaker, Nanos) {
    let mut breaker = Breaker::new(BreakerPolicy::new(), Enforce::ON, false, 7);
    let permit = breaker.permit(Nanos::ZERO).0.unwrap();
    let Some(Change::Opened(wait)) = breaker.follow(permit, Nanos::ZERO, Sign::Bad, true) else {
        unreachable!("an alarm opens")
    };
    (breaker, Nanos::ZERO.after(wait))
}

/// One call that ends at once.
fn call(breaker: &mut Breaker, now: Nanos, sign: Sign) -> Option<Change> {
    let permit = breaker.permit(now).0.unwrap();
    breaker.follow(permit, now, sign, false)
}

#[test]
fn it_comes_back_by_a_test_and_then_by_degrees() {
    let (mut breaker, mut now) = tripped_in_a_set();
    assert_eq!(call(&mut breaker, now, Sign::Good), Some(Change::FirstGood));
    (0..5).for_each(|_| assert_eq!(call(&mut breaker, now, Sign::Good), None));
    assert_eq!(call(&mut breaker, now, Sign::Good), Some(Change::Ramping));
    assert_eq!(
        (breaker.state(), breaker.flows()),
        (BreakerState::Ramping, false)
    );
    let mut last = breaker.share();
    assert!((last - 0.05).abs() < 1e-9);
    for _ in 0..13 {
        now = now.after(Duration::from_millis(500));
        assert_eq!(call(&mut breaker, now, Sign::Good), None);
        assert!(breaker.share() > last);
        last = breaker.share();
    }
    now = now.after(Duration::from_millis(500));
    assert_eq!(call(&mut breaker, now, Sign::Good), Some(Change::Closed));
    assert!(breaker.flows() && (breaker.share() - 1.0).abs() < 1e-12);
}

#[test]
fn one_bad_probe_is_no_answer_and_two_open_it_again() {
    let (mut breaker, now) = tripped_in_a_set();
    assert_eq!(call(&mut breaker, now, Sign::Bad), None);
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    let apart = breaker.permit(now).0.unwrap_err();
    assert!(!apart.is_zero(), "the next keeps its distance");
    assert!(matches!(
        call(&mut breaker, now.after(apart), Sign::Bad),
        Some(Change::Opened(_))
    ));
}

#[test]
fn clearly_ill_on_the_way_back_opens_it_again_for_longer() {
    let (mut breaker, now) = tripped_in_a_set();
    (0..7).for_each(|_| _ = call(&mut breaker, now, Sign::Good));
    assert_eq!(breaker.state(), BreakerState::Ramping);
    assert_eq!(call(&mut breaker, now, Sign::Bad), None);
    assert_eq!(call(&mut breaker, now, Sign::Bad), None);
    let Some(Change::Opened(wait)) = call(&mut breaker, now, Sign::Bad) else {
        unreachable!("three of three failed")
    };
    // Twice the first wait, give or take half.
    assert!((0.5..1.5).contains(&wait.as_secs_f64()), "{wait:?}");
}

#[test]
fn a_result_from_before_the_ramp_moves_nothing() {
    let (mut breaker, now) = tripped_in_a_set();
    let stale = breaker.permit(now).0.unwrap();
    breaker.follow(stale, now, Sign::Good, false);
    (0..6).for_each(|_| _ = call(&mut breaker, now, Sign::Good));
    let before = breaker.share();
    for _ in 0..10 {
        assert_eq!(breaker.follow(stale, now, Sign::Bad, false), None);
    }
    assert_eq!(
        (breaker.state(), breaker.share()),
        (BreakerState::Ramping, before)
    );
}

#[test]
fn alone_it_refuses_the_rest_and_says_when_to_come_back() {
    let mut breaker = Breaker::new(BreakerPolicy::new(), Enforce::ON, true, 7);
    let permit = breaker.permit(Nanos::ZERO).0.unwrap();
    breaker.follow(permit, Nanos::ZERO, Sign::Bad, true);
    let now = breaker.due();
    (0..7).for_each(|_| _ = call(&mut breaker, now, Sign::Good));
    let asked = (0..10_000).map(|_| breaker.permit(now).0);
    let refused: Vec<Duration> = asked.filter_map(Result::err).collect();
    let share = 1.0 - refused.len() as f64 / 10_000.0;
    assert!((0.18..0.22).contains(&share), "{share}");
    assert!(
        refused
            .iter()
            .all(|wait| *wait == Duration::from_millis(500))
    );
}

#[test]
fn a_newcomer_warms_up_and_a_first_member_does_not() {
    let mut breaker = Breaker::new(BreakerPolicy::new(), Enforce::ON, false, 7);
    assert!((breaker.share() - 1.0).abs() < 1e-12);
    breaker.join(Nanos::ZERO);
    assert_eq!(breaker.state(), BreakerState::Ramping);
    let mut classic = Breaker::new(policy(), Enforce::ON, false, 7);
    classic.join(Nanos::ZERO);
    assert_eq!(
        classic.state(),
        BreakerState::Closed,
        "the classic way knows no ramp"
    );
}

#[test]
fn a_ramp_beside_the_classic_way_is_refused_and_not_forgotten() {
    let both = BreakerPolicy::new().close_after(2).ramp(RampPolicy {
        from: crate::Ratio::percent(5),
        factor: 1.25,
    });
    assert_eq!(both.check().unwrap_err().field(), "breaker.close_after");
}

#[test]
fn a_ramp_that_cannot_be_is_named() {
    let ramp = |from, factor| RampPolicy {
        from: crate::Ratio::new(from),
        factor,
    };
    for (bad, field) in [
        (ramp(0.0, 1.25), "breaker.ramp.from"),
        (ramp(1.5, 1.25), "breaker.ramp.from"),
        (ramp(f64::NAN, 1.25), "breaker.ramp.from"),
        (ramp(0.05, 1.0), "breaker.ramp.factor"),
        (ramp(0.05, f64::INFINITY), "breaker.ramp.factor"),
    ] {
        let error = BreakerPolicy::new().ramp(bad).check().unwrap_err();
        assert_eq!(error.field(), field);
    }
}

proptest! {
    #[test]
    fn whatever_happens_on_the_way_back_it_can_always_be_asked_again(
        ops in prop::collection::vec(op(), 0..300), seed: u64, alone: bool,
    ) {
        let policy = BreakerPolicy::new();
        let mut breaker = Breaker::new(policy, Enforce::ON, alone, seed);
        let mut now = Nanos::ZERO;
        let mut running: Vec<Permit> = Vec::new();
        for op in ops {
            match op {
                Op::Permit => {
                    if let (Ok(permit), _) = breaker.permit(now) {
                        prop_assert_eq!(permit.is_probe(), breaker.state() == BreakerState::HalfOpen);
                        running.push(permit);
                    }
                }
                Op::Finish(which, sign, alarm) if !running.is_empty() => {
                    let permit = running.swap_remove(which % running.len());
                    let before = breaker.generation();
                    let change = breaker.follow(permit, now, sign, alarm && sign == Sign::Bad);
                    prop_assert!(permit.generation == before || change.is_none());
                }
                Op::Finish(..) => {}
                Op::Wait(millis) => now = now.after(Duration::from_millis(millis)),
            }
            prop_assert!((0.0..=1.0).contains(&breaker.share()));
        }
        now = now.after(policy.lease);
        if breaker.permit(now).0.is_err() {
            now = now.after(2 * policy.longest(alone));
            let asked = (0..1_000).any(|_| breaker.permit(now).0.is_ok());
            prop_assert!(asked);
        }
    }
}
