//! The call in a [`Reconnect`](super::Reconnect).

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use buttress_core::{Cause, Outcome, Protocol, Receipt, Refusal};
use tower_service::Service;

use super::{
    link::{Broken, Link},
    state::Connection,
    wait::Wait,
};

pin_project_lite::pin_project! {
    /// The future of a [`Reconnect`](super::Reconnect).
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the call. A connection that is being made is made all the same, for the other callers and the next.
    ///
    /// # Panics
    ///
    /// When it has to connect outside a tokio runtime with time enabled.
    #[must_use = "futures do nothing unless polled"]
    pub struct ReconnectFuture<S, P, Req>
    where
        S: Service<Req>,
    {
        #[pin]
        step: Step<S, S::Future>,
        request: Option<Req>,
        link: Arc<Link<S>>,
        protocol: P,
    }
}

pin_project_lite::pin_project! {
    #[project = StepProj]
    enum Step<S, F> {
        Waiting { wait: Wait<S> },
        Readying { connection: Connection<S> },
        Calling { generation: u64, #[pin] inner: F },
        Over,
    }
}

impl<S, P, Req> ReconnectFuture<S, P, Req>
where
    S: Service<Req> + Clone + Send + 'static,
{
    pub(super) fn new(
        link: Arc<Link<S>>,
        protocol: P,
        request: Req,
        connection: Option<Connection<S>>,
    ) -> Self {
        let step = match connection {
            Some(connection) => Step::Readying { connection },
            None => Step::Waiting {
                wait: Wait::new(&link),
            },
        };
        Self {
            step,
            request: Some(request),
            link,
            protocol,
        }
    }
}

impl<S, P, Req> Future for ReconnectFuture<S, P, Req>
where
    S: Service<Req, Error: fmt::Display> + Clone + Send + 'static,
    P: Protocol<S::Response, S::Error>,
{
    type Output = Result<P::Response, P::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let mut this = self.as_mut().project();
            let next = match this.step.as_mut().project() {
                StepProj::Waiting { wait } => match ready!(wait.poll(cx)) {
                    // Waiting => Readying
                    Ok(connection) => Step::Readying { connection },
                    // Waiting => Over
                    Err(retry_after) => {
                        this.step.set(Step::Over);
                        let refusal = Refusal::Disconnected { retry_after };
                        return Poll::Ready(this.protocol.refuse(refusal));
                    }
                },
                // Readying => Waiting: it broke meanwhile. Nothing was sent.
                StepProj::Readying { connection } if !this.link.is_live(connection.generation) => {
                    Step::Waiting {
                        wait: Wait::new(this.link),
                    }
                }
                StepProj::Readying { connection } => {
                    let generation = connection.generation;
                    match (
                        ready!(connection.service.poll_ready(cx)),
                        this.request.take(),
                    ) {
                        // Readying => Calling
                        (Ok(()), Some(request)) => Step::Calling {
                            generation,
                            inner: connection.service.call(request),
                        },
                        (Ok(()), None) => Step::Over,
                        (Err(error), request) => {
                            let cause = cause_of(this.protocol.classify(Err(&error)));
                            if this.link.broke(generation, cause, &error) == Broken::Unproven {
                                // Readying => Over: made, and of no use.
                                this.step.set(Step::Over);
                                return Poll::Ready(Err(this.protocol.fail(error)));
                            }
                            // Readying => Waiting: nothing was sent, and the next one may serve.
                            *this.request = request;
                            Step::Waiting {
                                wait: Wait::new(this.link),
                            }
                        }
                    }
                }
                StepProj::Calling { generation, inner } => {
                    let (answer, generation) = (ready!(inner.poll(cx)), *generation);
                    this.step.set(Step::Over);
                    return Poll::Ready(match answer {
                        Ok(response) => {
                            this.link.proved(generation);
                            let outcome = this.protocol.classify(Ok(&response));
                            Ok(this.protocol.respond(response, Receipt::new(outcome, None)))
                        }
                        Err(error) => {
                            let outcome = this.protocol.classify(Err(&error));
                            if (this.link.rules.breaks)(outcome) {
                                this.link.broke(generation, cause_of(outcome), &error);
                            }
                            Err(this.protocol.fail(error))
                        }
                    });
                }
                StepProj::Over => return Poll::Pending,
            };
            this.step.set(next);
        }
    }
}

const fn cause_of(outcome: Outcome) -> Cause {
    match outcome {
        Outcome::Failure(cause) => cause,
        _ => Cause::Reset,
    }
}

impl<S: Service<Req>, P, Req> fmt::Debug for ReconnectFuture<S, P, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReconnectFuture").finish_non_exhaustive()
    }
}
