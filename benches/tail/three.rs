//! Three replicas, one of them ill: the scenarios of "The Tail at Scale" and those that peers fail in.

use crate::{
    clients::Maker,
    drive::{Case, Seen},
    plan::Plan,
    policy,
    report::{Report, Runs},
    world::{Fault, Kind},
};

const SCENARIOS: [(&str, Fault); 6] = [
    ("healthy", Fault::None),
    ("stalls", Fault::Stalls),
    ("slow", Fault::Slow),
    ("hung", Fault::Hung),
    ("failfast", Fault::FailsFast(1)),
    ("killed", Fault::Killed),
];

pub(crate) fn measure(report: &mut Report, plan: &Plan) -> Result<(), String> {
    let clients = [
        ("buttress", Maker::Ours(policy::policy)),
        ("round_robin", Maker::RoundRobin),
        ("p2c", Maker::PeakEwma),
    ];
    let mut healthy = Vec::new();
    for (scenario, fault) in SCENARIOS {
        for (name, client) in clients {
            let case = Case {
                kind: Kind::Wide,
                fault,
                replicas: 3,
                rate: 1_000.0,
                client,
            };
            let runs: Vec<Seen> = (0..plan.runs)
                .map(|run| case.run(plan, run))
                .collect::<Result<_, _>>()?;
            let key = format!("tail.{scenario}.{name}");
            said(report, &key, &runs);
            if name != "buttress" {
                continue;
            }
            let tails: Vec<f64> = runs.iter().map(|seen| seen.quantile(0.999)).collect();
            if scenario == "healthy" {
                healthy.clone_from(&tails);
            }
            let calls = runs.iter().map(Seen::calls).sum();
            let ratios = tails
                .iter()
                .zip(&healthy)
                .map(|(tail, healthy)| tail / healthy);
            report.add(&format!("{key}.p999_ratio"), &Runs(ratios.collect()), calls);
            let detected: Vec<f64> = runs
                .iter()
                .filter_map(|seen| seen.detected)
                .map(|span| span.as_secs_f64() * 1_000.0)
                .collect();
            if !detected.is_empty() {
                report.add(&format!("{key}.detected_ms"), &Runs(detected), calls);
            }
            let alarms = runs.iter().map(|seen| seen.false_alarms as f64).collect();
            report.add(&format!("{key}.false_alarms"), &Runs(alarms), calls);
        }
    }
    Ok(())
}

/// What is told of a run.
type Figure = fn(&Seen) -> f64;

fn said(report: &mut Report, key: &str, runs: &[Seen]) {
    let calls = runs.iter().map(Seen::calls).sum();
    let figures: [(&str, Figure); 5] = [
        ("success", Seen::success),
        ("p50_ms", |seen| seen.quantile(0.5)),
        ("p99_ms", |seen| seen.quantile(0.99)),
        ("p999_ms", |seen| seen.quantile(0.999)),
        ("extra", |seen| seen.extra),
    ];
    for (name, of) in figures {
        report.add(
            &format!("{key}.{name}"),
            &Runs(runs.iter().map(of).collect()),
            calls,
        );
    }
}
