//! What one call is held to.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use buttress_core::{Call, Calls, Nanos, Priority, Refusal};

use crate::{
    ambient::{Around, Scope, lower},
    policy::Limits,
    timer::Timer,
};

/// What one call is held to: its policy, what it is a part of, and what its request asks for, whichever is tightest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// When it must be over; [`Nanos::MAX`] for never.
    pub(crate) deadline: Nanos,
    attempt: Option<Duration>,
    priority: Option<Priority>,
}

impl Terms {
    /// None.
    pub(crate) const NONE: Self = Self {
        deadline: Nanos::MAX,
        attempt: None,
        priority: None,
    };

    /// Of a call that begins at `now`.
    pub(crate) fn new(limits: &Limits, around: Around, call: &Call, now: Nanos) -> Self {
        let own = limits.deadline.map_or(Nanos::MAX, |span| now.after(span));
        Self {
            deadline: own.min(around.deadline).min(call.due(now)),
            attempt: limits.attempt,
            priority: lower(around.priority, call.priority),
        }
    }

    /// How long an attempt that begins at `now` is waited for.
    pub(crate) fn attempt(&self, now: Nanos) -> Until {
        let attempt = self.attempt.map_or(Nanos::MAX, |span| now.after(span));
        Until {
            at: attempt.min(self.deadline),
            end: match attempt.cmp(&self.deadline) {
                std::cmp::Ordering::Less => End::Attempt,
                std::cmp::Ordering::Equal => End::Both,
                std::cmp::Ordering::Greater => End::Call,
            },
            priority: self.priority,
        }
    }

    /// How long is waited for anything else.
    pub(crate) const fn call(&self) -> Until {
        Until {
            at: self.deadline,
            end: End::Call,
            priority: self.priority,
        }
    }
}

/// When something is given up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until {
    at: Nanos,
    pub(crate) end: End,
    priority: Option<Priority>,
}

/// What is over then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The time of the attempt: its endpoint has failed.
    Attempt,
    /// That of the attempt and that of the call: its endpoint has failed, and nothing else can be done.
    Both,
    /// The time of the call, before that of the attempt: no evidence against the endpoint.
    Call,
}

impl Until {
    pub(crate) const fn at(self) -> Nanos {
        self.at
    }

    /// Has the time come? The task is woken when it does.
    pub(crate) fn poll(self, timer: Pin<&mut Timer>, cx: &mut Context<'_>) -> Poll<()> {
        // The time of the call is kept by whoever polls us, if they give us up by then: no second timer, and no second
        // opinion on whose fault it is.
        let kept = self.end == End::Call && Around::here().given_up <= self.at;
        if kept || self.at == Nanos::MAX {
            return Poll::Pending;
        }
        timer.poll_until(self.at, cx)
    }

    /// What is polled until the scope is dropped is a part of it.
    pub(crate) fn enter(self) -> Option<Scope> {
        Around::given_up_at(self.at, self.priority)
    }

    /// How long it is from `now` on, if it ever comes.
    pub(crate) fn left(self, now: Nanos) -> Option<Duration> {
        (self.at < Nanos::MAX).then(|| self.at.since(now))
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
