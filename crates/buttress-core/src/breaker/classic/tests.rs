//! What the named breakers do, to the number; and the same against a naive twin.

use proptest::prelude::*;

use super::*;
use crate::{BreakerPolicy, BreakerState, Enforce, Growth, Ratio};

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: f64) -> Nanos {
    Nanos::ZERO.after(Duration::from_secs_f64(seconds))
}

fn k_of_n(good: u32, of: u32) -> TrialPolicy {
    TrialPolicy::KOfN { good, of }
}

fn rate(of: u32) -> TrialPolicy {
    TrialPolicy::Rate {
        failures: Ratio::new(0.5),
        of,
    }
}

/// Stops for exactly ten seconds each time.
fn policy(trial: TrialPolicy) -> BreakerPolicy {
    BreakerPolicy::new()
        .open_for(10 * SECOND)
        .up_to(10 * SECOND)
        .growth(Growth::Times(1.0))
        .jitter(Ratio::new(0.0))
        .lease(2 * SECOND)
        .trial(trial)
}

/// Tripped at zero.
fn tripped(policy: BreakerPolicy) -> Breaker {
    let mut breaker = Breaker::new(policy, Enforce::ON, true, 7);
    trip(&mut breaker, Nanos::ZERO);
    breaker
}

/// By a call at `now`: for how long it stops.
fn trip(breaker: &mut Breaker, now: Nanos) -> Duration {
    let Ok(permit) = breaker.permit(now).0 else {
        unreachable!("calls flow")
    };
    match breaker.follow(permit, now, Sign::Bad, true) {
        Some(Change::Opened(wait)) => wait,
        other => unreachable!("an alarm opens: {other:?}"),
    }
}

/// Which of so many that ask at once get a permit, and those.
fn ask(breaker: &mut Breaker, now: Nanos, times: usize) -> (String, Vec<Permit>) {
    let asked: Vec<_> = (0..times).map(|_| breaker.permit(now).0).collect();
    let told = asked
        .iter()
        .map(|asked| if asked.is_ok() { 'T' } else { 'F' });
    (
        told.collect(),
        asked.into_iter().filter_map(Result::ok).collect(),
    )
}

/// One probe after another, as written: `S`uccess, `F`ailure or `-` for nothing. The state after each.
fn probes(breaker: &mut Breaker, now: Nanos, text: &str) -> Vec<BreakerState> {
    let one = |sign| {
        let Ok(probe) = breaker.permit(now).0 else {
            unreachable!("a probe is permitted")
        };
        breaker.follow(probe, now, sign, false);
        breaker.state()
    };
    let sign = |letter| match letter {
        'S' => Sign::Good,
        'F' => Sign::Bad,
        _ => Sign::Silent,
    };
    text.chars().map(sign).map(one).collect()
}

#[test]
fn it_waits_for_exactly_as_long_as_declared() {
    for (named, seconds) in [
        (BreakerPolicy::resilience4j(), 60.0),
        (BreakerPolicy::polly(), 5.0),
        (BreakerPolicy::failsafe(), 60.0),
        (BreakerPolicy::gobreaker(), 60.0),
        (BreakerPolicy::hystrix(), 5.0),
    ] {
        assert!(named.check().is_ok());
        let mut breaker = tripped(named);
        for _ in 0..5 {
            assert!(breaker.permit(at(seconds - 0.001)).0.is_err());
        }
        let (probe, change) = breaker.permit(at(seconds));
        assert_eq!(change, Some(Change::Probing));
        // The second stop is as long as the first.
        let failed: Vec<Permit> = ask(&mut breaker, at(seconds), 20).1;
        let failed = failed.into_iter().chain(probe);
        failed.for_each(|probe| _ = breaker.follow(probe, at(seconds), Sign::Bad, false));
        assert_eq!(breaker.state(), BreakerState::Open);
        assert!(breaker.permit(at(2.0 * seconds - 0.001)).0.is_err());
        assert!(breaker.permit(at(2.0 * seconds)).0.is_ok());
    }
}

#[test]
fn as_many_probes_as_declared_and_no_more_as_in_resilience4j() {
    let mut breaker = tripped(policy(rate(4)));
    assert_eq!(ask(&mut breaker, at(10.0), 6).0, "TTTTFF");
    breaker.restart();
    trip(&mut breaker, at(10.0));
    assert_eq!(ask(&mut breaker, at(20.0), 6).0, "TTTTFF");
}

