//! What a bench is asked.

use std::{fs, process::ExitCode, str::FromStr};

use serde_json::Value;

/// The options of a bench: `--name value` each, or `--flag` alone. `--bench` alone is cargo's, and means nothing.
#[derive(Debug)]
pub(crate) struct Arguments(Vec<(String, String)>);

impl Arguments {
    /// Reads the command line; whatever is neither in `known` nor in `flags` is refused.
    pub(crate) fn read(known: &[&str], flags: &[&str]) -> Result<Self, String> {
        let mut options = Vec::new();
        let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
        while let Some(word) = words.next() {
            if let Some(flag) = word.strip_prefix("--").filter(|flag| flags.contains(flag)) {
                options.push((flag.to_owned(), String::new()));
                continue;
            }
            let name = word.strip_prefix("--").filter(|name| known.contains(name));
            let Some(name) = name else {
                let known = known.join(" VALUE, --");
                return Err(format!("no option {word:?}; there are --{known} VALUE"));
            };
            let value = words.next();
            let value = value.ok_or_else(|| format!("--{name} needs a value"))?;
            options.push((name.to_owned(), value));
        }
        Ok(Self(options))
    }

    /// What was said of an option; of a flag, nothing, if it was set.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let mut named = self.0.iter().filter(|(option, _)| option == name);
        named.next_back().map(|(_, value)| value.as_str())
    }

    pub(crate) fn number<N: FromStr>(&self, name: &str, default: N) -> Result<N, String> {
        self.text(name).map_or(Ok(default), |text| {
            text.parse()
                .map_err(|_| format!("--{name} {text}: not such a number"))
        })
    }

    /// Writes what was found to the file asked for with `--json`, if any.
    pub(crate) fn write(&self, figures: &Value) -> Result<(), String> {
        self.text("json").map_or(Ok(()), |path| {
            fs::write(path, format!("{figures:#}\n")).map_err(|error| format!("{path}: {error}"))
        })
    }
}

/// Ends a bench: 1 if a control did not fail as it must, 2 if the bench could not run.
pub(crate) fn ended(name: &str, done: Result<bool, String>) -> ExitCode {
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("{name}: {problem}");
            ExitCode::from(2)
        }
    }
}
