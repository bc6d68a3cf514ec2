//! Calls as their callers see them, where no endpoint's counts tell.

use crate::sync::{Arc, AtomicU64, Ordering};

/// What became of calls that the counts of endpoints do not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CallCounts {
    /// Refused before they were begun: their deadline had passed.
    pub expired: u64,
    /// Given up under way, or between two attempts: their deadline passed.
    pub overdue: u64,
    /// Answered by what stands in for the destination. No successes of its own.
    pub degraded: u64,
    /// Sends beyond the first of a call: after a failure, or beside one under way. All attempts that were started over those without
    /// these is how much the load is amplified.
    pub extra: u64,
    /// Not sent again, though there was a copy: more of the request had gone by than is kept, or it had failed.
    pub committed: u64,
    /// Not sent beside another, though it was time to: the endpoint would have seen more of its calls dropped than it bears.
    pub withheld: u64,
}

/// The calls under one policy of a root. Clones share the counts.
#[derive(Clone, Debug)]
pub struct Calls(Arc<Counters>);

#[derive(Debug)]
struct Counters {
    expired: AtomicU64,
    overdue: AtomicU64,
    degraded: AtomicU64,
    extra: AtomicU64,
    committed: AtomicU64,
    withheld: AtomicU64,
}

impl Default for Calls {
    fn default() -> Self {
        Self::new()
    }
}

impl Calls {
    /// None so far, and seen in no registry.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Counters {
            expired: AtomicU64::new(0),
            overdue: AtomicU64::new(0),
            degraded: AtomicU64::new(0),
            extra: AtomicU64::new(0),
            committed: AtomicU64::new(0),
            withheld: AtomicU64::new(0),
        }))
    }

    /// What became of them so far.
    #[must_use]
    pub fn counts(&self) -> CallCounts {
        // Relaxed: sums, of no moment.
        CallCounts {
            expired: self.0.expired.load(Ordering::Relaxed),
            overdue: self.0.overdue.load(Ordering::Relaxed),
            degraded: self.0.degraded.load(Ordering::Relaxed),
            extra: self.0.extra.load(Ordering::Relaxed),
            committed: self.0.committed.load(Ordering::Relaxed),
            withheld: self.0.withheld.load(Ordering::Relaxed),
        }
    }

    /// One was refused before it was begun: its deadline had passed. That is no endpoint's failure.
    pub fn expired(&self) {
        self.0.expired.fetch_add(1, Ordering::Relaxed);
    }

    /// One was given up, for its deadline passed.
    pub fn overdue(&self) {
        self.0.overdue.fetch_add(1, Ordering::Relaxed);
    }

    /// One was sent once more.
    pub fn extra(&self) {
        self.0.extra.fetch_add(1, Ordering::Relaxed);
    }

    /// One was not sent again, for its copy could no longer be read from its beginning.
    pub fn committed(&self) {
        self.0.committed.fetch_add(1, Ordering::Relaxed);
    }

    /// One was not sent beside another, for it would have been one too many to be dropped.
    pub fn withheld(&self) {
        self.0.withheld.fetch_add(1, Ordering::Relaxed);
    }

    /// One was answered by what stands in for the destination.
    pub fn degraded(&self) {
        self.0.degraded.fetch_add(1, Ordering::Relaxed);
    }
}