#[test]
fn a_rate_is_judged_when_the_last_probe_has_ended_as_in_resilience4j() {
    for (failed, state) in [
        (0, BreakerState::Closed),
        (4, BreakerState::Closed),
        (5, BreakerState::Open),
        (10, BreakerState::Open),
    ] {
        let mut breaker = tripped(BreakerPolicy::resilience4j());
        let (told, permits) = ask(&mut breaker, at(60.0), 12);
        assert_eq!(told, "TTTTTTTTTTFF");
        for (number, permit) in permits.into_iter().enumerate() {
            assert_eq!(
                breaker.state(),
                BreakerState::HalfOpen,
                "{number} of ten have ended"
            );
            let sign = if number < failed {
                Sign::Bad
            } else {
                Sign::Good
            };
            breaker.follow(permit, at(60.1), sign, false);
        }
        assert_eq!(breaker.state(), state, "{failed} of ten failed");
    }
}

#[test]
fn k_of_n_is_decided_as_soon_as_it_can_be_as_in_failsafe() {
    use BreakerState::{Closed as C, HalfOpen as H, Open as O};
    for (trial, text, states) in [
        (k_of_n(3, 4), "SFSF", vec![H, H, H, O]),
        (k_of_n(3, 4), "SFSS", vec![H, H, H, C]),
        (k_of_n(3, 4), "SSS", vec![H, H, C]),
        (k_of_n(3, 4), "FF", vec![H, O]),
        (k_of_n(3, 3), "SSF", vec![H, H, O]),
        (k_of_n(1, 1), "S", vec![C]),
        (k_of_n(1, 1), "F", vec![O]),
        (k_of_n(1, 3), "FFS", vec![H, H, C]),
        (k_of_n(2, 2), "S-S", vec![H, H, C]),
    ] {
        let mut breaker = tripped(policy(trial));
        assert_eq!(
            probes(&mut breaker, at(10.0), text),
            states,
            "{trial} {text}"
        );
    }
}

#[test]
fn lost_probes_open_it_by_the_end_of_their_lease() {
    for trial in [rate(3), k_of_n(2, 3)] {
        let mut breaker = tripped(policy(trial));
        assert_eq!(ask(&mut breaker, at(10.0), 4).0, "TTTF");
        assert_eq!(breaker.due(), at(12.0), "the first lease ends");
        let (refused, change) = breaker.permit(at(12.0));
        assert_eq!(
            (refused.unwrap_err(), change),
            (10 * SECOND, Some(Change::Opened(10 * SECOND)))
        );
    }
}

#[test]
fn each_probe_has_a_lease_of_its_own() {
    let mut breaker = tripped(policy(rate(4)));
    let sent: Vec<Permit> = [10.0, 10.5, 11.0, 11.5]
        .map(|seconds| breaker.permit(at(seconds)).0.unwrap())
        .into();
    // The first is lost at 12, and its answer comes too late.
    assert_eq!(
        breaker.follow(sent[1], at(12.2), Sign::Good, false),
        Some(Change::FirstGood)
    );
    assert_eq!(breaker.follow(sent[0], at(12.3), Sign::Good, false), None);
    assert_eq!(breaker.follow(sent[2], at(12.4), Sign::Good, false), None);
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    assert_eq!(
        breaker.follow(sent[3], at(12.5), Sign::Good, false),
        Some(Change::Closed),
        "one of four failed"
    );
}

#[test]
fn what_is_lost_last_may_leave_enough_good_ones() {
    let mut breaker = tripped(policy(rate(4)));
    let (_, sent) = ask(&mut breaker, at(10.0), 4);
    for permit in &sent[..3] {
        breaker.follow(*permit, at(10.1), Sign::Good, false);
    }
    let (permit, change) = breaker.permit(at(12.0));
    assert_eq!(change, Some(Change::Closed));
    assert!(!permit.unwrap().is_probe());
}

#[test]
fn a_dropped_probe_gives_its_permit_back_at_once() {
    let mut breaker = tripped(policy(rate(2)));
    let (_, sent) = ask(&mut breaker, at(10.0), 2);
    assert!(breaker.permit(at(10.0)).0.is_err());
    breaker.follow(sent[0], at(10.0), Sign::Silent, false);
    assert_eq!(
        (breaker.state(), ask(&mut breaker, at(10.0), 2).0),
        (BreakerState::HalfOpen, "TF".to_owned())
    );
}

#[test]
fn a_thousand_probes_that_say_nothing_decide_nothing() {
    let mut breaker = tripped(policy(k_of_n(1, 1)));
    let mut states = probes(&mut breaker, at(10.0), &"-".repeat(1_000));
    states.dedup();
    assert_eq!(states, [BreakerState::HalfOpen]);
    assert_eq!(probes(&mut breaker, at(10.0), "S"), [BreakerState::Closed]);
}

