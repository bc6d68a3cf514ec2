//! What a call costs, its clock reads aside.

use std::{hint::black_box, time::Duration};

use buttress::{CLOCK, Cause, Nanos, Outcome, Vitals};
use buttress_core::{Parts, Rules};

use crate::{draws::Plan, figure::Figure, policy, report::Report, support::Median};

/// Calls in a batch: milliseconds, so that reading the clock around it is nothing.
const CALLS: u64 = 20_000;

/// Every so many fail, where some do: what the policy puts up with.
const FAILS: u64 = 100;

struct Case {
    name: &'static str,
    vitals: Vitals,
    fails: bool,
    now: Nanos,
    times: Vec<f64>,
}

pub(crate) fn measure(report: &mut Report, plan: Plan) -> Result<(), String> {
    let bare = Rules {
        parts: Parts {
            health: false,
            breaker: false,
            stats: false,
        },
        ..policy::rules()
    };
    let case = |name, rules: &Rules, fails| Case {
        name,
        vitals: policy::destination(rules, plan.seed).alone(),
        fails,
        now: Nanos::ZERO.after(Duration::from_secs(1)),
        times: Vec::new(),
    };
    let mut cases = [
        case("healthy.success_ns", &policy::rules(), false),
        case("healthy.tolerable_ns", &policy::rules(), true),
        // No ages, no last calls, no breaker, no episodes. Judging cannot be switched off.
        case("healthy.least_ns", &bare, false),
        // A rule that must hear of every call.
        case("healthy.window100_ns", &policy::window_of_100(), false),
    ];
    let rounds = (101.0 * plan.part).ceil().max(11.0) as u64;
    for round in 0..=rounds {
        for case in &mut cases {
            let took = timed(case);
            // The first round warms up.
            if round > 0 {
                case.times.push(took);
            }
        }
    }
    for case in &cases {
        report.add(case.name, median(case.times.clone()));
    }
    // Successes are counted, and handed to the judge at the next failure: what it costs shows in failures.
    let [none, some, ..] = &cases;
    let more = some
        .times
        .iter()
        .zip(&none.times)
        .map(|(some, none)| some - none);
    report.add("healthy.judging_ns", median(more.collect()));
    Ok(())
}

fn median(times: Vec<f64>) -> Option<Figure> {
    let rounds = times.len() as u64;
    Median::of(times).map(|median| Figure {
        value: median.value,
        error: Some(median.error),
        runs: Some(rounds),
        calls: rounds * CALLS,
    })
}

/// Nanoseconds per call of one batch.
fn timed(case: &mut Case) -> f64 {
    let before = CLOCK.now();
    for call in 0..CALLS {
        // As fast as calls can be made: what is done once a second is not done at every failure.
        case.now = case.now.after(Duration::from_micros(10));
        let outcome = if case.fails && call % FAILS == 0 {
            Outcome::Failure(Cause::Error)
        } else {
            Outcome::Success
        };
        if let Ok(permit) = black_box(&case.vitals).permit(case.now) {
            let end = case.now.after(Duration::from_micros(5));
            case.vitals.record(black_box(permit), end, outcome);
        }
    }
    CLOCK.now().since(before).as_nanos() as f64 / CALLS as f64
}
