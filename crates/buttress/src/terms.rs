//! What one call is held to.
//!
//! Inlined into whatever is guarded, for every call passes here: where requests ask for nothing, nothing of it is left.

use std::{
    cmp::Ordering,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use buttress_core::{Ask, Call, Calls, Cause, Due, End, Labels, Nanos, Outcome, Refusal, Stamp};

use crate::{
    CLOCK,
    ambient::{Around, Entered, Marks},
    policy::Limits,
    timer::Timer,
};

/// What one call is held to: its policy, what it is a part of, and what its request asks for, whichever is tightest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// When it must be over; [`Nanos::MAX`] for never.
    pub(crate) deadline: Nanos,
    marks: Marks,
    /// Did the request itself say within which time? Then it says it to the endpoint as well, and has to be put right.
    said: bool,
}

impl Terms {
    /// Of a call that is a part of `around`.
    #[inline]
    pub(crate) const fn part_of(around: Around) -> Self {
        Self {
            deadline: around.deadline,
            marks: around.marks.kept(true),
            said: false,
        }
    }

    /// Is it a part of an extra send, or one itself?
    #[inline]
    pub(crate) const fn is_extra(&self) -> bool {
        self.marks.is_extra()
    }

    /// The same for a call that begins at `now`, by its policy and by what it asks for.
    #[inline]
    pub(crate) fn begun(self, limits: &Limits, call: &Call, now: Nanos) -> Self {
        Self {
            deadline: (self.deadline)
                .min(later(now, limits.deadline))
                .min(call.due(now)),
            marks: self.marks.tightened(call.priority, call.extra),
            said: call.within.is_some(),
        }
    }

    /// What a call with these labels says of itself when it asks for a place.
    pub(crate) fn ask<'a>(&self, labels: &Labels<'a>) -> Ask<'a> {
        let mut ask = Ask::of(labels).deadline(Some(self.deadline).filter(|at| *at < Nanos::MAX));
        let marks = self.marks.tightened(labels.priority, false);
        ask.priority = marks.priority().unwrap_or_default();
        ask
    }

    /// How long an attempt that begins at `now` is waited for.
    #[inline]
    pub(crate) fn attempt(&self, limits: &Limits, now: Nanos) -> Until {
        let attempt = later(now, limits.attempt);
        Until {
            at: attempt.min(self.deadline),
            end: match attempt.cmp(&self.deadline) {
                Ordering::Less => End::Attempt,
                Ordering::Equal => End::Both,
                Ordering::Greater => End::Call,
            },
            marks: self.marks,
        }
    }

    /// What the endpoint is told of an attempt that begins at `now` and is given up `until` then.
    #[inline]
    pub(crate) fn stamp(&self, limits: &Limits, until: Until, now: Nanos) -> Stamp {
        let mut stamp = Stamp::new().discreet(!limits.tell);
        stamp.left = until.left(now).filter(|_| limits.tell || self.said);
        stamp
    }

    /// How long is waited for anything else.
    pub(crate) const fn call(&self) -> Until {
        Until {
            at: self.deadline,
            end: End::Call,
            marks: self.marks,
        }
    }
}

/// When something is given up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until {
    at: Nanos,
    pub(crate) end: End,
    marks: Marks,
}

impl Until {
    pub(crate) const fn at(self) -> Nanos {
        self.at
    }

    /// The same for what was sent `again`.
    pub(crate) const fn again(mut self, again: bool) -> Self {
        self.marks = self.marks.extra(again);
        self
    }

    /// Has the time come? The task is woken when it does.
    pub(crate) fn poll(self, timer: Pin<&mut Timer>, cx: &mut Context<'_>) -> Poll<()> {
        if self.at == Nanos::MAX {
            return Poll::Pending;
        }
        // The time of the call is kept by whoever polls us, if they give us up by then: no second timer, and no second
        // opinion on whose fault it is.
        let around = Around::here();
        if self.end == End::Call && around.marks.is_kept() && around.deadline <= self.at {
            return Poll::Pending;
        }
        timer.poll_until(self.at, cx)
    }

    /// Is an attempt that was judged so over because this is? Whoever is called may keep the same time, as a client does that reads the
    /// timeout which we wrote: which of the two timers fires first says nothing.
    #[inline]
    pub(crate) fn ended(self, outcome: Outcome) -> bool {
        outcome == Outcome::Failure(Cause::Timeout) && self.is_over()
    }

    #[cold]
    fn is_over(self) -> bool {
        self.at <= CLOCK.now()
    }

    /// What is left of an outcome that comes when the time of the call is over.
    #[inline]
    pub(crate) fn excuse(self, outcome: Outcome) -> Outcome {
        self.due(Nanos::ZERO).excuse(outcome)
    }

    /// What is polled from here on is a part of it, until what is given back is dropped.
    #[inline]
    pub(crate) fn enter(self) -> Entered {
        let around = Around {
            deadline: self.at,
            marks: self.marks,
        };
        around.enter()
    }

    /// How long it is from `now` on, if it ever comes.
    #[inline]
    pub(crate) fn left(self, now: Nanos) -> Option<Duration> {
        (self.at < Nanos::MAX).then(|| self.at.since(now))
    }

    /// The same for the rest of what began then.
    #[inline]
    pub(crate) const fn due(self, began: Nanos) -> Due {
        Due {
            at: self.at,
            end: self.end,
            began,
            clock: CLOCK,
        }
    }

    /// How long it was from `started` on.
    pub(crate) const fn span(self, started: Nanos) -> Duration {
        self.at.since(started)
    }
}

/// A call that had `after`, and no more. If that is nothing, it was not begun.
pub(crate) fn overdue(calls: &Calls, after: Duration) -> Refusal {
    if after.is_zero() {
        calls.expired();
    } else {
        calls.overdue();
    }
    Refusal::Deadline { after }
}

/// The point `span` nanoseconds after `now`.
#[inline]
const fn later(now: Nanos, span: u64) -> Nanos {
    Nanos::new(now.as_u64().saturating_add(span))
}
