//! The one door to shared state, so that loom can replace what is behind it.

#[cfg(not(loom))]
pub(crate) use std::sync::{
    Arc, Mutex, MutexGuard, Weak, atomic::AtomicU32, atomic::AtomicU64, atomic::Ordering,
};

#[cfg(loom)]
pub(crate) use loom::sync::{
    Mutex, MutexGuard, atomic::AtomicU32, atomic::AtomicU64, atomic::Ordering,
};
#[cfg(loom)]
pub(crate) use std::sync::{Arc, Weak};

use std::sync::PoisonError;

/// Locks, even after a panic: every critical section here leaves its data whole at each step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
