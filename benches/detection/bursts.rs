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

/// Alarms of a service, of them those before it had learned, and calls after it had.
#[derive(Clone, Copy, Default)]
struct Alarms {
    all: u64,
    early: u64,
    learned: u64,
}

/// What becomes of a service after an alarm.
#[derive(Clone, Copy)]
enum After {
    /// It recovers, and goes on.
    GoesOn,
    /// A fresh one that knows nothing takes its place: nearly all its alarms are those of learning.
    Fresh,
}

pub(crate) fn measure(report: &mut Report, plan: Plan) -> Result<(), String> {
    let each = plan.each(CALLS);
    let calls = each * STREAMS;
    for (name, after) in [("burst", After::GoesOn), ("burst.fresh", After::Fresh)] {
        let streams = plan.streams(name, |random| {
            let mut service = Steady::new(&policy::rules(), random.u64(..));
            let mut found = Alarms::default();
            failures(each, random, |good, random| {
                service.succeed(good);
                found.learned += (good + 1) * u64::from(service.calls > LEARNED);
                if !service.fail() {
                    return;
                }
                found.all += 1;
                found.early += u64::from(service.calls <= LEARNED);
                match after {
                    After::Fresh => service = Steady::new(&policy::rules(), random.u64(..)),
                    After::GoesOn => service.recover(),
                }
            });
            found
        });
        let found = streams.into_iter().fold(Alarms::default(), Alarms::plus);
        report.add(&format!("{name}.arl0"), between(found.all, calls));
        report.add(
            &format!("{name}.trips"),
            Some(Figure::count(found.all, calls)),
        );
        let early = Figure::count(found.early, calls - found.learned);
        report.add(&format!("{name}.trips_early"), Some(early));
        let late = found.all - found.early;
        report.add(
            &format!("{name}.learned_arl0"),
            between(late, found.learned),
        );
    }
    let bank = Bank::of(&policy::means()).ok_or("the default rule has no thresholds")?;
    let each = plan.each(CALLS / 10.0);
    let streams = plan.streams("control.unscaled", |random| {
        let (mut bank, mut alarms) = (bank.clone(), 0);
        failures(each, random, |good, _| {
            if bank.hears(good) {
                alarms += 1;
                bank.forget();
            }
        });
        alarms
    });
    let alarms = streams.into_iter().sum();
    report.add("control.unscaled.arl0", between(alarms, each * STREAMS));
    Ok(())
}

impl Alarms {
    const fn plus(self, other: Self) -> Self {
        Self {
            all: self.all + other.all,
            early: self.early + other.early,
            learned: self.learned + other.learned,
        }
    }
}

/// Calls between alarms. Without any, as if there had been one: a bound that holds with a confidence of 63 %.
fn between(alarms: u64, calls: u64) -> Option<Figure> {
    let value = calls as f64 / alarms.max(1) as f64;
    (calls > 0).then(|| Figure {
        value,
        error: (alarms > 0).then(|| value / (alarms as f64).sqrt()),
        runs: Some(alarms),
        calls,
    })
}

/// So many calls of which in all the tolerable share fails, in runs of geometric length: each failure, with the number
/// of successes since the one before.
fn failures(calls: u64, random: &mut Rng, mut failed: impl FnMut(u64, &mut Rng)) {
    let begins = TOLERABLE / (RUN * (1.0 - TOLERABLE));
    let (mut left, mut good) = (calls, successes(random, begins));
    while left > good {
        left -= good + 1;
        failed(good, random);
        good = if random.f64() < 1.0 - 1.0 / RUN {
            0
        } else {
            successes(random, begins)
        };
    }
}
