//! What asking twice does to replicas that are busy, against asking once: where they could bear it, and where not.

use buttress::{Policy, Redundancy};

use crate::{
    clients::Maker,
    drive::{Case, Seen},
    plan::Plan,
    policy::{self, HEDGES},
    report::{Report, Runs},
    world::{Fault, Kind},
};

const REPLICAS: usize = 10;

/// Calls a second that one replica bears.
const BEARS: f64 = 10.0;

/// Runs at least, for tails of few calls.
const RUNS: u32 = 5;

/// The same policy, asking once.
fn once() -> Policy {
    policy::policy().redundancy(Redundancy::None)
}

pub(crate) fn measure(report: &mut Report, plan: &Plan) -> Result<(), String> {
    if !HEDGES {
        return Ok(());
    }
    for percent in [20, 40, 60, 80] {
        let runs = |policy: fn() -> Policy| -> Result<Vec<Seen>, String> {
            let case = Case {
                kind: Kind::Stalling,
                fault: Fault::None,
                replicas: REPLICAS,
                rate: f64::from(percent) / 100.0 * BEARS * REPLICAS as f64,
                client: Maker::Ours(policy),
            };
            (0..plan.runs.max(RUNS))
                .map(|run| case.run(plan, run))
                .collect()
        };
        let (ours, theirs) = (runs(policy::policy)?, runs(once)?);
        let calls = ours.iter().map(Seen::calls).sum();
        let ratios = ours
            .iter()
            .zip(&theirs)
            .map(|(ours, once)| ours.quantile(0.99) / once.quantile(0.99));
        report.add(
            &format!("load.{percent}.p99_ratio"),
            &Runs(ratios.collect()),
            calls,
        );
        let extra = ours.iter().map(|seen| seen.extra).collect();
        report.add(&format!("load.{percent}.extra"), &Runs(extra), calls);
    }
    Ok(())
}
