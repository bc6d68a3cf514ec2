//! A call that waits for its place.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use buttress_core::{Attempt, Nanos, Refusal, Ticket};

use crate::{policy::Limits, timer::Timer};

/// What a call takes along while it waits: the service that was ready for it, and the request.
pub(super) struct Waiting<S, Req> {
    pub(super) service: S,
    pub(super) request: Req,
    ticket: Ticket,
    until: Nanos,
    /// When the whole call is over.
    pub(super) deadline: Option<Nanos>,
}

impl<S, Req> Waiting<S, Req> {
    pub(super) fn new(
        service: S,
        request: Req,
        ticket: Ticket,
        wait: Duration,
        limits: &Limits,
    ) -> Self {
        let since = ticket.since();
        Self {
            service,
            request,
            ticket,
            until: since.after(wait),
            deadline: limits.deadline.map(|span| since.after(span)),
        }
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
        let expired = timer.poll_until(self.until, cx);
        expired.map(|()| Err(self.ticket.expire()))
    }
}

impl<S, Req> fmt::Debug for Waiting<S, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting")
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}
