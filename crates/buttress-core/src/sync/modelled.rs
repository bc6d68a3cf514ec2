//! Sequential consistency, which loom has in fences only: it takes `SeqCst` accesses for acquire and release, and would
//! show races that no machine has.

use std::cell::Cell;

use ::loom::sync::atomic::{self, Ordering, fence};

::loom::thread_local! {
    /// Has this thread written sequentially consistently, and not read so since?
    static WRITTEN: Cell<bool> = Cell::new(false);
}

/// Loom's, with a fence between a `SeqCst` write and the next `SeqCst` read of a thread: what Dekker's argument is built
/// on. It stands where both are `SeqCst` and nowhere else, so that a model shows it when one of them is weakened.
#[derive(Debug, Default)]
pub(crate) struct AtomicU64(atomic::AtomicU64);

impl AtomicU64 {
    pub(crate) fn new(value: u64) -> Self {
        Self(atomic::AtomicU64::new(value))
    }

    pub(crate) fn load(&self, order: Ordering) -> u64 {
        reads(order);
        self.0.load(order)
    }

    pub(crate) fn store(&self, value: u64, order: Ordering) {
        if order == Ordering::SeqCst {
            // Loom would order it before an exchange that came first and read an older value, which no machine does;
            // as an exchange of its own it comes after.
            self.0.swap(value, Ordering::Release);
        } else {
            self.0.store(value, order);
        }
        writes(order);
    }

    pub(crate) fn swap(&self, value: u64, order: Ordering) -> u64 {
        reads(order);
        let before = self.0.swap(value, order);
        writes(order);
        before
    }

    pub(crate) fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        reads(order);
        let before = self.0.fetch_add(value, order);
        writes(order);
        before
    }

    pub(crate) fn fetch_max(&self, value: u64, order: Ordering) -> u64 {
        reads(order);
        let before = self.0.fetch_max(value, order);
        writes(order);
        before
    }

    pub(crate) fn fetch_or(&self, value: u64, order: Ordering) -> u64 {
        reads(order);
        let before = self.0.fetch_or(value, order);
        writes(order);
        before
    }

    pub(crate) fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        reads(success);
        let exchanged = self.0.compare_exchange(current, new, success, failure);
        if exchanged.is_ok() {
            writes(success);
        }
        exchanged
    }

    pub(crate) fn fetch_update(
        &self,
        set: Ordering,
        fetch: Ordering,
        next: impl FnMut(u64) -> Option<u64>,
    ) -> Result<u64, u64> {
        self.0.fetch_update(set, fetch, next)
    }
}

fn writes(order: Ordering) {
    if order == Ordering::SeqCst {
        WRITTEN.with(|written| written.set(true));
    }
}

fn reads(order: Ordering) {
    if order == Ordering::SeqCst && WRITTEN.with(|written| written.replace(false)) {
        fence(Ordering::SeqCst);
    }
}
