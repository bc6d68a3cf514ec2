//! What may go wrong in a body.

use std::{error::Error, fmt};

use buttress_core::Refusal;

use crate::classify;

type BoxError = Box<dyn Error + Send + Sync>;

/// The error of a [`GuardedBody`](crate::GuardedBody).
///
/// One type for all bodies. It boxes theirs, since there is no bound that errors with a type of their own and boxed ones both meet,
/// save the one that servers and clients ask for: that they can be boxed.
///
/// # Examples
///
/// ```
/// use buttress_http::BodyError;
///
/// let error = BodyError::inner(std::io::Error::other("cable"));
/// let inner = std::error::Error::source(&error).unwrap();
/// assert!(inner.is::<std::io::Error>() && error.refusal().is_none());
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum BodyError {
    /// The body's own, as it was.
    Inner(BoxError),
    /// We cut it short.
    Refused(Refusal),
}

impl BodyError {
    /// An error of the body's own.
    pub fn inner(error: impl Into<BoxError>) -> Self {
        Self::Inner(error.into())
    }

    /// How it was said that it was cut short, by us or by layers of ours further in.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        classify::links(self).find_map(|error| error.downcast_ref().copied())
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inner(error) => error.fmt(f),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

impl Error for BodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Inner(error) => Some(&**error),
            Self::Refused(refusal) => Some(refusal),
        }
    }
}
