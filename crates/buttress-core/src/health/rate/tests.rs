use std::time::Duration;

use super::*;
use crate::{Cause, Outcome, SlowPolicy, Window};

/// What a rule over the last `calls` says of a row of calls that end one a second: where the alarm came, since when.
///
/// `S`uccess, `F`ailed answer, `L`ocal failure, `.` cancelled.
fn first_alarm(policy: RatePolicy, calls: &str) -> Option<(usize, u64)> {
    let mut rule = Rate::new(policy);
    calls.chars().enumerate().find_map(|(index, call)| {
        let at = index as u64 + 1;
        rule.record(&fact(call, at, at))
            .map(|alarm| (index + 1, alarm.since.as_u64() / 1_000_000_000))
    })
}

fn fact(call: char, started: u64, ended: u64) -> Fact {
    let at = |seconds| Nanos::ZERO.after(Duration::from_secs(seconds));
    Fact {
        started: at(started),
        now: at(ended),
        outcome: match call {
            'S' => Outcome::Success,
            'F' => Outcome::Failure(Cause::Error),
            'L' => Outcome::Failure(Cause::Timeout),
            _ => Outcome::Cancelled,
        },
    }
}

fn policy(window: Window, failures: f64, at_least: u32) -> RatePolicy {
    RatePolicy::new()
        .window(window)
        .failures(Ratio::new(failures))
        .at_least(at_least)
}

fn span(seconds: u64) -> Window {
    Window::Span(Duration::from_secs(seconds))
}

#[test]
fn a_success_can_be_the_call_that_trips_as_in_resilience4j() {
    let policy = policy(Window::Calls(100), 0.5, 5);
    let mut rule = Rate::new(policy);
    for (at, call) in "FFFS".chars().enumerate() {
        assert_eq!(rule.record(&fact(call, at as u64, at as u64)), None);
        assert_eq!(rule.shares()[0].0, None, "unknown, not zero");
    }
    let alarm = rule.record(&fact('S', 4, 4));
    assert_eq!(alarm, Some(Alarm { since: Nanos::ZERO }));
    assert_eq!(rule.shares()[0].0, Some(0.6));
    assert_eq!(
        (rule.window.tally().calls, rule.window.tally().failed()),
        (5, 3)
    );
}

#[test]
fn a_time_window_trips_at_exactly_half_as_in_resilience4j() {
    assert_eq!(first_alarm(policy(span(20), 0.5, 5), "SSSFF"), None);
    assert_eq!(
        first_alarm(policy(span(20), 0.5, 5), "SSSFFF"),
        Some((6, 4))
    );
}

#[test]
fn a_clock_that_steps_back_wipes_no_window() {
    let mut rule = Rate::new(policy(span(20), 0.5, 5));
    for (call, at) in [
        ('S', 3_600),
        ('S', 3_601),
        ('S', 3_602),
        ('F', 3_603),
        ('F', 3_604),
    ] {
        assert_eq!(rule.record(&fact(call, at, at)), None);
    }
    assert!(rule.record(&fact('F', 5, 5)).is_some());
}

#[test]
fn thresholds_are_inclusive_as_the_peers_have_them() {
    let hystrix = policy(span(100), 0.5, 1);
    assert_eq!(first_alarm(hystrix, "SSFSFSFF"), Some((8, 3)));
    assert_eq!(first_alarm(hystrix, "SSFSSFSF"), None);
    let two_of_three = policy(Window::Calls(3), 2.0 / 3.0, 3);
    assert_eq!(first_alarm(two_of_three, "FSF"), Some((3, 1)));
    let three_of_four = policy(Window::Calls(4), 0.75, 4);
    assert_eq!(first_alarm(three_of_four, &"SF".repeat(20)), None);
    let sentinel = policy(span(20), 0.2, 1);
    assert_eq!(first_alarm(sentinel, "SF"), Some((2, 2)));
    let all = policy(span(20), 1.0, 5);
    assert_eq!(
        first_alarm(all, "FFFFF"),
        Some((5, 1)),
        "100 % can be reached"
    );
    assert_eq!(first_alarm(all, "SFFFF"), None);
}

