//! The call in a [`Guard`](super::Guard).

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use buttress_core::{Attempt, Cause, Outcome, Protocol, Refusal};

use crate::{host::attend, policy::Limits, timer::Timer};

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
        Admitted { #[pin] inner: F, attempt: Option<Attempt>, #[pin] timer: Timer, limits: Limits },
        Refused { refusal: Refusal },
    }
}

impl<F, P> GuardFuture<F, P> {
    pub(super) fn admitted(inner: F, attempt: Attempt, protocol: P, limits: Limits) -> Self {
        Self {
            call: Call::Admitted {
                inner,
                attempt: Some(attempt),
                timer: Timer::default(),
                limits,
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
        let (inner, attempt, timer, limits) = match this.call.project() {
            CallProj::Admitted {
                inner,
                attempt,
                timer,
                limits,
            } => (inner, attempt, timer, limits),
            CallProj::Refused { refusal } => return Poll::Ready(this.protocol.refuse(*refusal)),
        };
        match inner.poll(cx) {
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
                let (Some(started), Some(after)) =
                    (attempt.as_ref().map(Attempt::started), limits.attempt)
                else {
                    return Poll::Pending;
                };
                ready!(timer.poll_until(started.after(after), cx));
                attempt
                    .take()
                    .map(|attempt| attempt.finish(Outcome::Failure(Cause::Timeout)));
                // With one attempt, its time is the whole call's.
                Poll::Ready(this.protocol.refuse(match limits.deadline {
                    Some(deadline) if deadline == after => Refusal::Deadline { after },
                    _ => Refusal::Timeout { after },
                }))
            }
        }
    }
}
