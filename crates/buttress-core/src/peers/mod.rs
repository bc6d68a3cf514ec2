//! Peers: what the others of a set say about one endpoint, and how many of a set may be out at once.

mod cap;
mod deviation;
mod outlier;
mod policy;
mod slower;

pub use cap::EjectionPolicy;
pub(crate) use outlier::{common_cause, explained};
pub use policy::PeersPolicy;
pub(crate) use slower::{Spread, slower};

/// Failed calls out of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Tally {
    /// How many failed.
    pub failures: u64,
    /// Of how many.
    pub calls: u64,
}

impl Tally {
    /// `failures` of `calls`; more failures than calls are as many as calls.
    #[must_use]
    pub const fn new(failures: u64, calls: u64) -> Self {
        Self {
            failures: if failures < calls { failures } else { calls },
            calls,
        }
    }

    /// The share that failed. Absent without a call.
    #[must_use]
    pub fn rate(self) -> Option<f64> {
        (self.calls > 0).then(|| self.failures as f64 / self.calls as f64)
    }

    pub(crate) const fn plus(self, other: Self) -> Self {
        Self::new(
            self.failures.saturating_add(other.failures),
            self.calls.saturating_add(other.calls),
        )
    }

    pub(crate) const fn minus(self, other: Self) -> Self {
        Self::new(
            self.failures.saturating_sub(other.failures),
            self.calls.saturating_sub(other.calls),
        )
    }
}
