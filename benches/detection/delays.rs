//! From 1 % failures to more: how many calls until the alarm.

use buttress::HealthPolicy;
use buttress_core::{Explanation, Rules, Threshold};
use fastrand::Rng;

use crate::{
    draws::{Plan, successes},
    figure::{Figure, Sums},
    policy::{self, TOLERABLE},
    report::Report,
    steady::Steady,
};

/// Failure rates, in percent.
pub(crate) const RATES: [u32; 5] = [5, 10, 20, 50, 100];

/// Healthy calls before each change. Evidence forgets within some hundred.
const GAP: u64 = 1_000;

/// The same where it matters what was learned of bursts: an alarm forgets the last hundred or so of it.
const LONG_GAP: u64 = 30_000;

/// Healthy calls at first: what is learned of bursts is learned.
const WARM_UP: u64 = 100_000;

/// Calls after the changes of one stream: beyond, a rule counts as blind to the rate.
const ENOUGH: u64 = 10_000_000;

pub(crate) fn measure(report: &mut Report, plan: Plan) -> Result<(), String> {
    let means = policy::means();
    design(report, &means)?;
    let rules = policy::rules();
    let bank = Bank::of(&means).ok_or("the default rule has no thresholds")?;
    for rate in RATES {
        let scenario = format!("cusum.delay_{rate}");
        let runs = plan.each(20_000.0);
        let streams = plan.streams(&scenario, |random| {
            onsets(&rules, None, rate, (runs, GAP), random).ours
        });
        report.add(&scenario, Sums::of(streams).mean(1.0));
    }
    for rate in [10, 50] {
        let scenario = format!("burst.iid_{rate}");
        let runs = plan.each(4_000.0);
        let streams = plan.streams(&scenario, |random| {
            onsets(&rules, Some(bank.clone()), rate, (runs, LONG_GAP), random)
        });
        let apart = streams.iter().map(|found| found.apart).sum();
        let ours = Sums::of(streams.iter().map(|found| found.ours).collect());
        let twins = Sums::of(streams.iter().map(|found| found.twins).collect());
        let (Some(ours), Some(twins)) = (ours.mean(1.0), twins.mean(1.0)) else {
            continue;
        };
        // Same draws: what error there is lies in how often they part.
        let ratio = Figure {
            value: ours.value / twins.value,
            error: None,
            ..ours
        };
        report.add(&scenario, Some(ratio));
        let apart = Figure::share(apart, ours.runs.unwrap_or(0), ours.calls);
        report.add(&format!("burst.iid_apart_{rate}"), apart);
    }
    let references = [
        ("window100", policy::window_of_100(), 4_000.0),
        (
            "consecutive5",
            policy::judged_by(HealthPolicy::consecutive(5)),
            4_000.0,
        ),
    ];
    for (name, rules, runs) in references {
        for rate in RATES {
            let scenario = format!("{name}.delay_{rate}");
            let runs = plan.each(runs);
            let streams = plan.streams(&scenario, |random| {
                onsets(&rules, None, rate, (runs, GAP), random).ours
            });
            let sums = Sums::of(streams);
            report.add(&scenario, sums.mean(1.0));
            if sums.runs == 0 {
                let never = Figure::count(0, sums.calls);
                report.add(&format!("{name}.alarms_{rate}"), Some(never));
            }
        }
    }
    Ok(())
}

/// What the policy derives for the traffic of this bench.
fn design(report: &mut Report, means: &Explanation) -> Result<(), String> {
    if !policy::is_the_same() {
        return Err("the policy that is printed is not the one that is simulated".to_owned());
    }
    let counters = [means.slow, means.fast];
    let of =
        |part: fn(&Threshold) -> u32| counters.map(|counter| counter.as_ref().map(part)).to_vec();
    report.note("cusum.w", of(|counter| counter.up));
    report.note("cusum.down", of(|counter| counter.down));
    report.note("cusum.h", of(|counter| counter.at));
    let traffic = policy::QUIET.calls_per_second;
    let allowed = policy::rules().false_alarm_every.as_secs_f64() * traffic;
    report.add("cusum.design_arl", Some(Figure::exact(allowed)));
    let exact = means.calls_between_false_alarms.map(Figure::exact);
    report.add("cusum.arl0", exact);
    for delay in &means.delays {
        let key = format!("cusum.exact_delay_{:.0}", delay.failing * 100.0);
        report.add(&key, Some(Figure::exact(delay.calls)));
    }
    Ok(())
}

