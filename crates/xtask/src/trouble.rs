//! What can go wrong, and the exit code it becomes.

use std::process::ExitCode;

/// What a step leaves behind.
pub(crate) type Done<T = ()> = Result<T, Trouble>;

/// What went wrong, as a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It was looked at, and does not hold.
    Broken(String),
    /// It could not be looked at.
    Unable(String),
}

impl Trouble {
    /// Prefixes what was being done.
    pub(crate) fn during(self, what: &str) -> Self {
        match self {
            Self::Broken(problem) => Self::Broken(format!("{what}: {problem}")),
            Self::Unable(problem) => Self::Unable(format!("{what}: {problem}")),
        }
    }
}

/// Says what went wrong, if anything did, and how the process is to end.
pub(crate) fn told(done: &Done) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Trouble::Broken(problem)) => {
            eprintln!("xtask: {problem}");
            ExitCode::FAILURE
        }
        Err(Trouble::Unable(problem)) => {
            eprintln!("xtask: {problem}");
            ExitCode::from(3)
        }
    }
}
