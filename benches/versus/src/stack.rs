//! Which layer the measured process has.

use crate::kind::Kind;

/// Which layer it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stack {
    Identity,
    /// The same again: it must cost the same.
    Control,
    /// tower-resilience's time limiter, circuit breaker and bulkhead.
    TowerResilience,
}

impl Stack {
    pub(crate) const ALL: [Self; 3] = [Self::Identity, Self::Control, Self::TowerResilience];
    /// It is not ours that is measured.
    pub(crate) const OURS: Option<Self> = None;

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Control => "control",
            Self::TowerResilience => "tower_resilience",
        }
    }

    /// Those of a kind.
    pub(crate) fn of(_: Kind) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter()
    }
}
