//! A probe on its way.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Poll},
};

use buttress_core::{Cause, Endpoint, Nanos, Outcome};

use super::{Probe, ProbeFuture};

/// A probe on its way. What it panics with stays here: it would end the probing of everybody else.
pub(super) struct Running {
    pub(super) key: u64,
    pub(super) sent: Nanos,
    /// When it has failed.
    pub(super) until: Nanos,
    answer: Option<ProbeFuture>,
}

impl Running {
    pub(super) fn new(
        key: u64,
        sent: Nanos,
        until: Nanos,
        probe: &dyn Probe,
        endpoint: &Endpoint,
    ) -> Self {
        // Unwind safety: whatever a panic leaves behind belongs to the user's own probe.
        let answer = catch_unwind(AssertUnwindSafe(|| probe.ask(endpoint))).ok();
        Self {
            key,
            sent,
            until,
            answer,
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let panicked = Poll::Ready(Outcome::Failure(Cause::Panic));
        let Some(answer) = &mut self.answer else {
            return panicked;
        };
        // Unwind safety: a future that has panicked is not polled again.
        catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(cx))).unwrap_or(panicked)
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("key", &self.key)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}
