//! How a command ends when not well.

use std::{fmt, process::ExitCode};

/// What a step leaves behind: nothing or something, or why not.
pub(crate) type Done<T = ()> = Result<T, Trouble>;

/// Why a command did not end well, in a sentence. The exit code tells a script whose turn it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It was checked, and does not hold. Exit code 1.
    Broken(String),
    /// It could not be checked: a program is missing, or said what cannot be read. Exit code 2.
    Unable(String),
    /// It was not called as it is meant to be. Exit code 2.
    Misused(String),
}

impl Trouble {
    pub(crate) fn code(&self) -> ExitCode {
        match self {
            Self::Broken(_) => ExitCode::FAILURE,
            Self::Unable(_) | Self::Misused(_) => ExitCode::from(2),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Broken(why) | Self::Unable(why) | Self::Misused(why)) = self;
        f.write_str(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_rule_is_not_an_unchecked_one() {
        let why = String::new;
        assert_eq!(Trouble::Broken(why()).code(), ExitCode::from(1));
        assert_eq!(Trouble::Unable(why()).code(), ExitCode::from(2));
        assert_eq!(Trouble::Misused(why()).code(), ExitCode::from(2));
    }
}
