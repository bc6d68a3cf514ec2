use proptest::prelude::*;

use super::*;
use crate::{Cause, Outcome, Ratio};

fn fact(failed: bool, millis: u64) -> Fact {
    let at = Nanos::ZERO.after(Duration::from_millis(millis));
    Fact {
        started: at,
        now: at,
        outcome: if failed {
            Outcome::Failure(Cause::Error)
        } else {
            Outcome::Success
        },
    }
}

fn by_calls(calls: u32, required: f64) -> EwmaPolicy {
    EwmaPolicy::new()
        .window(Window::Calls(calls))
        .required(Ratio::new(required))
}

/// After `good` successes, one every `step` milliseconds from `step` on: the failure that the alarm came at, and since
/// when in milliseconds.
fn fatal_failure(rule: &mut Ewma, good: u64, step: u64) -> Option<(u64, u64)> {
    for call in 1..=good {
        assert_eq!(rule.record(&fact(false, call * step)), None);
    }
    (1..=1_000).find_map(|failure| {
        rule.record(&fact(true, (good + failure) * step))
            .map(|alarm| (failure, alarm.since.as_u64() / 1_000_000))
    })
}

#[test]
fn a_hundred_successes_outlive_sixty_nine_failures_as_in_finagle() {
    // 100 · ln 2 = 69.3
    let mut rule = Ewma::new(by_calls(100, 0.5));
    assert_eq!(fatal_failure(&mut rule, 100, 1), Some((70, 101)));
    let mut rule = Ewma::new(by_calls(5, 0.5));
    assert_eq!(fatal_failure(&mut rule, 0, 1), Some((5, 1)));
    rule.reset();
    assert_eq!(fatal_failure(&mut rule, 0, 1), Some((5, 1)));
}

#[test]
fn a_hundred_seconds_of_successes_outlive_sixty_nine_of_failures() {
    let policy = by_calls(1, 0.5).window(Window::Span(Duration::from_secs(100)));
    let mut rule = Ewma::new(policy);
    // The window counts from the end of the first call, not from birth: one more success than in Finagle.
    assert_eq!(fatal_failure(&mut rule, 101, 1_000), Some((70, 102_000)));
}

#[test]
fn an_endpoint_that_answers_nothing_is_down_after_its_window_or_30_s_times_ln_of_its_required_rate()
{
    // 30 s · ln(1/0.8) = 6.694 s after the last success, once a window has passed.
    let mut rule = Ewma::new(EwmaPolicy::new());
    assert_eq!(fatal_failure(&mut rule, 4_000, 10), Some((670, 40_010)));
    // Failing from the start: nothing is judged before a window has passed.
    let mut rule = Ewma::new(EwmaPolicy::new());
    assert_eq!(fatal_failure(&mut rule, 0, 100), Some((301, 100)));
}

#[test]
fn too_few_calls_within_the_last_window_are_not_judged() {
    let mut rule = Ewma::new(EwmaPolicy::new());
    assert_eq!(rule.record(&fact(true, 0)), None);
    // One every ten seconds: at most three within 30 s.
    for call in 1..100 {
        assert_eq!(rule.record(&fact(true, call * 10_000)), None);
    }
    assert_eq!(rule.record(&fact(true, 990_001)), None);
    assert!(rule.record(&fact(true, 990_002)).is_some());
}

#[test]
fn a_success_never_trips_and_silence_says_nothing() {
    let mut rule = Ewma::new(by_calls(5, 0.5));
    for _ in 0..4 {
        rule.record(&fact(true, 1));
    }
    assert_eq!(rule.record(&fact(false, 1)), None);
    let cancelled = Fact {
        outcome: Outcome::Cancelled,
        ..fact(true, 1)
    };
    assert_eq!(rule.record(&cancelled), None);
    assert!(rule.record(&fact(true, 1)).is_some());
}

#[test]
fn a_call_told_late_does_not_make_the_next_one_weigh_more() {
    let averages = [[0, 20_000, 20_000, 21_000], [0, 20_000, 5_000, 21_000]].map(|times| {
        let mut rule = Ewma::new(EwmaPolicy::new());
        for (failed, at) in [false, true, true, true].into_iter().zip(times) {
            rule.record(&fact(failed, at));
        }
        rule.average
    });
    assert!((averages[0] - averages[1]).abs() < 1e-12, "{averages:?}");
}

#[test]
fn the_decline_began_when_more_failed_than_is_tolerated() {
    let mut rule = Ewma::new(by_calls(20, 0.8));
    // One failure in ten is tolerated, and forgotten; then every second one fails, from the 201st call on.
    let alarm = (1..).find_map(|call: u64| {
        let failed = call.is_multiple_of(if call <= 200 { 10 } else { 2 });
        rule.record(&fact(failed, call))
    });
    let since = alarm.unwrap().since.as_u64() / 1_000_000;
    assert!((200..=202).contains(&since), "{since}");
}

#[test]
fn it_is_calm_again_when_successes_outweigh_the_failure() {
    let mut rule = Ewma::new(by_calls(100, 0.8));
    rule.record(&fact(true, 0));
    let calm: Vec<bool> = (0..5)
        .map(|_| {
            rule.record(&fact(false, 0));
            rule.calm()
        })
        .collect();
    assert_eq!(calm[..3], [false; 3]);
    assert!(calm[4]);
}

proptest! {
    #[test]
    fn the_average_is_the_weighted_sum_of_all_results(
        calls in prop::collection::vec((any::<bool>(), 0..20_000_u64), 1..60),
    ) {
        let mut rule = Ewma::new(EwmaPolicy::new());
        let mut now = 0;
        let calls: Vec<(bool, u64)> = calls.into_iter().map(|(failed, step)| {
            now += step;
            (failed, now)
        }).collect();
        for (failed, at) in &calls {
            rule.record(&fact(*failed, *at));
            prop_assert!((0.0..=1.0).contains(&rule.average));
        }
        // Unrolled: each result weighs what elapsed to it from the one before, decayed by what has elapsed since.
        let decay = |from: u64| (-((now - from) as f64) / 30_000.0).exp();
        let mut before = 0.0;
        let expected: f64 = calls.iter().map(|(failed, at)| {
            let weight = decay(*at) - before;
            before = decay(*at);
            if *failed { 0.0 } else { weight }
        }).sum();
        prop_assert!((rule.average - expected).abs() < 1e-9, "{} {expected}", rule.average);
    }

    #[test]
    fn no_time_and_no_policy_makes_it_panic(times: Vec<u64>, calls: u32, required: f64) {
        for window in [Window::Calls(calls), Window::Span(Duration::ZERO), Window::Span(Duration::MAX)] {
            let mut rule = Ewma::new(EwmaPolicy { window, required: Ratio::new(required), at_least: 0 });
            for (index, at) in times.iter().enumerate() {
                rule.record(&Fact { now: Nanos::new(*at), ..fact(index % 3 > 0, index as u64) });
                prop_assert!(!rule.average.is_nan());
            }
        }
    }
}