#[test]
fn eighty_five_percent_trip_at_85_as_in_envoy() {
    for (failed, calls, trips) in [
        (250, 300, false),
        (300, 350, true),
        (340, 400, true),
        (339, 400, false),
        (49, 49, false),
        (50, 50, true),
    ] {
        for window in [Window::Calls(1_000), span(86_400)] {
            // Successes first: it must be the last call that trips, if any does.
            let row = "S".repeat(calls - failed) + &"F".repeat(failed);
            let alarm = first_alarm(policy(window, 0.85, 50), &row);
            assert_eq!(alarm.is_some(), trips, "{failed}/{calls} {window:?}");
        }
    }
}

#[test]
fn slow_calls_have_a_threshold_of_their_own() {
    for (over, alarms) in [(0.40, true), (0.41, false)] {
        let slow = SlowPolicy::after(Duration::from_secs(1)).over(Ratio::new(over));
        let mut rule = Rate::new(policy(Window::Calls(5), 0.5, 5).slow(slow));
        assert_eq!(rule.record(&fact('S', 0, 10)), None);
        assert_eq!(rule.record(&fact('F', 10, 20)), None);
        assert_eq!(rule.record(&fact('S', 20, 20)), None);
        assert_eq!(
            rule.record(&fact('S', 20, 21)),
            None,
            "as long is not longer"
        );
        assert_eq!(rule.slow(), None);
        let alarm = rule.record(&fact('S', 20, 20));
        assert_eq!(rule.slow(), Some(0.4));
        assert_eq!(alarm, alarms.then_some(Alarm { since: Nanos::ZERO }));
    }
}

#[test]
fn split_origins_each_need_their_own_share() {
    let whole = policy(Window::Calls(10), 0.5, 4);
    let split = whole.split_origins(true);
    for (row, without, with) in [
        // Two of four failed, one on either side: 1/4 local, 1/3 of those answered.
        ("SSLF", Some((4, 3)), None),
        ("SSLL", Some((4, 3)), Some((4, 3))),
        // Three of six failed remotely, two locally: 2/8 local, 3/6 of those answered.
        ("SSSLLFFF", Some((6, 4)), Some((8, 6))),
        // Four calls, but only two were answered: the remote share is unknown.
        ("SLF", None, None),
        ("..SSLF", Some((6, 5)), None),
    ] {
        assert_eq!(first_alarm(whole, row), without, "{row}");
        assert_eq!(first_alarm(split, row), with, "{row}");
    }
}

#[test]
fn the_trouble_began_with_the_earliest_failure_still_in_the_window() {
    let four = policy(Window::Calls(4), 0.75, 4);
    assert_eq!(first_alarm(four, "FSSSSFFF"), Some((8, 6)));
    let mut rule = Rate::new(policy(Window::Calls(2), 1.0, 2));
    assert_eq!(rule.record(&fact('L', 9, 10)), None);
    let alarm = rule.record(&fact('L', 1, 11));
    let since = Nanos::ZERO.after(Duration::from_secs(1));
    assert_eq!(alarm, Some(Alarm { since }));
}

#[test]
fn it_is_calm_while_nothing_speaks_against_any_call() {
    let mut rule = Rate::new(policy(Window::Calls(2), 1.0, 2));
    for (call, calm) in [
        ('S', true),
        ('F', false),
        ('S', false),
        ('S', true),
        ('.', true),
    ] {
        rule.record(&fact(call, 0, 0));
        assert_eq!(rule.calm(), calm);
    }
    rule.record(&fact('F', 0, 0));
    rule.reset();
    assert!(rule.calm());
    assert_eq!(rule.record(&fact('F', 0, 0)), None, "the count starts anew");
}
