//! What ends a copy of a body.

use std::{error::Error, fmt};

/// Why a copy of a body cannot be read on. It is the error, or in the chain of the error, of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayError {
    /// Another copy is ahead by more than may be kept: the call is committed to that one.
    Behind,
    /// The body failed, and another copy was given its error. In its words.
    Source(Box<str>),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Behind => {
                f.write_str("more of the body has been sent than is kept: it cannot be sent again")
            }
            Self::Source(words) => write!(f, "the body failed: {words}"),
        }
    }
}

impl Error for ReplayError {}
