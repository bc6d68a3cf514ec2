//! Running other programs.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

/// What a step leaves behind: nothing, or a sentence about what went wrong.
pub(crate) type Done<T = ()> = Result<T, String>;

/// Runs a command to its end, showing what it prints, and hands each line of its output to `line`.
pub(crate) fn shown(command: &mut Command, mut line: impl FnMut(&str)) -> Done {
    let name = describe(command);
    println!("xtask: {name}");
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run {name}: {error}"))?;
    if let Some(output) = child.stdout.take() {
        for text in BufReader::new(output).lines() {
            let text = text.map_err(|error| format!("cannot read what {name} prints: {error}"))?;
            println!("{text}");
            line(&text);
        }
    }
    let status = child
        .wait()
        .map_err(|error| format!("cannot wait for {name}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("failed: {name} ({status})"))
    }
}

/// Runs a command quietly, for its output.
pub(crate) fn output(command: &mut Command) -> Done<String> {
    let name = describe(command);
    let output = command
        .output()
        .map_err(|error| format!("cannot run {name}: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "failed: {name}: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("{name} printed no text: {error}"))
}

/// Does it run, and end well?
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}
