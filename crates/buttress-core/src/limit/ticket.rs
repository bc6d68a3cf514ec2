//! Waiting for a place.

use std::{
    fmt,
    task::{Context, Poll},
};

use super::{Ask, Turn};
use crate::{Attempt, Calls, Nanos, Refusal, vitals::Lane};

/// What became of a call that asked.
#[derive(Debug)]
pub enum Admission {
    /// It may begin.
    Now(Attempt),
    /// It has to wait.
    Later(Ticket),
}

/// A place in the queue of those who wait for a place under a limit, first come first served.
///
/// # Cancel safety
///
/// Dropping it gives it up: those behind it move up, and a place that it was given meanwhile goes to the next of them.
#[must_use = "a ticket that is dropped is given up"]
pub struct Ticket {
    lane: Lane,
    number: u64,
    since: Nanos,
    deadline: Option<Nanos>,
    /// Does it wait still? Otherwise there is nothing to give up.
    waits: bool,
}

impl Ticket {
    pub(crate) fn new(lane: Lane, number: u64, now: Nanos, ask: &Ask<'_>) -> Self {
        Self {
            lane,
            number,
            since: ask.arrived.map_or(now, |arrived| arrived.min(now)),
            deadline: ask.deadline,
            waits: true,
        }
    }

    /// Since when it waits.
    #[must_use]
    pub const fn since(&self) -> Nanos {
        self.since
    }

    /// The calls it is one of.
    #[must_use]
    pub fn calls(&self) -> &Calls {
        self.lane.calls()
    }

    /// Ready when it is its turn: the call may begin now, unless the breaker has opened meanwhile, its deadline has passed, or
    /// it had to make room for a call that matters more.
    ///
    /// Not to be asked again afterwards: then it stays pending.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Attempt, Refusal>> {
        if !self.waits {
            return Poll::Pending;
        }
        match self.lane.turn(self.number, cx.waker()) {
            Turn::Waits => return Poll::Pending,
            Turn::Comes => self.waits = false,
            Turn::Lost => {
                self.waits = false;
                return Poll::Ready(Err(self.lane.displaced()));
            }
        }
        let permit = self
            .lane
            .begin_after(self.number, self.since, self.deadline);
        Poll::Ready(permit.map(|permit| Attempt::new(self.lane.clone(), permit)))
    }

    /// It has waited as long as it may: gives it up, and says so.
    #[must_use]
    pub fn expire(&mut self) -> Refusal {
        if std::mem::take(&mut self.waits) {
            self.lane.step_out(self.number);
        }
        self.lane.waited_in_vain()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.waits {
            self.lane.step_out(self.number);
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}
