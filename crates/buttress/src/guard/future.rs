//! The call in a [`Guard`](super::Guard).

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use buttress_core::{Attempt, Cause, Describe, Nanos, Outcome, Protocol, Refusal};
use tower_service::Service;

use super::waiting::Waiting;
use crate::{host::attend, policy::Limits, timer::Timer};

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
        limits: Limits,
    }
}

pin_project_lite::pin_project! {
    #[project = CallProj]
    enum Call<F, S, Req> {
        /// In the queue. Boxed: it is rare, and all others would carry it along.
        Waiting { waiting: Option<Box<Waiting<S, Req>>>, #[pin] timer: Timer },
        /// Under way. Only where it had to wait, its deadline may come before its timeout.
        Admitted {
            #[pin]
            inner: F,
            attempt: Option<Attempt>,
            #[pin]
            timer: Timer,
            deadline: Option<Nanos>,
        },
        Refused { refusal: Refusal },
    }
}

impl<S: Service<Req>, P, Req> GuardFuture<S, P, Req> {
    pub(super) fn admitted(
        inner: S::Future,
        attempt: Attempt,
        protocol: P,
        limits: Limits,
    ) -> Self {
        Self {
            call: Call::admitted(inner, attempt, None),
            protocol,
            limits,
        }
    }

    pub(super) fn waiting(waiting: Waiting<S, Req>, protocol: P, limits: Limits) -> Self {
        Self {
            call: Call::Waiting {
                waiting: Some(Box::new(waiting)),
                timer: Timer::default(),
            },
            protocol,
            limits,
        }
    }

    pub(super) const fn refused(refusal: Refusal, protocol: P, limits: Limits) -> Self {
        Self {
            call: Call::Refused { refusal },
            protocol,
            limits,
        }
    }
}

impl<F, S, Req> Call<F, S, Req> {
    fn admitted(inner: F, attempt: Attempt, deadline: Option<Nanos>) -> Self {
        Self::Admitted {
            inner,
            attempt: Some(attempt),
            timer: Timer::default(),
            deadline,
        }
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
        if let CallProj::Waiting { waiting, timer } = this.call.as_mut().project() {
            let Some(turn) = waiting.as_mut().map(|waiting| waiting.poll(timer, cx)) else {
                return Poll::Pending;
            };
            let turn = ready!(turn);
            let Some(Waiting {
                mut service,
                request,
                deadline,
                ..
            }) = waiting.take().map(|waiting| *waiting)
            else {
                return Poll::Pending;
            };
            let next = match turn {
                Ok(attempt) => {
                    let attempt = attempt.labelled(this.protocol.labels(&request));
                    Call::admitted(service.call(request), attempt, deadline)
                }
                Err(refusal) => Call::Refused { refusal },
            };
            this.call.set(next);
        }
        let (inner, attempt, timer, deadline) = match this.call.project() {
            CallProj::Admitted {
                inner,
                attempt,
                timer,
                deadline,
            } => (inner, attempt, timer, *deadline),
            CallProj::Refused { refusal } => return Poll::Ready(this.protocol.refuse(*refusal)),
            CallProj::Waiting { .. } => return Poll::Pending,
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
                    (attempt.as_ref().map(Attempt::started), this.limits.attempt)
                else {
                    return Poll::Pending;
                };
                let timeout = started.after(after);
                let cut = deadline.filter(|deadline| *deadline < timeout);
                ready!(timer.poll_until(cut.unwrap_or(timeout), cx));
                let attempt = attempt.take();
                if let (Some(_), Some(after)) = (cut, this.limits.deadline) {
                    // It had less time than its timeout, for it had to wait: no evidence against the service.
                    drop(attempt);
                    return Poll::Ready(this.protocol.refuse(Refusal::Deadline { after }));
                }
                attempt.map(|attempt| attempt.finish(Outcome::Failure(Cause::Timeout)));
                // With one attempt, its time is the whole call's.
                Poll::Ready(this.protocol.refuse(match this.limits.deadline {
                    Some(deadline) if deadline == after => Refusal::Deadline { after },
                    _ => Refusal::Timeout { after },
                }))
            }
        }
    }
}

impl<S: Service<Req>, P, Req> fmt::Debug for GuardFuture<S, P, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GuardFuture")
    }
}
