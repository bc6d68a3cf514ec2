//! Places at hand.

use crate::sync::{AtomicU64, Ordering};

/// Places that one lane has at hand.
#[derive(Debug)]
pub(crate) struct Till(AtomicU64);

impl Till {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(super) fn put(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn take(&self) -> bool {
        let mut seen = self.0.load(Ordering::SeqCst);
        while let Some(next) = seen.checked_sub(1) {
            match (self.0).compare_exchange(seen, next, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    pub(super) fn empty(&self) -> u64 {
        match self.0.load(Ordering::SeqCst) {
            0 => 0,
            _ => self.0.swap(0, Ordering::SeqCst),
        }
    }
}
