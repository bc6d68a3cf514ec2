//! The one door to shared state, so that loom can replace what is behind it.

// In our own tests only: a user's loom tests pass `--cfg loom` to us as well, and our types then still have to work
// outside of our models.
#[cfg(not(all(test, loom)))]
pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
};

#[cfg(all(test, loom))]
pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering, fence},
};
#[cfg(all(test, loom))]
pub(crate) use modelled::AtomicU64;

// Always std's: loom's `Arc` has no `Weak`, and what we order, we do not order by counts of owners.
pub(crate) use std::sync::{Arc, Weak};

use std::sync::PoisonError;

#[cfg(all(test, loom))]
mod modelled;

/// Locks, even after a panic: every critical section here leaves its data whole at each step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