/// What the service made of the changes, what its twin did, and how often not the same.
#[derive(Clone, Copy)]
struct Found {
    ours: Sums,
    twins: Sums,
    apart: u64,
}

/// Changes to `percent` failures, one after another on one service that recovers between them; and what a bank with
/// the same thresholds, which knows nothing of bursts and time, makes of the same calls.
fn onsets(
    rules: &Rules,
    mut twin: Option<Bank>,
    percent: u32,
    (runs, gap): (u64, u64),
    random: &mut Rng,
) -> Found {
    let mut service = Steady::new(rules, random.u64(..));
    let (mut ours, mut twins) = (Sums::default(), Sums::default());
    ours.false_alarms += healthy(&mut service, &mut twin, WARM_UP, random);
    let (mut spent, mut apart) = (0, 0);
    for _ in 0..runs {
        ours.false_alarms += healthy(&mut service, &mut twin, gap, random);
        let (mut calls, mut noticed, mut twin_noticed) = (0, None, twin.is_none().then_some(0));
        while noticed.is_none() || twin_noticed.is_none() {
            if spent + calls >= ENOUGH {
                break;
            }
            let good = successes(random, f64::from(percent) / 100.0);
            calls += good + 1;
            if noticed.is_none() {
                service.succeed(good.min(ENOUGH));
                noticed = service.fail().then_some(calls);
            }
            if let (Some(twin), None) = (&mut twin, twin_noticed) {
                twin_noticed = twin.hears(good).then_some(calls);
            }
        }
        spent += calls;
        match (noticed, twin_noticed) {
            (Some(took), Some(twin_took)) => {
                ours.add(took as f64);
                twins.add(twin_took as f64);
                apart += u64::from(took != twin_took);
            }
            _ => ours.give_up(calls as f64),
        }
        service.recover();
        if let Some(twin) = &mut twin {
            twin.forget();
        }
        if spent >= ENOUGH {
            break;
        }
    }
    ours.calls = service.calls;
    twins.calls = service.calls;
    Found { ours, twins, apart }
}

/// Calls at the tolerable rate, until so many went by without an alarm. How many alarms were there?
fn healthy(service: &mut Steady, twin: &mut Option<Bank>, calls: u64, random: &mut Rng) -> u64 {
    let (mut left, mut alarms) = (calls, 0);
    loop {
        let good = successes(random, TOLERABLE);
        if good >= left {
            service.succeed(left);
            if let Some(twin) = twin {
                twin.relieve(left);
            }
            return alarms;
        }
        left -= good + 1;
        service.succeed(good);
        if let Some(twin) = twin
            && twin.hears(good)
        {
            twin.forget();
        }
        if service.fail() {
            (left, alarms) = (calls, alarms + 1);
            service.recover();
        }
    }
}

/// The two counters alone, as anyone would write them.
#[derive(Clone, Debug)]
pub(crate) struct Bank([(Threshold, u64); 2]);

impl Bank {
    pub(crate) fn of(means: &Explanation) -> Option<Self> {
        Some(Self([(means.slow?, 0), (means.fast?, 0)]))
    }

    fn relieve(&mut self, successes: u64) {
        for (counter, sum) in &mut self.0 {
            *sum = sum.saturating_sub(successes.saturating_mul(counter.down.into()));
        }
    }

    /// So many successes, and a failure. Is it an alarm?
    pub(crate) fn hears(&mut self, successes: u64) -> bool {
        self.relieve(successes);
        self.0.iter_mut().fold(false, |alarm, (counter, sum)| {
            *sum += u64::from(counter.up);
            alarm | (*sum >= counter.at.into())
        })
    }

    pub(crate) fn forget(&mut self) {
        for (_, sum) in &mut self.0 {
            *sum = 0;
        }
    }
}
