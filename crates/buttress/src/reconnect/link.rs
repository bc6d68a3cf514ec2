//! One connection, for any number of callers.
//!
//! ```text
//!          somebody needs it                   made                    an answer
//! Away ──────────────────────► Connecting ────────────► Up, unproven ────────────► Up, proven
//!   ▲ ▲                            │ failed: wait            │ broke: wait             │ broke: no wait
//!   │ └────────────────────────────┘                         │                         │
//!   └────────────────────────────────────────────────────────┴─────────────────────────┘
//! ```

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use buttress_core::{Backoff, Cause, Nanos, Outcome};

use super::{
    attempt::{Attempt, Maker},
    rules::Rules,
    state::{Connection, Phase, State},
};
use crate::{CLOCK, waiters::lock};

/// One connection, and what it takes to make it anew. Shared by all clones of a service.
pub(super) struct Link<S> {
    pub(super) rules: Rules,
    maker: Maker<S>,
    /// The generation of the connection in use; zero while there is none.
    live: AtomicU64,
    /// The last generation that has served a call.
    proven: AtomicU64,
    state: Mutex<State<S>>,
}

/// What is known of a connection that was reported as broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// It had served calls: it is to be made again at once.
    Proven,
    /// It had not: there is a wait.
    Unproven,
    /// It was known already.
    Known,
}

