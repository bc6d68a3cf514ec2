//! Calls that take time: how soon is a hang, a slow-down, a crash noticed?
//!
//! One service per stream meets them one after another. Before the first it is well for five minutes; between two it
//! recovers through its breaker, and is well for twenty seconds and more.

use std::time::Duration;

use buttress_core::Rules;
use fastrand::Rng;

use crate::{
    delays::RATES,
    draws::Plan,
    figure::{Figure, Sums},
    policy::{self, TOLERABLE},
    report::Report,
    world::{Fault, World},
};

/// The share of calls that fails in good times.
const BASE: f64 = 0.005;

const WARM_UP: Duration = Duration::from_secs(300);
const GAP: Duration = Duration::from_secs(20);
const MORE: Duration = Duration::from_secs(5);

/// A fault that lasts so long is not going to be noticed.
const GIVE_UP: Duration = Duration::from_secs(600);

/// Onsets of each fault.
const RUNS: f64 = 4_000.0;

pub(crate) fn measure(report: &mut Report, plan: Plan) -> Result<(), String> {
    let rules = policy::rules();
    let mut false_alarms = Sums::default();
    for (key, fault) in [
        ("hang", Fault::Hang),
        ("slow10x", Fault::Slow),
        ("crash", Fault::Crash),
        ("half", Fault::Failing(0.5)),
    ] {
        let runs = plan.each(RUNS);
        let streams = plan.streams(key, |random| {
            onsets(&rules, fault, BASE, runs, random, Take::Milliseconds)
        });
        let sums = Sums::of(streams);
        false_alarms = Sums::of(vec![false_alarms, sums]);
        report.add(&format!("{key}.ms"), sums.mean(1.0));
    }
    for rate in RATES {
        let scenario = format!("default.delay_{rate}");
        let fault = Fault::Failing(f64::from(rate) / 100.0);
        let runs = plan.each(RUNS);
        let streams = plan.streams(&scenario, |random| {
            onsets(&rules, fault, TOLERABLE, runs, random, Take::Calls)
        });
        let sums = Sums::of(streams);
        false_alarms = Sums::of(vec![false_alarms, sums]);
        report.add(&scenario, sums.mean(1.0));
    }
    let falsely = Figure::count(false_alarms.false_alarms, false_alarms.calls);
    report.add("onsets.false_trips", Some(falsely));
    let blind = policy::on_completion();
    for (key, fault) in [("hang", Fault::Hang), ("slow10x", Fault::Slow)] {
        let scenario = format!("control.completion.{key}");
        // A fault that it never notices takes long to be given up.
        let runs = plan.each(200.0);
        let streams = plan.streams(&scenario, |random| {
            onsets(&blind, fault, BASE, runs, random, Take::Milliseconds)
        });
        let sums = Sums::of(streams);
        report.add(&format!("{scenario}.ms"), sums.mean(1.0));
        let missed = Figure::share(sums.given_up, sums.runs + sums.given_up, sums.calls);
        report.add(&format!("{scenario}.missed"), missed);
    }
    Ok(())
}

/// In what a delay is told.
#[derive(Clone, Copy)]
enum Take {
    Milliseconds,
    /// Those begun since and ended.
    Calls,
}

fn onsets(rules: &Rules, fault: Fault, base: f64, runs: u64, random: &mut Rng, take: Take) -> Sums {
    let mut sums = Sums::default();
    let mut world = World::new(rules, base, random);
    sums.false_alarms += world.passes(WARM_UP);
    for _ in 0..runs {
        sums.false_alarms += world.passes(GAP) + world.passes_about(MORE);
        while !world.closed() {
            world.step();
        }
        let began = world.now;
        world.befalls(fault);
        let mut lasted = Duration::ZERO;
        while world.closed() && lasted < GIVE_UP {
            world.step();
            lasted = world.now.since(began);
        }
        let took = match take {
            Take::Milliseconds => lasted.as_secs_f64() * 1e3,
            Take::Calls => world.ended as f64,
        };
        if world.closed() {
            sums.give_up(took);
        } else {
            sums.add(took);
        }
        world.befalls(Fault::None);
        while !world.closed() {
            world.step();
        }
    }
    sums.calls = world.calls;
    sums
}