#[test]
fn results_from_before_the_trip_free_no_permit() {
    let mut breaker = Breaker::new(policy(k_of_n(1, 1)), Enforce::ON, true, 7);
    let (_, stale) = ask(&mut breaker, at(10.0), 10);
    trip(&mut breaker, Nanos::ZERO);
    // Sent at the same time as the probe, and still not taken for it.
    let probe = breaker.permit(at(10.0)).0.unwrap();
    for permit in stale {
        assert_eq!(breaker.follow(permit, at(10.0), Sign::Good, false), None);
    }
    assert_eq!(
        (breaker.state(), ask(&mut breaker, at(10.0), 3).0),
        (BreakerState::HalfOpen, "FFF".to_owned())
    );
    assert_eq!(
        breaker.follow(probe, at(10.0), Sign::Good, false),
        Some(Change::Closed)
    );
}

#[test]
fn a_clock_that_is_set_back_wedges_no_probe() {
    let mut breaker = tripped(policy(rate(2)));
    ask(&mut breaker, at(10.0), 2);
    assert!(breaker.permit(at(1.0)).0.is_err());
    let (_, change) = breaker.permit(at(3.0));
    assert!(matches!(change, Some(Change::Opened(_))), "{change:?}");
}

#[test]
fn by_time_alone_it_closes_untried_and_stops_longer_each_time_as_in_envoy() {
    let mut breaker = Breaker::new(BreakerPolicy::envoy(), Enforce::ON, false, 7);
    let mut now = Nanos::ZERO;
    let mut stops = Vec::new();
    for _ in 0..12 {
        let wait = trip(&mut breaker, now);
        stops.push(wait.as_secs());
        assert!(
            breaker
                .permit(now.after(wait.saturating_sub(SECOND)))
                .0
                .is_err()
        );
        now = now.after(wait);
        let (permit, change) = breaker.permit(now);
        assert_eq!(change, Some(Change::Closed));
        assert!(!permit.unwrap().is_probe() && breaker.flows());
    }
    assert_eq!(
        stops,
        [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]
    );
}

#[test]
fn good_times_undo_what_has_grown_step_by_step_as_in_envoy() {
    let mut breaker = Breaker::new(BreakerPolicy::envoy(), Enforce::ON, false, 7);
    let mut now = Nanos::ZERO;
    for _ in 0..4 {
        now = now.after(trip(&mut breaker, now));
        assert!(breaker.permit(now).0.is_ok());
    }
    // Four times, less three for as many intervals of ten seconds, and one more.
    let now = now.after(39 * SECOND);
    assert_eq!(trip(&mut breaker, now), 60 * SECOND);
    let now = now.after(3_600 * SECOND);
    assert!(breaker.permit(now).0.is_ok());
    let now = now.after(3_600 * SECOND);
    assert_eq!(trip(&mut breaker, now), 30 * SECOND, "all of it is undone");
}

