//! What may go wrong in a body.

use std::{error::Error, fmt};

use buttress_core::Refusal;

/// The error of a [`GuardedBody`](crate::GuardedBody).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError<E> {
    /// The body's own, unchanged.
    Inner(E),
    /// We cut it short.
    Refused(Refusal),
}

impl<E: fmt::Display> fmt::Display for BodyError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inner(error) => error.fmt(f),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

impl<E: Error + 'static> Error for BodyError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Inner(error) => Some(error),
            Self::Refused(refusal) => Some(refusal),
        }
    }
}
