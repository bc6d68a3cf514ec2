//! How seldom health is taken for illness: failures one by one.

use fastrand::Rng;

use crate::{
    draws::{Plan, STREAMS, successes},
    figure::Figure,
    policy::{self, TOLERABLE},
    report::Report,
    steady::Steady,
};

/// Calls at exactly the rate that is put up with, for which alarms are counted.
const AT_TOLERABLE: f64 = 1e9;

/// Calls at a fifth of it.
const AT_A_FIFTH: f64 = 1e8;

pub(crate) fn measure(report: &mut Report, plan: Plan) -> Result<(), String> {
    for (key, calls, rate) in [
        ("healthy.false_trips", AT_A_FIFTH, TOLERABLE / 5.0),
        ("cusum.trips_1e9", AT_TOLERABLE, TOLERABLE),
    ] {
        let each = plan.each(calls);
        let alarms: u64 = plan
            .streams(key, |random| alarms(each, rate, random))
            .into_iter()
            .sum();
        // The name says how many calls: where they were fewer, it is another figure.
        let key = match plan.part {
            part if part < 1.0 => &format!("{key}_in_part"),
            _ => key,
        };
        report.add(key, Some(Figure::count(alarms, each * STREAMS)));
    }
    Ok(())
}

/// Alarms in so many calls; after each, a fresh service.
fn alarms(calls: u64, rate: f64, random: &mut Rng) -> u64 {
    let rules = policy::rules();
    let (mut left, mut alarms) = (calls, 0);
    let mut service = Steady::new(&rules, random.u64(..));
    loop {
        let good = successes(random, rate);
        service.succeed(good.min(left));
        if good >= left {
            return alarms;
        }
        left -= good + 1;
        if service.fail() {
            alarms += 1;
            service = Steady::new(&rules, random.u64(..));
        }
    }
}