impl<S: Clone + Send + 'static> Link<S> {
    pub(super) fn new(rules: Rules, maker: Maker<S>) -> Self {
        let backoff = Backoff::new(rules.policy.waits(), fastrand::u64(..));
        Self {
            rules,
            maker,
            live: AtomicU64::new(0),
            proven: AtomicU64::new(0),
            state: Mutex::new(State::new(backoff)),
        }
    }

    /// Is the connection of this generation still the one in use? One load.
    pub(super) fn is_live(&self, generation: u64) -> bool {
        // Acquire: pairs with the Release wherever it is stored.
        self.live.load(Ordering::Acquire) == generation
    }

    /// The connection in use, if there is one.
    pub(super) fn connection(&self) -> Option<Connection<S>> {
        let state = lock(&self.state);
        match &state.phase {
            Phase::Up(service) => Some(state.on(service)),
            Phase::Away { .. } | Phase::Connecting { .. } => None,
        }
    }

    /// A connection that somebody has made already.
    pub(super) fn connected(&self, service: S) {
        let mut state = lock(&self.state);
        state.attempts += 1;
        let old = std::mem::replace(&mut state.phase, Phase::Up(service));
        self.live.store(state.attempts, Ordering::Release);
        let woken = state.waiters.take();
        drop(state);
        if let Phase::Connecting { task } = old {
            task.inspect(tokio::task::AbortHandle::abort);
        }
        woken.wake();
    }

    /// An attempt to connect has come to its end.
    pub(super) fn ended(&self, attempt: &Attempt<S>, made: Result<S, (Cause, String)>) {
        let now = CLOCK.now();
        let vitals = &self.rules.vitals;
        let mut state = lock(&self.state);
        if state.attempts != attempt.number {
            // Another was handed over meanwhile.
            vitals.ended(Outcome::Cancelled);
            return;
        }
        // It alone moves on from here: while it is under way there is no other, and nothing to break.
        match made {
            // Connecting => Up
            Ok(service) => {
                vitals.ended(Outcome::Success);
                if state.broken {
                    vitals.repaired(now);
                }
                // One that could be made again at once was never away.
                if let (Some(vitals), 1..) = (&self.rules.reenters, state.backoff.failures()) {
                    vitals.reenters(now);
                }
                state.phase = Phase::Up(service);
                self.live.store(attempt.number, Ordering::Release);
            }
            // Connecting => Away
            Err((cause, why)) => {
                vitals.ended(Outcome::Failure(cause));
                let wait = state.backoff.failed();
                self.say(&mut state, attempt.began, now, (cause, &why), wait);
                state.phase = Phase::Away {
                    until: now.after(wait),
                };
            }
        }
        let woken = state.waiters.take();
        drop(state);
        woken.wake();
    }

    /// The connection of this generation is of no more use.
    pub(super) fn broke(&self, generation: u64, cause: Cause, why: &dyn fmt::Display) -> Broken {
        if !self.is_live(generation) {
            return Broken::Known;
        }
        let now = CLOCK.now();
        let mut state = lock(&self.state);
        // Again, under the lock: many calls are on it when it breaks, and the next one may be up by now.
        if !self.is_live(generation) {
            return Broken::Known;
        }
        // Relaxed: stored under this lock.
        let proven = self.proven.load(Ordering::Relaxed) == generation;
        let (broken, wait) = if proven {
            (Broken::Proven, Duration::ZERO)
        } else {
            (Broken::Unproven, state.backoff.failed())
        };
        self.say(&mut state, now, now, (cause, &format!("{why:#}")), wait);
        self.live.store(0, Ordering::Release);
        // Up => Away
        let until = now.after(wait);
        let old = std::mem::replace(&mut state.phase, Phase::Away { until });
        drop(state);
        // What the user's own does when it is dropped is not to be done under our lock.
        drop(old);
        broken
    }

    /// The connection of this generation has served a call. One load, but for the first.
    pub(super) fn proved(&self, generation: u64) {
        // Relaxed: a hint, decided below.
        if self.proven.load(Ordering::Relaxed) == generation {
            return;
        }
        let mut state = lock(&self.state);
        if !self.is_live(generation) {
            return;
        }
        self.proven.store(generation, Ordering::Relaxed);
        state.backoff.reset();
        if std::mem::take(&mut state.broken) {
            let now = CLOCK.now();
            self.rules.vitals.restored(now, now);
        }
    }

    /// Told under the lock, so that it is told in the order in which it happens.
    fn say(
        &self,
        state: &mut State<S>,
        since: Nanos,
        now: Nanos,
        (cause, why): (Cause, &str),
        wait: Duration,
    ) {
        let why = self.rules.policy.redact.apply(why).into();
        self.rules.vitals.broke(since, now, cause, why, wait);
        state.broken = true;
    }

    /// Waits for the connection, and sees to it that it is made.
    pub(super) fn poll(
        self: &Arc<Self>,
        place: &mut Option<u64>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Connection<S>, Duration>> {
        let mut state = lock(&self.state);
        let (now, until) = match &state.phase {
            Phase::Up(service) => return Poll::Ready(Ok(state.on(service))),
            Phase::Connecting { .. } => {
                state.waiters.wait(place, cx.waker());
                return Poll::Pending;
            }
            Phase::Away { until } => (CLOCK.now(), *until),
        };
        // Whoever has seen one attempt fail is not to wait for another.
        if place.is_some() || now < until {
            return Poll::Ready(Err(until.since(now)));
        }
        // Away => Connecting
        state.attempts += 1;
        state.phase = Phase::Connecting { task: None };
        self.rules.vitals.began();
        let number = state.attempts;
        state.waiters.wait(place, cx.waker());
        drop(state);
        // Not under the lock: where no runtime takes it, it ends here.
        let task =
            Attempt::new(self, number, now).spawn(&self.maker, self.rules.policy.connect_timeout);
        let mut state = lock(&self.state);
        if state.attempts == number
            && let Phase::Connecting { task: known } = &mut state.phase
        {
            *known = Some(task);
        }
        Poll::Pending
    }
}

impl<S> Link<S> {
    /// Whoever has this place waits no more.
    pub(super) fn leave(&self, place: Option<u64>) {
        if place.is_some() {
            lock(&self.state).waiters.leave(place);
        }
    }
}

impl<S> Drop for Link<S> {
    fn drop(&mut self) {
        if let Phase::Connecting { task } = &lock(&self.state).phase {
            task.as_ref().inspect(|task| task.abort());
            self.rules.vitals.ended(Outcome::Cancelled);
        }
    }
}

impl<S> fmt::Debug for Link<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("rules", &self.rules)
            .field("live", &self.live)
            .finish_non_exhaustive()
    }
}
