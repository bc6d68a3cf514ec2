//! A healthy set whose endpoints are compared every ten seconds: how often is one of them taken out?

use std::time::Duration;

use buttress::{BreakerState, Cause, Destination, Nanos, Outcome, Vitals};
use buttress_core::Rules;
use fastrand::Rng;

use crate::{
    draws::{Plan, STREAMS, successes},
    figure::Figure,
    policy,
    report::Report,
};

/// Endpoints, and sweeps for each failure rate.
const SETS: [(usize, f64); 5] = [(2, 2e5), (3, 1.5e5), (5, 1e5), (10, 4e4), (50, 1e4)];

/// In percent: well below what is tolerable, and exactly that.
const BASES: [(&str, f64); 2] = [("base01", 0.001), ("base1", 0.01)];

const SECONDS_TO_A_SWEEP: u64 = 10;

/// Calls a second to each endpoint.
const CALLS: u64 = 10;

#[derive(Clone, Copy, Default)]
struct Found {
    sweeps: u64,
    calls: u64,
    /// Taken out while they were compared, and between.
    compared: u64,
    between: u64,
    /// Accused, and held back.
    held: u64,
}

impl Found {
    const fn plus(self, other: Self) -> Self {
        Self {
            sweeps: self.sweeps + other.sweeps,
            calls: self.calls + other.calls,
            compared: self.compared + other.compared,
            between: self.between + other.between,
            held: self.held + other.held,
        }
    }
}

pub(crate) fn measure(report: &mut Report, plan: Plan) -> Result<(), String> {
    let rules = policy::rules();
    let mut all = Found::default();
    for (name, base) in BASES {
        for (endpoints, sweeps) in SETS {
            let key = format!("peers.{name}.of_{endpoints}");
            let found = watched(&key, &rules, endpoints, sweeps, base, plan)?;
            report.add(&key, per_sweep(found));
            all = all.plus(found);
        }
    }
    report.add("peers.false_ejections", per_sweep(all));
    // Three in all would be the bound with 95 % confidence if there was none.
    report.note("peers.sweeps", all.sweeps);
    report.note("peers.ejected_by_comparison", all.compared);
    report.note("peers.ejected_otherwise", all.between);
    report.note("peers.held", all.held);
    let deviation = policy::by_deviation();
    let found = watched("control.deviation", &deviation, 10, 1_000.0, 0.01, plan)?;
    report.add("control.deviation.false_ejections", per_sweep(found));
    Ok(())
}

fn per_sweep(found: Found) -> Option<Figure> {
    Figure::share(found.compared + found.between, found.sweeps, found.calls)
}

fn watched(
    key: &str,
    rules: &Rules,
    endpoints: usize,
    sweeps: f64,
    base: f64,
    plan: Plan,
) -> Result<Found, String> {
    let each = plan.each(sweeps);
    let streams = plan.streams(key, |random| {
        let mut found = Found::default();
        while found.sweeps < each {
            let left = each - found.sweeps;
            found = found.plus(until_one_is_out(rules, endpoints, left, base, random)?);
        }
        Ok::<_, String>(found)
    });
    if streams.len() as u64 != STREAMS {
        return Err(format!("{key}: a stream was lost"));
    }
    let streams = streams.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(streams.into_iter().fold(Found::default(), Found::plus))
}

/// Watches a fresh set for so many sweeps, or until one of it is out.
fn until_one_is_out(
    rules: &Rules,
    endpoints: usize,
    sweeps: u64,
    base: f64,
    random: &mut Rng,
) -> Result<Found, String> {
    let destination = policy::destination(rules, random.u64(..));
    let set = policy::endpoints(&destination, endpoints)?;
    let mut found = Found::default();
    let mut good = successes(random, base);
    let mut second = 1;
    // The first look takes note of where counters stand.
    tick(&destination, second);
    'sweeps: while found.sweeps < sweeps {
        found.sweeps += 1;
        for _ in 0..SECONDS_TO_A_SWEEP {
            for call in 0..CALLS {
                let now = at(second).after(Duration::from_millis(1_000 / CALLS * call));
                for vitals in &set {
                    let fails = good == 0;
                    good = if fails {
                        successes(random, base)
                    } else {
                        good - 1
                    };
                    made(vitals, now, fails);
                    found.calls += 1;
                    if fails && out(&set) {
                        found.between += 1;
                        break 'sweeps;
                    }
                }
            }
            second += 1;
            tick(&destination, second);
        }
        if out(&set) {
            found.compared += 1;
            break;
        }
    }
    let decisions = set
        .iter()
        .map(|vitals| vitals.snapshot(at(second)).decisions);
    found.held = decisions
        .map(|decisions| decisions.total().held + decisions.total().overflow)
        .sum();
    Ok(found)
}

fn made(vitals: &Vitals, now: Nanos, fails: bool) {
    let outcome = if fails {
        Outcome::Failure(Cause::Error)
    } else {
        Outcome::Success
    };
    if let Ok(permit) = vitals.permit(now) {
        vitals.record(permit, now.after(Duration::from_millis(1)), outcome);
    }
}

fn out(set: &[Vitals]) -> bool {
    set.iter()
        .any(|vitals| vitals.state() != BreakerState::Closed)
}

const fn at(second: u64) -> Nanos {
    Nanos::new(second * 1_000_000_000)
}

/// Somebody looks after it. With no call under way it needs nobody, and says so.
fn tick(destination: &Destination, second: u64) {
    let _ = destination.tick(at(second));
}
