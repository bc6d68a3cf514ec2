//! Tasks that wait for one thing, each of which may go away.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Waker,
};

/// Every task that waits, once, by a key of its own.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    next: u64,
    waiting: BTreeMap<u64, Waker>,
}

impl Waiters {
    /// Remembers `waker` under the key in `place`, which is given the first time.
    pub(crate) fn wait(&mut self, place: &mut Option<u64>, waker: &Waker) {
        let key = *place.get_or_insert_with(|| {
            self.next += 1;
            self.next
        });
        // A future may move between tasks: the last waker counts.
        self.waiting
            .entry(key)
            .and_modify(|known| known.clone_from(waker))
            .or_insert_with(|| waker.clone());
    }

    /// Whoever has this place waits no more.
    pub(crate) fn leave(&mut self, place: Option<u64>) {
        if let Some(key) = place {
            self.waiting.remove(&key);
        }
    }

    /// All of them, to be woken when whatever guards this is unlocked.
    #[must_use = "they wait to be woken"]
    pub(crate) fn take(&mut self) -> Woken {
        Woken(std::mem::take(&mut self.waiting))
    }
}

/// Tasks to be woken.
#[derive(Debug, Default)]
pub(crate) struct Woken(BTreeMap<u64, Waker>);

impl Woken {
    pub(crate) fn wake(self) {
        self.0.into_values().for_each(Waker::wake);
    }
}

/// Locks, even after a panic: every critical section leaves its data whole at each step.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::Wake,
    };

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn each_is_woken_once_by_its_last_waker_and_nobody_who_has_left() {
        let counts: [Arc<Count>; 4] = Default::default();
        let wakers = counts
            .each_ref()
            .map(|count| Waker::from(Arc::clone(count)));
        let (mut waiters, mut places) = (Waiters::default(), [None; 3]);
        for (place, waker) in places.iter_mut().zip(&wakers) {
            waiters.wait(place, waker);
        }
        waiters.wait(&mut places[0], &wakers[3]);
        waiters.leave(places[1]);
        waiters.take().wake();
        waiters.take().wake();
        let woken = counts
            .each_ref()
            .map(|count| count.0.load(Ordering::SeqCst));
        assert_eq!(woken, [0, 0, 1, 1]);
    }
}
