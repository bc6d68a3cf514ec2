//! One permitted call.

use crate::{Cause, Nanos, Outcome, Permit, Vitals};

/// Permission, stopwatch and receipt of one call, in one value.
///
/// Finished exactly once. Dropped, it is recorded as [`Outcome::Cancelled`], or as a failure when the thread is
/// panicking: no permit leaks, whichever await it is dropped at.
#[derive(Debug)]
#[must_use = "an attempt that is dropped counts as cancelled"]
pub struct Attempt {
    vitals: Vitals,
    permit: Permit,
    finished: bool,
}

impl Attempt {
    pub(crate) const fn new(vitals: Vitals, permit: Permit) -> Self {
        Self {
            vitals,
            permit,
            finished: false,
        }
    }

    /// When it began.
    #[must_use]
    pub const fn started(&self) -> Nanos {
        self.permit.started()
    }

    /// Whose it is.
    #[must_use]
    pub const fn vitals(&self) -> &Vitals {
        &self.vitals
    }

    /// Ends it. Reads the clock, and gives back the time it read.
    pub fn finish(mut self, outcome: Outcome) -> Nanos {
        self.finished = true;
        self.end(outcome)
    }

    fn end(&self, outcome: Outcome) -> Nanos {
        let now = self.vitals.clock().now();
        self.vitals.record(self.permit, now, outcome);
        now
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let panicked = std::thread::panicking();
        self.end(if panicked {
            Outcome::Failure(Cause::Panic)
        } else {
            Outcome::Cancelled
        });
    }
}
