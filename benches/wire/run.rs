//! A whole run: each kind, again where the machine was too noisy.

use std::process::ExitCode;

use crate::{
    kind::Kind,
    measured, parent,
    report::Report,
    support::{Arguments, ended},
};

/// A run whose control is off is repeated so often.
const ATTEMPTS: u32 = 3;

pub(crate) fn main(name: &str) -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [first, kind, stack, address] = words.as_slice()
        && first == measured::ARGUMENT
    {
        return measured::main(kind, stack, address);
    }
    ended(name, run())
}

fn run() -> Result<bool, String> {
    let arguments = Arguments::read(&["json", "rounds", "requests", "only"], &[])?;
    let plan = parent::Plan {
        rounds: arguments.number("rounds", 31)?,
        requests: arguments.number("requests", 3_000)?,
    };
    let mut report = Report::new(&plan)?;
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
