//! How calls come back: to a cold replica, after an overload, through a flapping endpoint, and at the instant a breaker
//! may be asked again.
//!
//! ```text
//! cargo bench --bench recovery -- --json PATH --seed 1
//! ```
//!
//! Through the layers a user has, on paused time; the herd alone runs in real time, on two threads. The 20 runs of a case
//! draw the same arrivals under every policy. Beside each figure stand the standard error of the mean over its runs, their
//! number and that of the calls, under `error`, `runs` and `calls`. `--seeds N` makes so many runs, `--quick` two of each
//! and fewer cases, `--only cold|dip|flap|herd` one scenario.

mod caller;
mod cold;
mod control;
mod dip;
mod flap;
mod herd;
mod plan;
mod policy;
mod report;
#[path = "../support/mod.rs"]
mod support;
mod targets;

use std::process::ExitCode;

use self::{plan::Plan, report::Report, support::Arguments};

/// Measures, and reports what it measured.
type Scenario = fn(&mut Report, Plan) -> Result<(), String>;

fn main() -> ExitCode {
    support::ended("recovery", run())
}

fn run() -> Result<bool, String> {
    let arguments = Arguments::read(&["json", "seed", "seeds", "only"], &["quick"])?;
    let quick = arguments.text("quick").is_some();
    let plan = Plan {
        seed: arguments.number("seed", 1)?,
        runs: arguments.number("seeds", if quick { 2 } else { 20 })?,
        quick,
    };
    let mut report = Report::new(plan)?;
    let only = arguments.text("only");
    let scenarios: [(&str, Scenario); 4] = [
        ("cold", cold::measure),
        ("dip", dip::measure),
        ("flap", flap::measure),
        ("herd", herd::measure),
    ];
    for (name, measure) in scenarios {
        if only.is_none_or(|only| only == name) {
            measure(&mut report, plan)?;
        }
    }
    let figures = report.figures(targets::reached);
    arguments.write(&figures)?;
    Ok(control::believed(&figures))
}
