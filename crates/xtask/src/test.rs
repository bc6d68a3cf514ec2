//! Every test a merge needs, and the longer ones.

use std::process::Command;

use crate::{
    install,
    run::{cargo, shown},
    summary::Summary,
    trouble::{Done, Trouble},
};

/// All that is ours, as its lock file says, and to the end even if something fails.
const ALL: [&str; 5] = [
    "test",
    "--workspace",
    "--all-features",
    "--locked",
    "--no-fail-fast",
];

/// Every test a merge needs.
pub(crate) fn merge() -> Done {
    install::all()?;
    all(merged())
}

/// More cases, ignored tests, second opinions among them, optimized, longer models.
pub(crate) fn verify() -> Done {
    install::all()?;
    install::oracles()?;
    let mut steps = merged();
    let mut longer = cargo(ALL);
    longer
        .args(["--release", "--lib", "--bins", "--tests"])
        .args(["--", "--include-ignored"])
        .env("PROPTEST_CASES", "20000");
    steps.push(("longer", longer));
    steps.push(("models, longer", models(4)));
    all(steps)
}

type Step = (&'static str, Command);

fn merged() -> Vec<Step> {
    let mut suite = cargo(ALL);
    suite.args(["--lib", "--bins", "--tests", "--examples"]);
    let mut docs = cargo(ALL);
    docs.arg("--doc");
    // Most races need at most two preemptions, and the search grows with their number exponentially
    // (Musuvathi and Qadeer, PLDI 2007).
    vec![("suite", suite), ("docs", docs), ("models", models(2))]
}

/// Every interleaving of the tests named `loom`, with this many preemptions at most.
fn models(preemptions: u8) -> Command {
    let mut models = cargo([
        "test",
        "--locked",
        "--release",
        "-p",
        "buttress-core",
        "--lib",
    ]);
    models
        .arg("loom")
        // Flags of its own would have the usual target dir rebuilt each time.
        .args(["--target-dir", "target/loom"])
        .env("RUSTFLAGS", "--cfg loom")
        .env("LOOM_MAX_PREEMPTIONS", preemptions.to_string());
    models
}

/// Takes all steps, then says for each what ran, and the sum on the last line.
fn all(steps: Vec<Step>) -> Done {
    let count = steps.len();
    let mut report = Vec::new();
    let mut sum = Summary::default();
    let mut done = Ok(());
    for (index, (name, mut step)) in steps.into_iter().enumerate() {
        println!("xtask: [{}/{count}] {name}", index + 1);
        let mut ran = Summary::default();
        let ended = shown(&mut step, |line| ran.read(line));
        // A filter that matches nothing is no passed test.
        let ended = ended.and_then(|()| match ran.passed {
            0 => Err(Trouble::Broken(format!("{name}: no test ran"))),
            _ => Ok(()),
        });
        report.push(format!("xtask: {name}: {ran}"));
        sum += ran;
        done = done.and(ended);
    }
    println!("{}\n{sum}", report.join("\n"));
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(text: &str) -> Step {
        let mut echo = Command::new("echo");
        echo.arg(text);
        ("step", echo)
    }

    #[test]
    fn a_step_in_which_no_test_ran_is_broken() {
        let ran = "test result: ok. 1 passed; 0 failed; 0 ignored";
        assert_eq!(all(vec![step(ran), step(ran)]), Ok(()));
        let none = "test result: ok. 0 passed; 0 failed; 0 ignored";
        assert_eq!(
            all(vec![step(ran), step(none)]),
            Err(Trouble::Broken("step: no test ran".to_owned()))
        );
    }

    #[test]
    fn later_steps_are_taken_though_one_failed_and_the_first_failure_is_told() {
        let first = ("first", Command::new("false"));
        let second = ("second", Command::new("false"));
        let Err(Trouble::Broken(why)) = all(vec![first, second]) else {
            panic!("they failed");
        };
        assert!(why.starts_with("failed: false"), "{why}");
    }
}