#[test]
fn a_factor_grows_and_is_undone_as_declared() {
    let growing = BreakerPolicy::new()
        .open_for(SECOND)
        .up_to(60 * SECOND)
        .jitter(Ratio::new(0.0))
        .close_after(1);
    for (undone_in, after) in [(None, 1), (Some(10 * SECOND), 4)] {
        let policy = BreakerPolicy {
            undone_in,
            ..growing
        };
        let mut breaker = tripped(policy);
        let mut now = at(1.0);
        for seconds in [2, 4, 8] {
            let probe = breaker.permit(now).0.unwrap();
            let change = breaker.follow(probe, now, Sign::Bad, false);
            assert_eq!(change, Some(Change::Opened(seconds * SECOND)));
            now = now.after(seconds * SECOND);
        }
        let probe = breaker.permit(now).0.unwrap();
        assert_eq!(
            breaker.follow(probe, now, Sign::Good, false),
            Some(Change::Closed)
        );
        // Two steps of four are undone, and one is made.
        assert_eq!(trip(&mut breaker, now.after(25 * SECOND)), after * SECOND);
    }
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Ask,
    End(usize, Sign),
    Wait(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let sign = prop_oneof![Just(Sign::Good), Just(Sign::Bad), Just(Sign::Silent)];
    prop_oneof![
        4 => Just(Op::Ask),
        4 => (any::<usize>(), sign).prop_map(|(which, sign)| Op::End(which, sign)),
        2 => (0_u64..2_500).prop_map(Op::Wait),
        1 => Just(Op::Wait(10_000)),
    ]
}

fn trial() -> impl Strategy<Value = TrialPolicy> {
    prop_oneof![
        (1_u32..6)
            .prop_flat_map(|of| (1..=of, Just(of)))
            .prop_map(|(good, of)| k_of_n(good, of)),
        (1_u32..6, 0.01_f64..=1.0).prop_map(|(of, share)| TrialPolicy::Rate {
            failures: Ratio::new(share),
            of
        }),
    ]
}

/// Keeps every probe it has ever sent, and counts them anew each time.
struct Twin {
    trial: TrialPolicy,
    /// The number of the trial, and whether it goes on; until when it is open.
    round: u32,
    half_open: bool,
    closed: bool,
    until: u64,
    /// Of this round: when it was sent, and what came of it. Nothing came of those given back.
    sent: Vec<(u64, Option<Sign>)>,
}

impl Twin {
    fn settle(&mut self, now: u64) {
        if !self.half_open {
            return;
        }
        for (sent, sign) in &mut self.sent {
            if sign.is_none() && *sent + 2_000 <= now {
                *sign = Some(Sign::Bad);
            }
        }
        let of = |sign| {
            self.sent
                .iter()
                .filter(|(_, one)| *one == Some(sign))
                .count() as f64
        };
        let (good, bad) = (of(Sign::Good), of(Sign::Bad));
        let well = match self.trial {
            TrialPolicy::KOfN { good: k, .. } if good >= f64::from(k) => true,
            TrialPolicy::KOfN { good: k, of } if bad > f64::from(of - k) => false,
            TrialPolicy::Rate { failures, of } if good + bad >= f64::from(of) => {
                bad / (good + bad) < failures.as_f64()
            }
            _ => return,
        };
        self.half_open = false;
        self.closed = well;
        self.until = now + 10_000;
        self.round += 1;
    }

    /// May a call go out? Which one of the round is it, if it is a probe?
    fn ask(&mut self, now: u64) -> Option<Option<usize>> {
        self.settle(now);
        if self.closed {
            return Some(None);
        }
        if !self.half_open {
            if now < self.until {
                return None;
            }
            self.half_open = true;
            self.sent.clear();
        }
        let counted = self
            .sent
            .iter()
            .filter(|(_, sign)| *sign != Some(Sign::Silent));
        (counted.count() < self.trial.most() as usize).then(|| {
            self.sent.push((now, None));
            Some(self.sent.len() - 1)
        })
    }

    fn end(&mut self, now: u64, round: u32, which: Option<usize>, sign: Sign) {
        if round != self.round {
            return;
        }
        self.settle(now);
        if round == self.round
            && let Some(which) = which
            && self.sent[which].1.is_none()
        {
            self.sent[which].1 = Some(sign);
            self.settle(now);
        }
    }

    const fn state(&self) -> BreakerState {
        match (self.closed, self.half_open) {
            (true, _) => BreakerState::Closed,
            (_, true) => BreakerState::HalfOpen,
            _ => BreakerState::Open,
        }
    }
}

proptest! {
    #[test]
    fn it_does_what_its_naive_twin_does(trial in trial(), ops in prop::collection::vec(op(), 0..200), seed: u64) {
        let mut breaker = Breaker::new(policy(trial), Enforce::ON, true, seed);
        trip(&mut breaker, Nanos::ZERO);
        let mut twin = Twin {
            trial, round: 0, half_open: false, closed: false, until: 10_000, sent: Vec::new(),
        };
        let mut now = 0_u64;
        let mut running = Vec::new();
        for op in ops {
            let time = Nanos::ZERO.after(Duration::from_millis(now));
            match op {
                Op::Ask => {
                    let (asked, _) = breaker.permit(time);
                    let expected = twin.ask(now);
                    prop_assert_eq!(asked.is_ok(), expected.is_some());
                    if let (Ok(permit), Some(which)) = (asked, expected) {
                        prop_assert_eq!(permit.is_probe(), which.is_some());
                        running.push((permit, twin.round, which));
                    }
                }
                Op::End(which, sign) if !running.is_empty() => {
                    let (permit, round, which) = running.swap_remove(which % running.len());
                    breaker.follow(permit, time, sign, false);
                    twin.end(now, round, which, sign);
                }
                Op::End(..) => {}
                Op::Wait(millis) => now += millis,
            }
            prop_assert_eq!(breaker.state(), twin.state());
        }
    }

    #[test]
    fn whatever_happens_it_can_be_asked_again(trial in trial(), ops in prop::collection::vec(op(), 0..200), seed: u64) {
        let mut breaker = Breaker::new(policy(trial), Enforce::ON, true, seed);
        trip(&mut breaker, Nanos::ZERO);
        let mut now = Nanos::ZERO;
        let mut running = Vec::new();
        for op in ops {
            match op {
                Op::Ask => running.extend(breaker.permit(now).0),
                Op::End(which, sign) if !running.is_empty() => {
                    let permit = running.swap_remove(which % running.len());
                    breaker.follow(permit, now, sign, false);
                }
                Op::End(..) => {}
                Op::Wait(millis) => now = now.after(Duration::from_millis(millis)),
            }
        }
        // All that are under way are lost, and then the wait is over.
        now = now.after(2 * SECOND);
        if breaker.permit(now).0.is_err() {
            prop_assert!(breaker.permit(now.after(10 * SECOND)).0.is_ok());
        }
    }
}
