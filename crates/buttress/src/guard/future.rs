//! The call in a [`Guard`](super::Guard).

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use buttress_core::{Attempt, Blame, Describe, Nanos, Outcome, Protocol, Receipt, Refusal};
use tower_service::Service;

use super::waiting::Waiting;
use crate::{
    host::attend,
    policy::Limits,
    terms::{Terms, Until},
    timer::Timer,
};

pin_project_lite::pin_project! {
    /// The future of a [`Guard`](super::Guard).
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives its permit and its place back, or its turn in the queue, and counts an attempt as cancelled.
    ///
    /// # Panics
    ///
    /// When it has to wait under a policy with a deadline, an attempt timeout or a wait for a place, outside a tokio
    /// runtime with time enabled.
    #[must_use = "futures do nothing unless polled"]
    pub struct GuardFuture<S, P, Req>
    where
        S: Service<Req>,
    {
        #[pin]
        call: Call<S::Future, S, Req>,
        protocol: P,
    }
}

pin_project_lite::pin_project! {
    #[project = CallProj]
    enum Call<F, S, Req> {
        /// In the queue. Boxed: it is rare, and all others would carry it along.
        Waiting { waiting: Option<Box<Waiting<S, Req>>>, #[pin] timer: Timer },
        Admitted {
            #[pin]
            inner: F,
            attempt: Option<Attempt>,
            #[pin]
            timer: Timer,
            until: Until,
            waited: Duration,
        },
        Refused { refusal: Refusal },
    }
}

impl<S: Service<Req>, P, Req> GuardFuture<S, P, Req> {
    pub(super) fn waiting(waiting: Waiting<S, Req>, protocol: P) -> Self {
        Self {
            call: Call::Waiting {
                waiting: Some(Box::new(waiting)),
                timer: Timer::default(),
            },
            protocol,
        }
    }

    pub(super) const fn refused(refusal: Refusal, protocol: P) -> Self {
        Self {
            call: Call::Refused { refusal },
            protocol,
        }
    }
}

impl<S: Service<Req>, P, Req> GuardFuture<S, P, Req> {
    #[inline]
    pub(super) fn admitted(
        inner: S::Future,
        attempt: Option<Attempt>,
        until: Until,
        protocol: P,
    ) -> Self {
        Self {
            call: Call::admitted(inner, attempt, until),
            protocol,
        }
    }
}

/// Makes a request that was admitted ready to be sent. Lent, and not taken, for whoever takes one moves it.
#[inline]
pub(super) fn stamped<Req>(
    request: &mut Req,
    attempt: Attempt,
    terms: &Terms,
    limits: &Limits,
    protocol: &impl Describe<Req>,
) -> (Option<Attempt>, Until) {
    let attempt = attempt.labelled(protocol.labels(request));
    let now = attempt.started();
    let until = terms.attempt(limits, now);
    let stamp = terms.stamp(limits, until, now).spent(terms.is_extra());
    if !stamp.is_empty() {
        protocol.stamp(request, &stamp);
    }
    (Some(attempt), until)
}

/// Sends it.
#[inline]
pub(super) fn send<S: Service<Req>, Req>(
    service: &mut S,
    request: Req,
    attempt: &mut Option<Attempt>,
    until: Until,
) -> S::Future {
    let (_part, blame) = (until.enter(), Blame::on(attempt));
    let future = service.call(request);
    blame.over();
    future
}

impl<S: Service<Req>, Req> Call<S::Future, S, Req> {
    #[inline]
    fn admitted(inner: S::Future, attempt: Option<Attempt>, until: Until) -> Self {
        Self::Admitted {
            inner,
            attempt,
            timer: Timer::default(),
            until,
            waited: Duration::ZERO,
        }
    }

    /// Ready once it no longer waits for its place. Apart from the poll of its future, for most calls never wait.
    #[cold]
    fn poll_turn(
        mut self: Pin<&mut Self>,
        protocol: &impl Describe<Req>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let CallProj::Waiting { waiting, timer } = self.as_mut().project() else {
            return Poll::Ready(());
        };
        let Some(turn) = waiting.as_mut().map(|waiting| waiting.poll(timer, cx)) else {
            return Poll::Pending;
        };
        let turn = ready!(turn);
        let Some(mut waited) = waiting.take() else {
            return Poll::Pending;
        };
        let next = match turn {
            Ok(attempt) => {
                let (terms, limits) = (&waited.terms, &waited.limits);
                let span = attempt.started().since(waited.since());
                let (mut attempt, until) =
                    stamped(&mut waited.request, attempt, terms, limits, protocol);
                let inner = send(&mut waited.service, waited.request, &mut attempt, until);
                Self::admitted(inner, attempt, until).after(span)
            }
            Err(refusal) => Self::Refused { refusal },
        };
        self.set(next);
        Poll::Ready(())
    }

    /// It had to wait for its place so long.
    fn after(mut self, span: Duration) -> Self {
        if let Self::Admitted { waited, .. } = &mut self {
            *waited = span;
        }
        self
    }
}

impl<S, P, Req> Future for GuardFuture<S, P, Req>
where
    S: Service<Req>,
    P: Protocol<S::Response, S::Error> + Describe<Req>,
{
    type Output = Result<P::Response, P::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if matches!(*this.call, Call::Waiting { .. }) {
            ready!(this.call.as_mut().poll_turn(this.protocol, cx));
        }
        let (inner, attempt, timer, until, waited) = match this.call.project() {
            CallProj::Admitted {
                inner,
                attempt,
                timer,
                until,
                waited,
            } => (inner, attempt, timer, until, *waited),
            CallProj::Refused { refusal } => return Poll::Ready(this.protocol.refuse(*refusal)),
            CallProj::Waiting { .. } => return Poll::Pending,
        };
        let (part, blame) = (until.enter(), Blame::on(attempt));
        let polled = inner.poll(cx);
        blame.over();
        drop(part);
        // Judged where it lies: what is lent before it is taken is moved once more.
        let judged = match &polled {
            Poll::Ready(answer) => this.protocol.classify(answer.as_ref()),
            Poll::Pending => Outcome::Cancelled,
        };
        let outcome = until.excuse(judged);
        match polled {
            Poll::Ready(Ok(response)) => {
                let receipt = receipt(outcome, attempt.take(), *until, waited);
                Poll::Ready(Ok(this.protocol.respond(response, receipt)))
            }
            Poll::Ready(Err(error)) => {
                if until.ended(judged) {
                    let mut receipt = receipt(Outcome::Cancelled, attempt.take(), *until, waited);
                    return Poll::Ready(this.protocol.refuse(receipt.give_up()));
                }
                attempt.take().map(|attempt| attempt.finish(outcome));
                Poll::Ready(Err(this.protocol.fail(error)))
            }
            Poll::Pending => {
                attempt.as_ref().map(attend);
                ready!(until.poll(timer, cx));
                let mut receipt = receipt(Outcome::Cancelled, attempt.take(), *until, waited);
                Poll::Ready(this.protocol.refuse(receipt.give_up()))
            }
        }
    }
}

/// What is open of a call that has `waited` for its place.
#[inline]
fn receipt(outcome: Outcome, attempt: Option<Attempt>, until: Until, waited: Duration) -> Receipt {
    let started = attempt.as_ref().map_or(Nanos::ZERO, Attempt::started);
    let began = if waited.is_zero() {
        started
    } else {
        Nanos::ZERO.after(started.since(Nanos::ZERO).saturating_sub(waited))
    };
    Receipt::new(outcome, attempt).due(until.due(began))
}

impl<S: Service<Req>, P, Req> fmt::Debug for GuardFuture<S, P, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GuardFuture")
    }
}
