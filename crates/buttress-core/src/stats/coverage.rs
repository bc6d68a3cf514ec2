//! How often another endpoint made good what failed at one.

use crate::sync::{AtomicU64, Ordering};

/// Calls that failed where they were sent first, and those of them that somebody else answered: the coverage of fault-tolerance
/// theory, measured (Bouricius, Carter and Schneider 1969).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Coverage {
    /// Calls whose first attempt failed here.
    pub failed: u64,
    /// Of these, those that were answered all the same.
    pub covered: u64,
}

impl Coverage {
    /// The share that was covered. None is known without a failure.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        (self.failed > 0).then(|| self.covered as f64 / self.failed as f64)
    }
}

/// Counts it. Nothing is written while first attempts succeed.
#[derive(Debug, Default)]
pub(crate) struct Switches {
    failed: AtomicU64,
    covered: AtomicU64,
}

impl Switches {
    pub(crate) fn count(&self, covered: bool) {
        // Release after: whoever counts one as covered counts it as failed.
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.covered
            .fetch_add(u64::from(covered), Ordering::Release);
    }

    pub(crate) fn read(&self) -> Coverage {
        let covered = self.covered.load(Ordering::Acquire);
        Coverage {
            covered,
            failed: self.failed.load(Ordering::Relaxed),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn is_unknown_until_something_fails() {
        let switches = Switches::default();
        assert_eq!(switches.read().ratio(), None);
        [true, true, false, true]
            .into_iter()
            .for_each(|covered| switches.count(covered));
        assert_eq!(switches.read().ratio(), Some(0.75));
    }
}
