//! What is kept of a body, and of all.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::Kept;

/// Bytes kept in the whole process.
pub(super) static HELD: AtomicUsize = AtomicUsize::new(0);

/// The bytes that one body keeps, paid from those of all. Dropped, it gives back.
#[derive(Debug)]
pub(super) struct Account {
    held: usize,
    limits: Kept,
    all: &'static AtomicUsize,
}

impl Account {
    pub(super) const fn new(limits: Kept, all: &'static AtomicUsize) -> Self {
        Self {
            held: 0,
            limits,
            all,
        }
    }

    /// Is there room for so many more? Then they are taken.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let Some(held) = self.held.checked_add(bytes) else {
            return false;
        };
        // Relaxed: it counts, and orders nothing.
        let room = held <= self.limits.each
            && self
                .all
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |all| {
                    all.checked_add(bytes)
                        .filter(|all| *all <= self.limits.total)
                })
                .is_ok();
        if room {
            self.held = held;
        }
        room
    }

    /// Takes so many more, room or not.
    pub(super) fn exceed(&mut self, bytes: usize) {
        self.held += bytes;
        self.all.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn give(&mut self, bytes: usize) {
        let bytes = bytes.min(self.held);
        self.held -= bytes;
        self.all.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn give_all(&mut self) {
        self.give(self.held);
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.give_all();
    }
}
