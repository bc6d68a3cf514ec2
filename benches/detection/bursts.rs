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

pub(crate) fn measure(report: &mut Report, plan: Plan) -> Result<(), String> {
    let each = plan.each(CALLS);
    let calls = each * STREAMS;
    let streams = plan.streams("burst", |random| {
        let mut service = Steady::new(&policy::rules(), random.u64(..));
        let mut found = Alarms::default();
        failures(each, random, |good, _| {
            service.succeed(good);
            found.learned += (good + 1) * u64::from(service.calls > LEARNED);
            if service.fail() {
                found.all += 1;
                found.early += u64::from(service.calls <= LEARNED);
                service.recover();
            }
        });
        found
    });
    let found = streams.into_iter().fold(Alarms::default(), Alarms::plus);
    report.add("burst.arl0", between(found.all, calls));
    report.add("burst.trips", Some(Figure::count(found.all, calls)));
    let early = Figure::count(found.early, calls - found.learned);
    report.add("burst.trips_early", Some(early));
    let late = found.all - found.early;
    report.add("burst.learned_arl0", between(late, found.learned));
    let starts = plan.each(CALLS / LEARNED as f64);
    let outlived: u64 = plan
        .streams("burst.fresh", |random| {
            (0..starts).filter(|_| learns_in_peace(random)).count() as u64
        })
        .into_iter()
        .sum();
    report.add(
        "burst.fresh.outlives_learning",
        Figure::share(outlived, starts * STREAMS, starts * STREAMS * LEARNED),
    );
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

/// Does a service that knows nothing yet raise no alarm until it has learned?
fn learns_in_peace(random: &mut Rng) -> bool {
    let mut service = Steady::new(&policy::rules(), random.u64(..));
    let mut alarmed = false;
    failures(LEARNED, random, |good, _| {
        if !alarmed {
            service.succeed(good);
            alarmed = service.fail();
        }
    });
    !alarmed
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
