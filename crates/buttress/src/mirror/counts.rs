//! What has become of copies.

use std::sync::atomic::{AtomicU64, Ordering};

/// What has become of the copies that a [`Mirror`](super::Mirror) has made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MirrorCounts {
    /// So many were sent.
    pub sent: u64,
    /// Drawn, and not sent: the request may not be handled twice, is an extra send or cannot be copied, its account was empty, or too many were under way.
    pub skipped: u64,
    /// The second service failed, by its answer or without any, or took too long.
    pub failed: u64,
    /// Both answered, and alike.
    pub same: u64,
    /// Both answered, and not alike.
    pub different: u64,
}

/// The same, being counted.
#[derive(Debug, Default)]
pub(super) struct Counting {
    pub(super) sent: Count,
    pub(super) skipped: Count,
    pub(super) failed: Count,
    pub(super) same: Count,
    pub(super) different: Count,
}

#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn one(&self) {
        // Relaxed, here and below: each is a number by itself.
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counting {
    pub(super) fn now(&self) -> MirrorCounts {
        MirrorCounts {
            sent: self.sent.now(),
            skipped: self.skipped.now(),
            failed: self.failed.now(),
            same: self.same.now(),
            different: self.different.now(),
        }
    }
}
