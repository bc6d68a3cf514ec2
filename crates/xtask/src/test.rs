//! Every test a merge needs, and the longer ones.

use std::process::Command;

use crate::{
    install,
    run::{Done, shown},
    summary::Summary,
};

/// Every test a merge needs.
pub(crate) fn merge() -> Done {
    install::all()?;
    let suite = [
        "test",
        "--workspace",
        "--all-features",
        "--locked",
        "--lib",
        "--bins",
        "--tests",
        "--examples",
    ];
    let docs = ["test", "--workspace", "--all-features", "--locked", "--doc"];
    all(&mut [cargo(&suite), cargo(&docs)])
}

/// More cases, ignored tests, optimized.
pub(crate) fn verify() -> Done {
    merge()?;
    let suite = [
        "test",
        "--workspace",
        "--all-features",
        "--locked",
        "--release",
        "--lib",
        "--bins",
        "--tests",
    ];
    let mut longer = cargo(&suite);
    longer
        .args(["--", "--include-ignored"])
        .env("PROPTEST_CASES", "20000");
    all(&mut [longer])
}

fn all(steps: &mut [Command]) -> Done {
    let mut summary = Summary::default();
    let count = steps.len();
    let mut done = Ok(());
    for (index, step) in steps.iter_mut().enumerate() {
        println!("xtask: [{}/{count}]", index + 1);
        done = done.and(shown(step, |line| summary.read(line)));
    }
    println!("{summary}");
    if done.is_ok() && summary.passed == 0 {
        return Err("no test ran".to_owned());
    }
    done
}

fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.args(arguments);
    cargo
}
