//! Twenty servers that each serve one call after another. Two of them fail fast and look idle; or all are well, and busy.

use crate::{
    clients::Maker,
    drive::{Case, Seen},
    plan::Plan,
    policy,
    report::{Report, Runs},
    world::{Fault, Kind},
};

const SERVERS: usize = 20;

/// Calls a second that one server bears.
const BEARS: f64 = 100.0;

pub(crate) fn measure(report: &mut Report, plan: &Plan) -> Result<(), String> {
    let runs = |fault, load: f64, client| -> Result<Vec<Seen>, String> {
        let case = Case {
            kind: Kind::Queue,
            fault,
            replicas: SERVERS,
            rate: load * BEARS * SERVERS as f64,
            client,
        };
        (0..plan.runs).map(|run| case.run(plan, run)).collect()
    };
    let both = |fault, load| {
        let ours = runs(fault, load, Maker::Ours(policy::policy))?;
        Ok::<_, String>((ours, runs(fault, load, Maker::PeakEwma)?))
    };
    let (ours, theirs) = both(Fault::FailsFast(2), 0.6)?;
    let calls = ours.iter().map(Seen::calls).sum();
    let each = |of: fn(&Seen, &Seen) -> f64, ours: &[Seen], theirs: &[Seen]| {
        Runs(
            ours.iter()
                .zip(theirs)
                .map(|(ours, theirs)| of(ours, theirs))
                .collect(),
        )
    };
    // Of what p2c sends to servers that fail, the part that we do not.
    let avoided = each(
        |ours, theirs| 1.0 - ours.to_failing / theirs.to_failing,
        &ours,
        &theirs,
    );
    report.add("sink.avoided", &avoided, calls);
    let p99 = |ours: &Seen, theirs: &Seen| ours.quantile(0.99) / theirs.quantile(0.99);
    report.add("sink.p99_ratio", &each(p99, &ours, &theirs), calls);
    for (name, seen) in [("buttress", &ours), ("p2c", &theirs)] {
        let of = |of: fn(&Seen) -> f64| Runs(seen.iter().map(of).collect());
        report.add(&format!("sink.{name}.success"), &of(Seen::success), calls);
        report.add(
            &format!("sink.{name}.to_failing"),
            &of(|seen| seen.to_failing),
            calls,
        );
        report.add(
            &format!("sink.{name}.p99_ms"),
            &of(|seen| seen.quantile(0.99)),
            calls,
        );
    }
    let (ours, theirs) = both(Fault::None, 0.9)?;
    let in_turn = runs(Fault::None, 0.9, Maker::Ours(policy::in_turn))?;
    for (name, seen) in [("even", &ours), ("even.in_turn", &in_turn)] {
        let ratios = each(p99, seen, &theirs);
        report.add(&format!("{name}.p99_ratio"), &ratios, calls);
        let alarms = seen.iter().map(|seen| seen.false_alarms as f64).collect();
        report.add(&format!("{name}.false_alarms"), &Runs(alarms), calls);
    }
    for (name, seen) in [("buttress", &ours), ("p2c", &theirs)] {
        report.add(
            &format!("even.{name}.p99_ms"),
            &Runs(seen.iter().map(|seen| seen.quantile(0.99)).collect()),
            calls,
        );
    }
    Ok(())
}
