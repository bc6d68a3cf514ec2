//! What a call costs, its clock reads aside.

use std::{hint::black_box, time::Duration};

use buttress::{CLOCK, Cause, Nanos, Outcome, Vitals};
use buttress_core::{Parts, Rules};

use crate::{draws::Plan, figure::Figure, policy, report::Report, support::Median};

/// Calls in a batch: milliseconds, so that reading the clock around it is nothing.
const CALLS: u64 = 20_000;

/// Every so many fail, where some do: what the policy puts up with.
const FAILS: u64 = 100;

/// Each case is played by so many in turn: where in memory one lies can cost it a third, and is drawn anew for each.
const TWINS: u64 = 7;

/// Batches before a twin is measured: after ten seconds it knows how often it is called.
const WARM_UP: u64 = 60;

struct Case {
    name: &'static str,
    twins: Vec<Twin>,
    fails: bool,
    times: Vec<f64>,
}

struct Twin {
    vitals: Vitals,
    now: Nanos,
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
        twins: (0..TWINS)
            .map(|_| Twin::new(rules, plan.seed, fails))
            .collect(),
        fails,
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
    for round in 0..rounds {
        for case in &mut cases {
            let twin = &mut case.twins[(round % TWINS) as usize];
            case.times.push(twin.timed(case.fails));
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

impl Twin {
    fn new(rules: &Rules, seed: u64, fails: bool) -> Self {
        let mut twin = Self {
            vitals: policy::destination(rules, seed).alone(),
            now: Nanos::ZERO.after(Duration::from_secs(1)),
        };
        for _ in 0..WARM_UP {
            let _ = twin.timed(fails);
        }
        twin
    }

    /// Nanoseconds per call of one batch.
    fn timed(&mut self, fails: bool) -> f64 {
        let before = CLOCK.now();
        for call in 0..CALLS {
            // As fast as calls can be made: what is done once a second is not done at every failure.
            self.now = self.now.after(Duration::from_micros(10));
            let outcome = if fails && call % FAILS == 0 {
                Outcome::Failure(Cause::Error)
            } else {
                Outcome::Success
            };
            if let Ok(permit) = black_box(&self.vitals).permit(self.now) {
                let end = self.now.after(Duration::from_micros(5));
                self.vitals.record(black_box(permit), end, outcome);
            }
        }
        CLOCK.now().since(before).as_nanos() as f64 / CALLS as f64
    }
}
