//! How soon trouble is noticed, how seldom health is taken for it, and whether the culprit is named.
//!
//! ```text
//! cargo bench --bench detection -- --json PATH --seed 1 --part 1
//! ```
//!
//! A simulation in virtual time through the real `Vitals`: every call asks for a permit and records its outcome, and
//! whoever looks after a destination comes when it asks to. `--part 0.01` makes a hundredth of the runs. Beside each
//! figure stand its standard error, runs and calls, under `error`, `runs` and `calls`. A figure of calls or time is a
//! mean; where some runs saw no alarm, it is all calls over all alarms.

mod alarms;
mod bursts;
mod control;
mod cost;
mod day;
mod delays;
mod draws;
mod figure;
mod locate;
mod onsets;
mod peers;
mod policy;
mod report;
mod steady;
#[path = "../support/mod.rs"]
mod support;
mod targets;
mod world;

use std::process::ExitCode;

use self::{draws::Plan, report::Report, support::Arguments};

/// Measures, and reports what it measured.
type Scenario = fn(&mut Report, Plan) -> Result<(), String>;

fn main() -> ExitCode {
    support::ended("detection", run())
}

fn run() -> Result<bool, String> {
    let arguments = Arguments::read(&["json", "seed", "part", "only"], &[])?;
    let plan = Plan {
        seed: arguments.number("seed", 1)?,
        part: arguments.number("part", 1.0)?,
    };
    let mut report = Report::new(plan)?;
    let only = arguments.text("only");
    let scenarios: [(&str, Scenario); 8] = [
        ("cost", cost::measure),
        ("delays", delays::measure),
        ("onsets", onsets::measure),
        ("day", day::measure),
        ("locate", locate::measure),
        ("bursts", bursts::measure),
        ("peers", peers::measure),
        ("alarms", alarms::measure),
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
