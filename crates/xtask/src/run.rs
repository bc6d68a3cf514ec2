//! Running other programs.

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use crate::trouble::{Done, Trouble};

/// The cargo that runs us, so that `cargo +nightly xtask` stays on nightly.
pub(crate) fn cargo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// Runs a command to its end, showing what it prints, and hands each line of its output to `line`.
pub(crate) fn shown(command: &mut Command, mut line: impl FnMut(&str)) -> Done {
    let name = described(command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| Trouble::Unable(format!("cannot run `{name}`: {error}")))?;
    if let Some(output) = child.stdout.take() {
        for bytes in BufReader::new(output).split(b'\n') {
            let bytes = bytes
                .map_err(|error| Trouble::Unable(format!("cannot read from `{name}`: {error}")))?;
            // Tests may print what is no UTF-8.
            let text = String::from_utf8_lossy(&bytes);
            println!("{text}");
            line(&text);
        }
    }
    let status = child
        .wait()
        .map_err(|error| Trouble::Unable(format!("cannot wait for `{name}`: {error}")))?;
    if status.success() {
        Ok(())
    } else {
        Err(Trouble::Broken(format!("`{name}` failed ({status})")))
    }
}

/// Runs a command quietly, for its output.
pub(crate) fn output(command: &mut Command) -> Done<String> {
    let name = described(command);
    let output = command
        .output()
        .map_err(|error| Trouble::Unable(format!("cannot run `{name}`: {error}")))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Trouble::Unable(format!("`{name}` failed:\n{said}")))
    }
}

/// Does it run, and end well?
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The command as one would type it.
pub(crate) fn described(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let mut words = vec![
        program
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .trim_end_matches(".exe")
            .to_owned(),
    ];
    words.extend(
        command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned()),
    );
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_a_command_as_one_would_type_it() {
        let mut command = Command::new("/opt/rust/bin/cargo");
        command.args(["test", "--doc"]);
        assert_eq!(described(&command), "cargo test --doc");
    }

    #[test]
    fn a_program_that_is_not_there_is_no_verdict() {
        let missing = &mut Command::new("no-such-program-anywhere");
        assert!(!succeeds(missing));
        assert!(matches!(output(missing), Err(Trouble::Unable(_))));
        assert!(matches!(shown(missing, |_| {}), Err(Trouble::Unable(_))));
    }
}
