//! A waker that counts, and a pause that lets other tasks run.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Poll, Wake, Waker},
};

/// Wakes nothing; counts how often it was asked to.
#[derive(Debug, Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let wakes = Arc::new(Self::default());
        (Arc::clone(&wakes), Waker::from(wakes))
    }

    pub(crate) fn count(&self) -> usize {
        // Relaxed: a count, which orders nothing.
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Relaxed: as in `count`.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// More than the 61 turns after which tokio looks at its timers and sockets.
const TURNS: usize = 100;

/// Gives every other task many turns, while paused time stands still: the runtime is never idle.
pub(crate) async fn settle() {
    for _ in 0..TURNS {
        let mut yielded = false;
        poll_fn(|cx| {
            if yielded {
                return Poll::Ready(());
            }
            yielded = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}
