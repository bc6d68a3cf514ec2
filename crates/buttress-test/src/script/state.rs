use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::time::Sleep;

use super::{Answer, Counts, Readiness, Violation};

/// What all clones share. No waker is ever woken or dropped under the lock.
#[derive(Debug, Default)]
pub(super) struct Shared(Mutex<State>);

#[derive(Debug)]
pub(super) struct State {
    pub(super) readiness: Steps<Readiness>,
    pub(super) answers: Steps<Answer>,
    pub(super) counts: Counts,
    pub(super) violations: Vec<Violation>,
    /// Grows at each release; a wait is over when it is not the one the wait began in.
    releases: u64,
    next_wait: u64,
    parked: BTreeMap<u64, Waker>,
}

#[derive(Debug)]
pub(super) struct Steps<T> {
    pub(super) next: VecDeque<T>,
    standing: T,
}

impl<T: Clone> Steps<T> {
    fn new(standing: T) -> Self {
        Self {
            next: VecDeque::new(),
            standing,
        }
    }

    pub(super) fn always(&mut self, step: T) {
        self.next.clear();
        self.standing = step;
    }

    fn take(&mut self) -> T {
        self.next
            .pop_front()
            .unwrap_or_else(|| self.standing.clone())
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            readiness: Steps::new(Readiness::Ready),
            answers: Steps::new(Answer::Ok { pending: 0 }),
            counts: Counts::default(),
            violations: Vec::new(),
            releases: 0,
            next_wait: 0,
            parked: BTreeMap::new(),
        }
    }
}

impl Shared {
    /// A poisoned lock is taken all the same: a failed test must not hide its cause behind another panic.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn next_readiness(&self) -> Readiness {
        self.lock().readiness.take()
    }

    pub(super) fn next_answer(&self) -> Answer {
        self.lock().answers.take()
    }

    pub(super) fn release(&self) {
        let parked = {
            let mut state = self.lock();
            state.releases += 1;
            mem::take(&mut state.parked)
        };
        parked.into_values().for_each(Waker::wake);
    }
}

/// Waits for a release or a time, whichever is first. Dropping it takes its waker away.
#[derive(Debug)]
pub(super) struct Wait {
    shared: Arc<Shared>,
    id: u64,
    began: u64,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Wait {
    pub(super) fn new(shared: &Arc<Shared>, at_most: Option<Duration>) -> Self {
        let (id, began) = {
            let mut state = shared.lock();
            state.next_wait += 1;
            (state.next_wait, state.releases)
        };
        Self {
            shared: Arc::clone(shared),
            id,
            began,
            sleep: at_most.map(|after| Box::pin(tokio::time::sleep(after))),
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(sleep) = &mut self.sleep
            && sleep.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        let mut state = self.shared.lock();
        if state.releases != self.began {
            return Poll::Ready(());
        }
        let last = state.parked.insert(self.id, waker);
        drop(state);
        drop(last);
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let waker = self.shared.lock().parked.remove(&self.id);
        drop(waker);
    }
}

/// A place in the queue for readiness.
#[derive(Debug)]
pub(super) struct Place(Wait);

impl Place {
    pub(super) fn new(shared: &Arc<Shared>, at_most: Option<Duration>) -> Self {
        shared.lock().counts.waiting += 1;
        Self(Wait::new(shared, at_most))
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll(cx)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.shared.lock().counts.waiting -= 1;
    }
}

/// A readiness given and not yet used.
#[derive(Debug)]
pub(super) struct Reservation(Arc<Shared>);

impl Reservation {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        shared.lock().counts.reservations += 1;
        Self(Arc::clone(shared))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.0.lock().counts.reservations -= 1;
    }
}

/// A future made and not yet dropped.
#[derive(Debug)]
pub(super) struct Live(pub(super) Arc<Shared>);

impl Live {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let mut state = shared.lock();
        state.counts.calls += 1;
        state.counts.live += 1;
        drop(state);
        Self(Arc::clone(shared))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.lock().counts.live -= 1;
    }
}
