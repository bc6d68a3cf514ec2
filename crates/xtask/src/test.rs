//! Every test a merge needs, and the longer ones.

use std::process::{Command, ExitCode};

use crate::{
    install,
    run::{cargo, described, shown},
    steps::Steps,
    summary::Summary,
    trouble::{Trouble, told},
};

/// A failing binary must not hide what the others have to say.
const EVERY: [&str; 5] = [
    "test",
    "--workspace",
    "--all-features",
    "--locked",
    "--no-fail-fast",
];

/// All targets but benches: those have no harness, and measure.
const TARGETS: [&str; 3] = ["--lib", "--bins", "--tests"];

/// Every test a merge needs.
pub(crate) fn merge() -> ExitCode {
    let mut steps = Steps::new(3);
    let there = steps.take("programs the tests need", install::all);
    if there.is_err() {
        return told(&there);
    }
    let suite = cargo(EVERY.into_iter().chain(TARGETS).chain(["--examples"]));
    let docs = cargo(EVERY.into_iter().chain(["--doc"]));
    counted(&mut steps, [suite, docs])
}

/// A merge's tests, then all but the documentation's again: optimized, ignored ones too, with more cases.
pub(crate) fn verify() -> ExitCode {
    let merged = merge();
    if merged != ExitCode::SUCCESS {
        return merged;
    }
    let all = ["--release"].into_iter().chain(TARGETS);
    let mut longer = cargo(EVERY.into_iter().chain(all));
    longer
        .args(["--", "--include-ignored"])
        .env("PROPTEST_CASES", "20000");
    counted(&mut Steps::new(1), [longer])
}

/// Runs them all, whatever the first ones say. The sum of their tests is the last line.
fn counted<const N: usize>(steps: &mut Steps, commands: [Command; N]) -> ExitCode {
    let mut summary = Summary::default();
    let mut done = Ok(());
    for mut command in commands {
        let what = described(&command);
        let ran = steps.take(&what, || shown(&mut command, |line| summary.read(line)));
        done = done.and(ran);
    }
    if done.is_ok() && summary.ran() == 0 {
        done = Err(Trouble::Broken(
            "no test ran; see which targets the commands above chose".to_owned(),
        ));
    }
    let code = told(&done);
    println!("{summary}");
    code
}
