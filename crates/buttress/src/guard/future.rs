//! The call in a [`Guard`](super::Guard).

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use buttress_core::{Attempt, Cause, Outcome, Protocol, Refusal};

use crate::{
    host::attend,
    terms::{End, Until, overdue},
    timer::Timer,
};

pin_project_lite::pin_project! {
    /// The future of a [`Guard`](super::Guard).
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives its permit back and counts the attempt as cancelled.
    ///
    /// # Panics
    ///
    /// When it has to wait under a policy with a deadline or an attempt timeout, outside a tokio runtime with time enabled.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct GuardFuture<F, P> {
        #[pin]
        call: Call<F>,
        protocol: P,
    }
}

pin_project_lite::pin_project! {
    #[derive(Debug)]
    #[project = CallProj]
    enum Call<F> {
        Admitted { #[pin] inner: F, attempt: Option<Attempt>, #[pin] timer: Timer, until: Until },
        Refused { refusal: Refusal },
    }
}

impl<F, P> GuardFuture<F, P> {
    pub(super) fn admitted(inner: F, attempt: Attempt, protocol: P, until: Until) -> Self {
        Self {
            call: Call::Admitted {
                inner,
                attempt: Some(attempt),
                timer: Timer::default(),
                until,
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

impl<F, P, Res, Err> Future for GuardFuture<F, P>
where
    F: Future<Output = Result<Res, Err>>,
    P: Protocol<Res, Err>,
{
    type Output = Result<P::Response, P::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (inner, attempt, timer, until) = match this.call.project() {
            CallProj::Admitted {
                inner,
                attempt,
                timer,
                until,
            } => (inner, attempt, timer, until),
            CallProj::Refused { refusal } => return Poll::Ready(this.protocol.refuse(*refusal)),
        };
        match until.scope(|| inner.poll(cx)) {
            Poll::Ready(Ok(response)) => {
                let outcome = this.protocol.classify(Ok(&response));
                Poll::Ready(Ok(this.protocol.respond(response, outcome, attempt.take())))
            }
            Poll::Ready(Err(error)) => {
                let outcome = this.protocol.classify(Err(&error));
                attempt.take().map(|attempt| attempt.finish(outcome));
                Poll::Ready(Err(this.protocol.fail(error)))
            }
            Poll::Pending => {
                attempt.as_ref().map(attend);
                ready!(until.poll(timer, cx));
                Poll::Ready(this.protocol.refuse(give_up(attempt.take(), *until)))
            }
        }
    }
}

/// Ends an attempt whose time is over.
fn give_up(attempt: Option<Attempt>, until: Until) -> Refusal {
    let Some(attempt) = attempt else {
        return Refusal::Deadline {
            after: Duration::ZERO,
        };
    };
    let after = until.span(attempt.started());
    let refusal = match until.end {
        End::Attempt => Refusal::Timeout { after },
        End::Both | End::Call => overdue(attempt.calls(), after),
    };
    // Cut short by the deadline of the call, it is dropped: no evidence against the endpoint.
    if until.end != End::Call {
        attempt.finish(Outcome::Failure(Cause::Timeout));
    }
    refusal
}
