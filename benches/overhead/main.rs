//! What the layers cost a call: time, clock reads, instructions and allocations, against the bare service in the same
//! run.
//!
//! ```text
//! cargo bench --bench overhead -- --json PATH --seed 1 --rounds 61
//! ```
//!
//! A case and its bare twin share requests, failures and executor, and take turns within each round. Instructions are
//! counted by valgrind in children of this process that make one case's calls; without valgrind they are absent. A
//! clock read is what one costs in the same rounds. `error` is the standard error of a median.

mod cases;
mod control;
mod measure;
mod report;
mod scaling;
mod services;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use self::{report::Report, support::Arguments};

/// Calls in a batch: milliseconds, so that reading the clock around it is nothing.
const CALLS: u64 = 20_000;

/// Calls over which allocations are counted.
const COUNTED: u64 = 1_000_000;

fn main() -> ExitCode {
    support::ended("overhead", run())
}

fn run() -> Result<bool, String> {
    let arguments = Arguments::read(&["json", "seed", "rounds", "case", "calls"], &[])?;
    let seed = arguments.number("seed", 1)?;
    let rounds = arguments.number("rounds", 61)?;
    if let Some(name) = arguments.text("case") {
        measure::only(name, arguments.number("calls", 1)?, seed)?;
        return Ok(true);
    }
    let mut report = Report::new(seed, rounds);
    for place in cases::PLACES {
        for (name, figures) in measure::place(place, rounds, seed)? {
            report.case(name, &figures);
        }
    }
    report.scaling(&scaling::measure(rounds, seed));
    let figures = report.figures();
    arguments.write(&figures)?;
    Ok(control::believed(&figures))
}
