//! Running other programs.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use crate::trouble::{Done, Trouble};

/// The cargo that runs us, with these arguments.
pub(crate) fn cargo<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = Command::new(program);
    cargo.args(arguments);
    cargo
}

/// Runs a command to its end, showing what it prints, and hands each line of its output to `line`.
pub(crate) fn shown(command: &mut Command, mut line: impl FnMut(&str)) -> Done {
    let name = describe(command);
    println!("xtask: {name}");
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| Trouble::Unable(format!("cannot run {name}: {error}")))?;
    if let Some(output) = child.stdout.take() {
        for text in BufReader::new(output).lines() {
            let text = text.map_err(|error| {
                Trouble::Unable(format!("cannot read what {name} prints: {error}"))
            })?;
            println!("{text}");
            line(&text);
        }
    }
    let status = child
        .wait()
        .map_err(|error| Trouble::Unable(format!("cannot wait for {name}: {error}")))?;
    if status.success() {
        Ok(())
    } else {
        Err(Trouble::Broken(format!("failed: {name} ({status})")))
    }
}

/// Runs a command quietly, for its output.
pub(crate) fn output(command: &mut Command) -> Done<String> {
    let name = describe(command);
    let output = command
        .output()
        .map_err(|error| Trouble::Unable(format!("cannot run {name}: {error}")))?;
    if !output.status.success() {
        let says = String::from_utf8_lossy(&output.stderr);
        return Err(Trouble::Unable(format!("failed: {name}: {says}")));
    }
    String::from_utf8(output.stdout)
        .map_err(|error| Trouble::Unable(format!("{name} printed no text: {error}")))
}

/// Does it run, and end well?
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The words one would type: what is set in its environment, the program's name, its arguments.
fn describe(command: &Command) -> String {
    let text = |word: &OsStr| word.to_string_lossy().into_owned();
    let set = command.get_envs().filter_map(|(key, value)| {
        let value = text(value?);
        let quote = if value.contains(' ') { "\"" } else { "" };
        Some(format!("{}={quote}{value}{quote}", text(key)))
    });
    let program = std::path::Path::new(command.get_program());
    let program = text(program.file_name().unwrap_or(program.as_os_str()));
    let words: Vec<String> = set
        .chain([program])
        .chain(command.get_args().map(text))
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn describes_what_one_would_type() {
        let mut command = Command::new("/opt/bin/cargo");
        command
            .args(["test", "--lib"])
            .env("RUSTFLAGS", "--cfg loom");
        assert_eq!(
            describe(&command),
            "RUSTFLAGS=\"--cfg loom\" cargo test --lib"
        );
    }

    #[test]
    fn what_fails_is_broken_and_what_does_not_run_is_unable() {
        let failing = shown(&mut Command::new("false"), |_| {});
        assert!(matches!(failing, Err(Trouble::Broken(_))), "{failing:?}");
        let missing = shown(&mut Command::new("/no/such/program"), |_| {});
        assert!(matches!(missing, Err(Trouble::Unable(_))), "{missing:?}");
    }
}
