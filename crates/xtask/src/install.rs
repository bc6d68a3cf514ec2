//! What the tests need beside Rust and a linker.

use std::process::Command;

use crate::{
    run::{output, shown, succeeds},
    trouble::{Done, Trouble},
};

/// Programs the tests run, and the Debian packages they come in.
const NEEDED: [(&str, &str); 1] = [
    // Counts the instructions of the benches.
    ("valgrind", "valgrind"),
];

/// Installs what is missing, or says what to install. Never goes on without.
pub(crate) fn all() -> Done {
    let (there, missing): (Vec<_>, Vec<_>) =
        NEEDED.into_iter().partition(|(program, _)| present(program));
    if !there.is_empty() {
        println!("xtask: already there: {}", programs(&there));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    install(&packages).map_err(|trouble| {
        trouble.during(&format!("the tests need {}", programs(&missing)))
    })?;
    // A package need not hold the program we think it does.
    match missing.iter().find(|(program, _)| !present(program)) {
        None => Ok(()),
        Some((program, package)) => Err(Trouble::Unable(format!(
            "installed {package}, yet `{program} --version` does not run; see what it says"
        ))),
    }
}

fn install(packages: &[&str]) -> Done {
    let names = packages.join(" ");
    if !succeeds(Command::new("apt-get").arg("--version")) {
        return Err(Trouble::Unable(
            "there is no apt-get here; install it by other means, so that it is on PATH".to_owned(),
        ));
    }
    let root = output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !root && !succeeds(Command::new("sudo").args(["-n", "true"])) {
        return Err(Trouble::Unable(format!(
            "run: sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends {names}'"
        )));
    }
    println!("xtask: installing {names}");
    let apt = |arguments: &[&str]| {
        let before: &[&str] = if root { &[] } else { &["sudo", "-n"] };
        let words = [before, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"], arguments].concat();
        shown(Command::new(words[0]).args(&words[1..]), |_| {})
            // Nothing was tested yet, so nothing is broken.
            .map_err(|trouble| match trouble {
                Trouble::Broken(problem) | Trouble::Unable(problem) => Trouble::Unable(problem),
            })
    };
    apt(&["update"])?;
    apt(&[&["install", "-y", "--no-install-recommends"], packages].concat())
}

fn present(program: &str) -> bool {
    succeeds(Command::new(program).arg("--version"))
}

fn programs(needed: &[(&str, &str)]) -> String {
    let names: Vec<&str> = needed.iter().map(|(program, _)| *program).collect();
    names.join(" ")
}
