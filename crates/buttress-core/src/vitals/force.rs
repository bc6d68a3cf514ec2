//! What is done with an endpoint by hand.

use std::fmt;

/// What is done with an endpoint by hand, whatever is known of it. It stays so until it is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Force {
    /// It is called no more.
    Open,
    /// It is called no more, for it is to be taken out of service: calls under way may end.
    Drain,
    /// It is called. What is known against it is forgotten; alarms are noted down and not acted on.
    Closed,
    /// It is called. Alarms are noted down and not acted on.
    MetricsOnly,
    /// It is called, and only counted.
    Disabled,
}

impl Force {
    /// Is it called no more?
    pub(crate) const fn withdraws(self) -> bool {
        matches!(self, Self::Open | Self::Drain)
    }
}

impl fmt::Display for Force {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "forced open",
            Self::Drain => "draining",
            Self::Closed => "forced closed",
            Self::MetricsOnly => "metrics only",
            Self::Disabled => "disabled",
        })
    }
}
