//! Waiting for a place, where every endpoint that takes calls has as many as it may.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use buttress_core::{
    Admission, Attempt, Describe, Limiter, Nanos, Protocol, Refusal, Resend, Ticket,
};
use tower_service::Service;

use super::Tries;
use crate::dispatch::{Plan, flights::Flights, future::Stage, members::Members};

/// The way to a place under a limit.
pub(super) struct Line<S> {
    /// One that was ready, but had no place: the last of them.
    full: Option<(usize, S)>,
    /// How the last of those that have too much to do has said so.
    pub(super) overloaded: Option<Refusal>,
    /// Its turn there, once every one is full, and until when it is waited for.
    ticket: Option<(Ticket, Nanos)>,
    /// Has the call had its wait?
    waited: bool,
}

impl<S> Line<S> {
    pub(super) const fn none() -> Self {
        Self {
            full: None,
            overloaded: None,
            ticket: None,
            waited: false,
        }
    }

    /// An endpoint that was ready has refused the call.
    pub(super) fn refused(&mut self, refusal: Refusal, place: usize, service: &mut S)
    where
        S: Clone,
    {
        let Refusal::Overloaded { by, .. } = refusal else {
            return;
        };
        self.overloaded = Some(refusal);
        if by == Limiter::Concurrency {
            // The one that is ready.
            let clone = service.clone();
            self.full = Some((place, std::mem::replace(service, clone)));
        }
    }

    /// The call was sent, or begins anew.
    pub(super) fn forget(&mut self) {
        self.full = None;
    }
}

impl<S, Req, Res, Err> Tries<S, Req, Res, Err>
where
    S: Service<Req, Response = Res, Error = Err> + Clone,
{
    /// Every one that takes calls is full: queues at the last of them, where the policy lets calls wait, once.
    pub(super) fn line_up<P>(
        &mut self,
        flights: Pin<&mut Flights<S::Future>>,
        protocol: &P,
        plan: &Plan,
        members: &Members<S>,
    ) -> Stage
    where
        P: Protocol<Res, Err> + Resend<Req> + Describe<Req>,
    {
        let (Some(wait), Some((place, _)), Some(request)) =
            (plan.limits.wait, &self.line.full, &self.request)
        else {
            return Stage::Over;
        };
        if std::mem::replace(&mut self.line.waited, true) {
            return Stage::Over;
        }
        let ask = || self.terms.ask(&protocol.labels(request));
        match members.all[*place].vitals.admit_or_wait(self.now, ask) {
            Err(refusal) => {
                self.line.overloaded = Some(refusal);
                Stage::Over
            }
            Ok(Admission::Now(attempt)) => {
                self.take_turn(attempt, flights, protocol, plan, members)
            }
            Ok(Admission::Later(ticket)) => {
                let until = ticket.since().after(wait);
                self.line.ticket = Some((ticket, until));
                Stage::Queued(until)
            }
        }
    }

    /// Is it its turn?
    pub(in crate::dispatch) fn poll_turn<P>(
        &mut self,
        cx: &mut Context<'_>,
        flights: Pin<&mut Flights<S::Future>>,
        protocol: &P,
        plan: &Plan,
        members: &Members<S>,
    ) -> Poll<Stage>
    where
        P: Protocol<Res, Err> + Resend<Req> + Describe<Req>,
    {
        let turn = self.line.ticket.as_mut().map(|(ticket, _)| ticket.poll(cx));
        let next = match turn {
            Some(Poll::Pending) => return Poll::Pending,
            Some(Poll::Ready(Ok(attempt))) => {
                self.take_turn(attempt, flights, protocol, plan, members)
            }
            Some(Poll::Ready(Err(refusal @ Refusal::Overloaded { .. }))) => {
                self.line.overloaded = Some(refusal);
                Stage::Over
            }
            // Its breaker has opened meanwhile.
            Some(Poll::Ready(Err(_))) | None => Stage::Picking,
        };
        self.line.ticket = None;
        Poll::Ready(next)
    }

    /// It has waited as long as it may.
    pub(in crate::dispatch) fn waited(&mut self) -> Stage {
        if let Some((mut ticket, _)) = self.line.ticket.take() {
            self.line.overloaded = Some(ticket.expire());
        }
        Stage::Over
    }

    /// There is a place now.
    fn take_turn<P>(
        &mut self,
        attempt: Attempt,
        flights: Pin<&mut Flights<S::Future>>,
        protocol: &P,
        plan: &Plan,
        members: &Members<S>,
    ) -> Stage
    where
        P: Protocol<Res, Err> + Resend<Req> + Describe<Req>,
    {
        self.now = attempt.started();
        match self.line.full.take() {
            Some((place, mut service)) => {
                let to = (place, &mut service, attempt);
                self.launch(to, flights, protocol, plan, members)
            }
            None => Stage::Over,
        }
    }
}
