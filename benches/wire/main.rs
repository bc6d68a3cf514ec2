//! What a layer costs on the wire: CPU time per request of the process that has it, against the same process with an identity layer.
//!
//! ```text
//! cargo bench --bench wire -- --json PATH
//! ```
//!
//! Each stack is a process of its own. Rounds alternate between them, and each round's stacks are compared with each other, so that
//! what the machine does beside this meets them all.

mod axum;
mod hyper;
mod kind;
mod measured;
mod parent;
mod policy;
mod report;
mod stacks;
#[path = "../support/mod.rs"]
mod support;
mod tonic;
mod traffic;

use std::process::ExitCode;

use kind::Kind;
use support::{Arguments, ended};

/// A run whose control is off is repeated so often.
const ATTEMPTS: u32 = 3;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [first, kind, stack, address] = words.as_slice()
        && first == measured::ARGUMENT
    {
        return measured::main(kind, stack, address);
    }
    ended("wire", run())
}

fn run() -> Result<bool, String> {
    let arguments = Arguments::read(&["json", "rounds", "requests", "only"], &[])?;
    let plan = parent::Plan {
        rounds: arguments.number("rounds", 31)?,
        requests: arguments.number("requests", 3_000)?,
    };
    let mut report = report::Report::new(&plan)?;
    let kinds = Kind::ALL.into_iter();
    for kind in kinds.filter(|kind| {
        arguments
            .text("only")
            .is_none_or(|only| only == kind.name())
    }) {
        let quiet = (1..=ATTEMPTS).find_map(|attempt| {
            let found = match parent::measure(kind, &plan) {
                Ok(found) => found,
                Err(problem) => return Some(Err(format!("{}: {problem}", kind.name()))),
            };
            let quiet = report.add(kind, &found);
            if !quiet {
                println!(
                    "{}: attempt {attempt} of {ATTEMPTS} was too noisy",
                    kind.name()
                );
            }
            quiet.then_some(Ok(()))
        });
        quiet.ok_or("the machine is too noisy: bare against bare is not within 2 %")??;
    }
    arguments.write(&report.figures())?;
    Ok(true)
}
