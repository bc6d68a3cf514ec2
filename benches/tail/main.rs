//! What callers see of slow, hung, failing and dead replicas, and what a pick costs.
//!
//! ```text
//! cargo bench --bench tail -- --json PATH --seed 1
//! ```
//!
//! Through the layers a user has, open loop, from the time a call was meant to begin; a call that fails took a second. On
//! paused time, or with `--real` on the real clock. All clients of a run get the same arrivals, and replicas the same draws.
//! Beside each figure stand its standard error over the runs, their number and that of the calls, under `error`, `runs`
//! and `calls`. `--runs N` makes so many runs of each, `--calls N` so many calls in each, `--only tail|sink|load|many` one
//! part.

mod clients;
mod control;
mod drive;
mod load;
mod many;
mod plan;
mod policy;
mod report;
mod sink;
#[path = "../support/mod.rs"]
mod support;
mod targets;
mod three;
mod world;

use std::process::ExitCode;

use self::{plan::Plan, report::Report, support::Arguments};

/// Measures, and reports what it measured.
type Part = fn(&mut Report, &Plan) -> Result<(), String>;

/// Calls in a run on the real clock: twenty seconds of it.
const REAL_CALLS: u32 = 20_000;

fn main() -> ExitCode {
    support::ended("tail", run())
}

fn run() -> Result<bool, String> {
    let arguments = Arguments::read(&["json", "seed", "runs", "calls", "only"], &["real"])?;
    let real = arguments.text("real").is_some();
    let plan = Plan {
        seed: arguments.number("seed", 1)?,
        runs: arguments.number("runs", if real { 1 } else { 3 })?,
        calls: arguments.number("calls", if real { REAL_CALLS } else { 100_000 })?,
        real,
    };
    let mut report = Report::new(&plan)?;
    let only = arguments.text("only");
    let parts: [(&str, Part); 4] = [
        ("many", many::measure),
        ("tail", three::measure),
        ("sink", sink::measure),
        ("load", load::measure),
    ];
    for (name, measure) in parts {
        if only.is_none_or(|only| only == name) {
            measure(&mut report, &plan)?;
        }
    }
    let figures = report.figures(targets::reached);
    arguments.write(&figures)?;
    Ok(control::believed(&figures))
}
