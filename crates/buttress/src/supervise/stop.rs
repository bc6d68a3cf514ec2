//! The word to stop, and how a service hears it.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use crate::waiters::{Waiters, lock};

/// Ready when the service is to stop: what a [`Supervisor`](crate::Supervisor) hands to each of its runs.
///
/// Clones hear the same. Whatever a run has started hears it too when the run ends in any other way, so that nothing of it
/// is left beside the next one.
///
/// # Cancel safety
///
/// It may be polled, dropped and awaited anew at will: once requested, a stop stays so.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use buttress::Stop;
///
/// async fn poller(mut stop: Stop) {
///     let mut every = tokio::time::interval(Duration::from_secs(1));
///     loop {
///         tokio::select! {
///             () = &mut stop => return,
///             _ = every.tick() => { /* poll */ }
///         }
///     }
/// }
/// # let _ = poller;
/// ```
#[derive(Debug)]
#[must_use = "a service that does not heed it is aborted"]
pub struct Stop {
    signal: Arc<Signal>,
    place: Option<u64>,
}

impl Stop {
    /// Is the service to stop? For loops that await nothing for long.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.signal.is_tripped()
    }
}

impl Future for Stop {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { signal, place } = &mut *self;
        if signal.is_tripped() {
            return Poll::Ready(());
        }
        let mut waiters = lock(&signal.waiters);
        // Asked again under the lock: whoever trips it takes the waiters after.
        if signal.is_tripped() {
            return Poll::Ready(());
        }
        waiters.wait(place, cx.waker());
        Poll::Pending
    }
}

impl Clone for Stop {
    fn clone(&self) -> Self {
        self.signal.listen()
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        if self.place.is_some() {
            lock(&self.signal.waiters).leave(self.place);
        }
    }
}

/// Said once, heard by many.
#[derive(Debug, Default)]
pub(super) struct Signal {
    tripped: AtomicBool,
    waiters: Mutex<Waiters>,
}

impl Signal {
    pub(super) fn listen(self: &Arc<Self>) -> Stop {
        Stop {
            signal: Arc::clone(self),
            place: None,
        }
    }

    pub(super) fn trip(&self) {
        // Release: whoever hears it sees what was done before.
        self.tripped.store(true, Ordering::Release);
        let woken = lock(&self.waiters).take();
        woken.wake();
    }

    fn is_tripped(&self) -> bool {
        // Acquire: pairs with the Release in `trip`.
        self.tripped.load(Ordering::Acquire)
    }
}
