use std::{fmt, sync::Arc};

use super::{Answer, Readiness, state::Shared};

/// The handle of a [`Scripted`](crate::Scripted) and all its clones: sets the script, reads the notes.
#[derive(Clone, Debug)]
pub struct Script {
    shared: Arc<Shared>,
}

/// What was counted over all clones since they were made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Futures made and not yet dropped, finished or not.
    pub live: usize,
    /// Clones that said they are not ready, and still wait to be.
    pub waiting: usize,
    /// Clones that said they are ready and were neither called nor dropped since.
    pub reservations: usize,
    /// Calls, in all.
    pub calls: usize,
    /// Polls of futures, in all.
    pub polls: usize,
    /// Polls for readiness, in all.
    pub ready_polls: usize,
}

/// A breach of the contract of `Service` or `Future`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Violation {
    /// A clone was called which had not said it is ready.
    CallWithoutReady,
    /// A clone was called after its `poll_ready` had failed.
    CallAfterError,
    /// A future was polled again after it had given its answer.
    PollAfterCompletion,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CallWithoutReady => "called without being ready",
            Self::CallAfterError => "called after poll_ready failed",
            Self::PollAfterCompletion => "future polled after completion",
        })
    }
}

impl Script {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Adds a step for one attempt at readiness.
    pub fn ready_next(&self, step: Readiness) -> &Self {
        self.shared.lock().readiness.next.push_back(step);
        self
    }

    /// Drops the steps still to come, and uses this one for every attempt from now on.
    pub fn ready_always(&self, step: Readiness) -> &Self {
        self.shared.lock().readiness.always(step);
        self
    }

    /// Adds an answer for one call.
    pub fn answer_next(&self, answer: Answer) -> &Self {
        self.shared.lock().answers.next.push_back(answer);
        self
    }

    /// Drops the answers still to come, and uses this one for every call from now on.
    pub fn answer_always(&self, answer: Answer) -> &Self {
        self.shared.lock().answers.always(answer);
        self
    }

    /// Lets go, and wakes, all that waits at this moment: for readiness or for an answer. What comes later waits again.
    pub fn release(&self) {
        self.shared.release();
    }

    /// The counts now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.lock().counts
    }

    /// The breaches so far, in the order they were seen.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.shared.lock().violations.clone()
    }
}
