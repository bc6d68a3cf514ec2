//! Failures that come in runs.

use fastrand::Rng;

use crate::{
    delays::Bank,
    draws::{Plan, STREAMS, successes},
    figure::Figure,
    policy::{self, TOLERABLE},
    report::Report,
    steady::Steady,
};

/// Length of a run of failures, on average.
const RUN: f64 = 3.0;

/// Calls for which alarms are counted.
const CALLS: f64 = 4e8;

/// Calls after which what is learned of bursts is learned.
const LEARNED: u64 = 100_000;

/// Alarms, of them those of a service that had not learned yet, and those of the counters alone.
#[derive(Clone, Copy, Default)]
struct Alarms {
    all: u64,
    early: u64,
    twin: u64,
}

pub(crate) fn measure(report: &mut Report, plan: Plan) -> Result<(), String> {
    let bank = Bank::of(&policy::means()).ok_or("the default rule has no thresholds")?;
    let each = plan.each(CALLS);
    let found = plan.streams("burst", |random| alarms(each, bank.clone(), random));
    let sum = found
        .into_iter()
        .fold(Alarms::default(), |sum, one| Alarms {
            all: sum.all + one.all,
            early: sum.early + one.early,
            twin: sum.twin + one.twin,
        });
    let calls = each * STREAMS;
    report.add("burst.trips", Some(Figure::count(sum.all, calls)));
    report.add("burst.trips_early", Some(Figure::count(sum.early, calls)));
    report.add("burst.arl0", between(sum.all, calls));
    report.add("control.unscaled.arl0", between(sum.twin, calls));
    Ok(())
}

/// Calls between alarms. Without any, at least so many with a confidence of 63 %: as if there had been one.
fn between(alarms: u64, calls: u64) -> Option<Figure> {
    let value = calls as f64 / alarms.max(1) as f64;
    Some(Figure {
        value,
        error: (alarms > 0).then(|| value / (alarms as f64).sqrt()),
        runs: Some(alarms),
        calls,
    })
}

/// Alarms in so many calls of which in all the tolerable share fails, in runs of geometric length. After each, a fresh
/// service that knows nothing.
fn alarms(calls: u64, mut twin: Bank, random: &mut Rng) -> Alarms {
    let rules = policy::rules();
    let begins = TOLERABLE / (RUN * (1.0 - TOLERABLE));
    let mut found = Alarms::default();
    let mut service = Steady::new(&rules, random.u64(..));
    let (mut left, mut good) = (calls, successes(random, begins));
    while left > good {
        left -= good + 1;
        service.succeed(good);
        if service.fail() {
            found.all += 1;
            found.early += u64::from(service.calls <= LEARNED);
            service = Steady::new(&rules, random.u64(..));
        }
        if twin.hears(good) {
            found.twin += 1;
            twin.forget();
        }
        good = if random.f64() < 1.0 - 1.0 / RUN {
            0
        } else {
            // The run is over: the next call succeeds in any case, or it would not be.
            successes(random, begins)
        };
    }
    found
}
