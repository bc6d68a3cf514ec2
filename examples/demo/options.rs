//! What the person asked for.

use std::{ffi::OsString, path::PathBuf, str::FromStr, time::Duration};

pub(crate) const HELP: &str = "\
Three replicas, five faults, and the same traffic through a naked client and three guarded ones.

Usage: cargo run --release --example demo -- [OPTIONS]

  --seconds N   how long the whole run takes, 30 to 3600; default 40
  --rate N      calls per second through each client, 20 to 2000; default 200
  --json PATH   write the figures there too; success and availability as shares of 1, null for what is not known
  --help        this

Exit status: 0 if the guarded clients did better under every fault, 1 if not or if the demo failed,
2 for wrong options, 130 if interrupted.";

/// Shorter runs leave a breaker no time to find its way back by degrees.
const SECONDS: (u64, u64) = (30, 3600);
/// Fewer calls show nothing; more would measure this machine.
const RATE: (u64, u64) = (20, 2000);

pub(crate) enum Asked {
    Help,
    Run(Options),
}

pub(crate) struct Options {
    pub(crate) run: Duration,
    /// Calls per second, through each client.
    pub(crate) rate: u64,
    pub(crate) json: Option<PathBuf>,
}

impl Options {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Asked, String> {
        let mut options = Self {
            run: Duration::from_secs(40),
            rate: 200,
            json: None,
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let text = argument.to_string_lossy();
            let (name, given) = match text.split_once('=') {
                Some((name, value)) => (name, Some(OsString::from(value))),
                None => (&*text, None),
            };
            let mut value = || {
                given
                    .clone()
                    .or_else(|| arguments.next())
                    .ok_or(format!("{name} needs a value"))
            };
            match name {
                "--seconds" => options.run = Duration::from_secs(within(name, &value()?, SECONDS)?),
                "--rate" => options.rate = within(name, &value()?, RATE)?,
                "--json" => options.json = Some(value()?.into()),
                "--help" | "-h" => return Ok(Asked::Help),
                _ => return Err(format!("unknown option {text:?}")),
            }
        }
        Ok(Asked::Run(options))
    }
}

fn within(name: &str, value: &OsString, (least, most): (u64, u64)) -> Result<u64, String> {
    let text = value.to_string_lossy();
    match u64::from_str(&text) {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!(
            "{name} needs a whole number from {least} to {most}, not {text:?}"
        )),
    }
}
