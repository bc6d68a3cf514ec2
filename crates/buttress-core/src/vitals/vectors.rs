//! What other breakers are tested with, through all of it: rule, breaker, permits.

use std::time::Duration;

use super::*;
use crate::{BreakerPolicy, BreakerState, Cause, Growth, HealthPolicy, RatePolicy, Ratio, Window};

fn vitals(health: HealthPolicy, breaker: BreakerPolicy) -> Vitals {
    let rules = Rules {
        health,
        breaker,
        ..Rules::default()
    };
    Vitals::new("db", &rules, &Host::new(Clock(|| Nanos::ZERO)))
}

fn at(seconds: f64) -> Nanos {
    Nanos::ZERO.after(Duration::from_secs_f64(seconds))
}

/// Calls at once, as written: `S`uccess or `F`ailure. The state after each; one that is refused is open.
fn calls(vitals: &Vitals, seconds: f64, text: &str) -> Vec<BreakerState> {
    let now = at(seconds);
    let one = |letter| {
        let outcome = match letter {
            'S' => Outcome::Success,
            _ => Outcome::Failure(Cause::Error),
        };
        if let Ok(permit) = vitals.permit(now) {
            vitals.record(permit, now, outcome);
        }
        vitals.state()
    };
    text.chars().map(one).collect()
}

fn is_refused(vitals: &Vitals, seconds: f64) -> bool {
    vitals.permit(at(seconds)).is_err()
}

#[test]
fn the_default_life_of_a_breaker_as_in_gobreaker() {
    let vitals = vitals(HealthPolicy::consecutive(6), BreakerPolicy::gobreaker());
    // A success forgets all before it: six in a row it takes.
    assert_eq!(calls(&vitals, 0.0, "FFFFFSF"), [BreakerState::Closed; 7]);
    assert_eq!(calls(&vitals, 0.0, "FFFF"), [BreakerState::Closed; 4]);
    assert_eq!(calls(&vitals, 0.0, "F"), [BreakerState::Open]);
    let counted = vitals.snapshot(at(60.0)).counts.finished();
    assert!(is_refused(&vitals, 0.0) && is_refused(&vitals, 59.999));
    assert_eq!(vitals.snapshot(at(60.0)).counts.finished(), counted);
    assert_eq!(vitals.snapshot(at(60.0)).counts.rejected, 2);
    // A probe that fails stops it for as long again.
    assert_eq!(calls(&vitals, 60.999, "F"), [BreakerState::Open]);
    assert!(is_refused(&vitals, 120.998));
    assert_eq!(calls(&vitals, 121.0, "S"), [BreakerState::Closed]);
    // Nothing is left of what was counted before.
    assert_eq!(calls(&vitals, 121.0, "FFFFF"), [BreakerState::Closed; 5]);
    assert_eq!(calls(&vitals, 121.0, "F"), [BreakerState::Open]);
}

#[test]
fn an_error_ratio_and_its_edge_as_in_sentinel() {
    let ratio = |share| {
        let window = Window::Span(Duration::from_secs(20));
        let rate = RatePolicy::new().window(window).failures(Ratio::new(share));
        HealthPolicy::rate(rate.at_least(if share < 1.0 { 1 } else { 5 }))
    };
    let stop = Duration::from_secs(10);
    let breaker = BreakerPolicy::new()
        .open_for(stop)
        .up_to(stop)
        .growth(Growth::Times(1.0))
        .jitter(Ratio::new(0.0))
        .close_after(1);
    let fifth = vitals(ratio(0.2), breaker);
    assert_eq!(
        calls(&fifth, 0.0, "SF"),
        [BreakerState::Closed, BreakerState::Open]
    );
    assert!(is_refused(&fifth, 0.0) && is_refused(&fifth, 5.0));
    assert_eq!(calls(&fifth, 10.0, "F"), [BreakerState::Open]);
    assert!(is_refused(&fifth, 15.0));
    assert_eq!(calls(&fifth, 20.0, "S"), [BreakerState::Closed]);
    // All of them is reached, where a threshold were exclusive it never would be.
    let all = vitals(ratio(1.0), breaker);
    assert_eq!(calls(&all, 0.0, "FFFF"), [BreakerState::Closed; 4]);
    assert_eq!(calls(&all, 0.0, "F"), [BreakerState::Open]);
}
