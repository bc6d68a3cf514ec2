//! What callers see.

use std::fmt;

use buttress::Refusal;

/// A call that failed: the service said so, or a layer refused.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failed {
    Broken,
    Refused(Refusal),
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken => f.write_str("broken"),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

impl std::error::Error for Failed {}
