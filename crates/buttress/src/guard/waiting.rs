//! A call that waits for its place.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use buttress_core::{Attempt, Nanos, Refusal, Ticket};

use crate::{
    policy::Limits,
    terms::{Terms, overdue},
    timer::Timer,
};

/// What a call takes along while it waits: the service that was ready for it, and the request.
pub(super) struct Waiting<S, Req> {
    pub(super) service: S,
    pub(super) request: Req,
    pub(super) terms: Terms,
    pub(super) limits: Limits,
    ticket: Ticket,
}

impl<S, Req> Waiting<S, Req> {
    pub(super) const fn new(
        service: S,
        request: Req,
        ticket: Ticket,
        terms: Terms,
        limits: Limits,
    ) -> Self {
        Self {
            service,
            request,
            terms,
            limits,
            ticket,
        }
    }

    /// Since when it waits.
    pub(super) const fn since(&self) -> Nanos {
        self.ticket.since()
    }

    /// Ready when it may begin, and when it has waited in vain.
    pub(super) fn poll(
        &mut self,
        timer: Pin<&mut Timer>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Attempt, Refusal>> {
        if let Poll::Ready(turn) = self.ticket.poll(cx) {
            return Poll::Ready(turn);
        }
        let since = self.ticket.since();
        let until = since.after(self.limits.wait.unwrap_or_default());
        let late = self.terms.deadline < until;
        let expired = timer.poll_until(until.min(self.terms.deadline), cx);
        expired.map(|()| {
            let refusal = self.ticket.expire();
            Err(if late {
                overdue(self.ticket.calls(), self.terms.deadline.since(since))
            } else {
                refusal
            })
        })
    }
}

impl<S, Req> fmt::Debug for Waiting<S, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting")
            .field("ticket", &self.ticket)
            .finish_non_exhaustive()
    }
}
