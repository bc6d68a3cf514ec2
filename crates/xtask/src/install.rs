//! What the tests need beside Rust and a linker.

use std::process::Command;

use crate::{
    run::{output, shown, succeeds},
    trouble::{Done, Trouble},
};

/// Programs the tests run, and the Debian packages they come in.
const NEEDED: [(&str, &str); 1] = [("valgrind", "valgrind")];

/// Installs what is missing, or says what to install. Never goes on without.
pub(crate) fn all() -> Done {
    let missing: Vec<&str> = NEEDED
        .into_iter()
        .filter(|(program, _)| !present(program))
        .map(|(_, package)| package)
        .collect();
    if missing.is_empty() {
        println!(
            "xtask: already there: {}",
            NEEDED.map(|(program, _)| program).join(" ")
        );
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

fn present(program: &str) -> bool {
    succeeds(Command::new(program).arg("--version"))
}
