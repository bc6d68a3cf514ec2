//! One permitted call.

use std::time::Duration;

use crate::{Calls, Destination, Labels, Nanos, Outcome, Permit, vitals::Lane};

/// Permission, stopwatch and receipt of one call, in one value.
///
/// Finished exactly once. Dropped, it is recorded as [`Outcome::Cancelled`]: no permit leaks, whichever await it is dropped at, and nobody
/// is blamed for a panic that only [`Blame`](crate::Blame) knows to be the service's.
#[derive(Debug)]
#[must_use = "an attempt that is dropped counts as cancelled"]
pub struct Attempt {
    lane: Lane,
    permit: Permit,
    finished: bool,
}

impl Attempt {
    pub(crate) const fn new(lane: Lane, permit: Permit) -> Self {
        Self {
            lane,
            permit,
            finished: false,
        }
    }

    /// When it began.
    #[must_use]
    pub const fn started(&self) -> Nanos {
        self.permit.started()
    }

    /// The calls it is one of.
    #[must_use]
    pub fn calls(&self) -> &Calls {
        self.lane.calls()
    }

    /// Says what kind of call it is.
    #[inline]
    pub fn labelled(mut self, labels: Labels<'_>) -> Self {
        // Looked at where labels are made: of a protocol that has none, nothing is left.
        if labels.names_any() {
            self.lane.label(&mut self.permit, labels);
        }
        self
    }

    /// This call has to wait. If nobody looks after calls under way, gives what is to be looked after from now on, by
    /// calling [`Destination::tick`] until that gives no time, and [`Destination::release`] if it must stop earlier.
    #[must_use]
    pub fn unattended(&self) -> Option<Destination> {
        self.lane.unattended()
    }

    /// Ends it. Reads the clock, and gives back the time it read.
    #[inline]
    pub fn finish(mut self, outcome: Outcome) -> Nanos {
        self.finished = true;
        self.end(outcome)
    }

    /// Its answer has begun, and the rest of it takes as long as it takes: from now on it does not grow too old. Reads the clock, and gives
    /// back how long that took, for [`finish_as`](Self::finish_as).
    pub fn answered(&mut self) -> Duration {
        let now = self.lane.clock().now();
        self.lane.answered(&mut self.permit);
        now.since(self.permit.started())
    }

    /// The same as [`finish`](Self::finish) for an answer that had begun: it `took` so long, however long ago that is.
    pub fn finish_as(mut self, outcome: Outcome, took: Duration) -> Nanos {
        self.finished = true;
        let now = self.lane.clock().now();
        self.permit.started = Nanos::ZERO.after(now.since(Nanos::ZERO).saturating_sub(took));
        self.lane.record(&self.permit, now, outcome);
        now
    }

    /// Gives it up, for another attempt of the same call was answered first. If it is older than healthy calls are it counts as late,
    /// and else it says nothing. Reads the clock, and gives back the time it read.
    pub fn overtaken(mut self) -> Nanos {
        self.finished = true;
        let now = self.lane.clock().now();
        self.lane.overtaken(&self.permit, now);
        now
    }

    fn end(&self, outcome: Outcome) -> Nanos {
        let now = self.lane.clock().now();
        self.lane.record(&self.permit, now, outcome);
        now
    }

    #[cold]
    fn abandon(&self) {
        self.end(Outcome::Cancelled);
    }
}

impl Drop for Attempt {
    #[inline]
    fn drop(&mut self) {
        if !self.finished {
            self.abandon();
        }
    }
}
