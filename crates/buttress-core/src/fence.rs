//! Who was the primary last.

use std::{error::Error, fmt};

use crate::sync::{AtomicU64, Ordering};

/// What a lease of the primary's place was numbered with: each one higher than all before it.
///
/// Whoever elects a primary numbers its lease (`zxid` of a `ZooKeeper` node, revision of an etcd key) and says so in the
/// [endpoint](crate::Endpoint::epoch) it publishes; it is [stamped](crate::Stamp) on each request, and who holds the data lets none pass
/// whose epoch is not the latest: a primary that has lost its lease, and does not know it, can no longer do harm. (Chubby calls it a
/// sequencer: Burrows, "The Chubby lock service", OSDI 2006, §2.4; Kleppmann a fencing token.)
///
/// Only what comes from hops that are trusted may be shown to it: an epoch that somebody made up shuts out whoever is the primary.
///
/// # Examples
///
/// ```
/// use buttress_core::Fence;
///
/// let fence = Fence::new();
/// assert!(fence.pass(7).is_ok() && fence.pass(7).is_ok());
/// assert_eq!(fence.pass(6).unwrap_err().to_string(), "of epoch 6, and epoch 7 has begun");
/// ```
#[derive(Debug)]
pub struct Fence(AtomicU64);

/// Whoever sends this is no longer the primary, or does not know who is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaleEpoch {
    /// Of which epoch it is.
    pub epoch: u64,
    /// Which has begun.
    pub latest: u64,
}

impl Fence {
    /// Nobody has passed.
    #[must_use]
    pub fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Lets pass what is of the latest epoch, or begins a later one.
    ///
    /// # Errors
    ///
    /// Of an earlier one.
    pub fn pass(&self, epoch: u64) -> Result<(), StaleEpoch> {
        // Relaxed: one number that only grows. What it fences is ordered by whoever calls this, under the lock of the data.
        let latest = self.0.fetch_max(epoch, Ordering::Relaxed);
        if epoch < latest {
            return Err(StaleEpoch { epoch, latest });
        }
        Ok(())
    }

    /// The latest that has passed; zero for none.
    #[must_use]
    pub fn latest(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Default for Fence {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for StaleEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "of epoch {}, and epoch {} has begun",
            self.epoch, self.latest
        )
    }
}

impl Error for StaleEpoch {}
