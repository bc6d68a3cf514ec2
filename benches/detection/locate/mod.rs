//! Is the culprit named? Calls with labels to a set in three zones, two versions and ten routes, of which one part fails.
//!
//! For each fault a fresh set: it learns what is usual from healthy calls, then the fault begins, and after so many
//! calls somebody asks where the fault is that shows in the calls since. Alarms are noted and not acted on
//! (`enforce = "off"`), so that all of those calls are made.

mod fault;
mod set;

use std::time::Duration;

use buttress::Enforce;
use buttress_core::Rules;
use fastrand::Rng;

use self::{
    fault::{Fault, KINDS},
    set::Set,
};
use crate::{draws::Plan, figure::Figure, policy, report::Report};

/// Healthy calls from which the usual rate is learned.
const WARM_UP: u64 = 20_000;

/// Calls under the fault.
const CALLS: u64 = 500;

/// Faults of each kind.
const RUNS: f64 = 500.0;

/// From this probability on it is sure.
const SURE: f64 = 0.9;

#[derive(Clone, Copy, Default)]
struct Found {
    runs: u64,
    right: u64,
    sure: u64,
    sure_and_right: u64,
    naively_right: u64,
    /// Sum of the rates that were taken for usual.
    usual: f64,
}

impl Found {
    fn plus(self, other: Self) -> Self {
        Self {
            runs: self.runs + other.runs,
            right: self.right + other.right,
            sure: self.sure + other.sure,
            sure_and_right: self.sure_and_right + other.sure_and_right,
            naively_right: self.naively_right + other.naively_right,
            usual: self.usual + other.usual,
        }
    }

    const fn calls(self) -> u64 {
        self.runs * (WARM_UP + CALLS)
    }
}

pub(crate) fn measure(report: &mut Report, plan: Plan) -> Result<(), String> {
    let rules = Rules {
        enforce: Enforce::OFF.into(),
        ..policy::rules()
    };
    for (suffix, base) in [("", 0.002), ("_base1", 0.01)] {
        let mut all = Found::default();
        for (name, fault) in KINDS {
            let key = format!("locate.kind{suffix}.{name}");
            let runs = plan.each(RUNS);
            let streams = plan.streams(&key, |random| {
                (0..runs).try_fold(Found::default(), |sum, _| {
                    Ok::<_, String>(sum.plus(one(&rules, fault, base, random)?))
                })
            });
            let streams = streams.into_iter().collect::<Result<Vec<_>, _>>()?;
            let found = streams.into_iter().fold(Found::default(), Found::plus);
            report.add(&key, Figure::share(found.right, found.runs, found.calls()));
            all = all.plus(found);
        }
        for (name, hits, runs) in [
            ("locate.top1", all.right, all.runs),
            ("locate.calibration", all.sure_and_right, all.sure),
            ("locate.sure", all.sure, all.runs),
            ("control.max_rate.top1", all.naively_right, all.runs),
        ] {
            let share = Figure::share(hits, runs, all.calls());
            report.add(&format!("{name}{suffix}"), share);
        }
        let usual = Figure {
            runs: Some(all.runs),
            calls: all.calls(),
            ..Figure::exact(all.usual / all.runs as f64)
        };
        report.add(&format!("locate.usual{suffix}"), Some(usual));
    }
    Ok(())
}

/// One fault from its beginning to the answer.
fn one(rules: &Rules, fault: Fault, base: f64, random: &mut Rng) -> Result<Found, String> {
    let mut set = Set::new(rules, random)?;
    set.calls(WARM_UP, None, base, random);
    // By then what was seen last is believed.
    set.quiet(Duration::from_secs(3));
    let since = set.now;
    let naive = set.calls(CALLS, Some(fault), base, random);
    let verdict = set.destination.diagnose(since, set.now);
    let verdict = verdict.ok_or("there were calls, and no verdict on them")?;
    let truth = fault.place(&set.endpoints);
    let right = verdict.place == truth;
    let sure = verdict.probability > SURE;
    Ok(Found {
        runs: 1,
        right: right.into(),
        sure: sure.into(),
        sure_and_right: (right && sure).into(),
        naively_right: (naive == Some(truth)).into(),
        usual: verdict.usual,
    })
}
