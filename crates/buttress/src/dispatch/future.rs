//! One call: attempts at one endpoint after another, or beside another.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use buttress_core::{Describe, Nanos, Protocol, Resend};
use tower_service::Service;

use super::{Plan, flights::Flights, members::Members, tries::Tries};
use crate::{CLOCK, timer::Timer};

pin_project_lite::pin_project! {
    /// The future of a [`Dispatch`](super::Dispatch).
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the attempts under way, which give their permits back and count as cancelled.
    ///
    /// # Panics
    ///
    /// When it has to wait under a policy with a deadline or an attempt timeout, or is to hedge, outside a tokio runtime with time enabled.
    #[must_use = "futures do nothing unless polled"]
    pub struct DispatchFuture<S, P, Req>
    where
        S: Service<Req>,
    {
        protocol: P,
        plan: Arc<Plan>,
        members: Arc<Members<S>>,
        stage: Stage,
        #[pin]
        flights: Flights<S::Future>,
        #[pin]
        timer: Timer,
        tries: Tries<S, Req, S::Response, S::Error>,
    }
}

/// What is to be sent next, beside what is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not begun: the clock has not been read.
    Fresh,
    /// Looking for an endpoint that takes the call and is ready.
    Picking,
    /// Endpoints take the call, and none is ready: they are hot, not sick. No permit is held.
    Waiting,
    /// In the queue of an endpoint that has as many calls as it may, until this time; none is under way.
    Queued(Nanos),
    /// Nothing before this time; without one, nothing until something lands.
    Resting(Option<Nanos>),
    /// Nothing any more, and nothing is under way that could help.
    Over,
}

impl<S, P, Req> DispatchFuture<S, P, Req>
where
    S: Service<Req>,
{
    pub(super) fn new(
        request: Req,
        protocol: P,
        plan: Arc<Plan>,
        members: Arc<Members<S>>,
    ) -> Self {
        Self {
            protocol,
            plan,
            members,
            stage: Stage::Fresh,
            flights: Flights::none(),
            timer: Timer::default(),
            tries: Tries::none(request),
        }
    }
}

impl<S, P, Req> Future for DispatchFuture<S, P, Req>
where
    S: Service<Req> + Clone,
    P: Protocol<S::Response, S::Error> + Resend<Req> + Describe<Req>,
{
    type Output = Result<P::Response, P::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let (protocol, plan, members) = (&*this.protocol, &**this.plan, &**this.members);
        let (tries, stage, mut flights) = (this.tries, this.stage, this.flights);
        loop {
            // Where nothing could be done instead, an answer is passed on as it begins.
            let waits = tries.idempotent;
            let begun = |answer: &mut Result<_, _>, cx: &mut Context<'_>| match answer {
                Ok(response) if waits => protocol.poll_begun(response, cx),
                _ => Poll::Ready(()),
            };
            let mut landed = None;
            let next = match flights.as_mut().poll(cx, begun, &mut landed) {
                Poll::Ready(answer) => {
                    tries.answered(answer, landed, flights.running(), protocol, plan, members)
                }
                Poll::Pending => {
                    match *stage {
                        Stage::Fresh => {
                            *stage = tries.start(CLOCK.now(), protocol, plan);
                            continue;
                        }
                        Stage::Picking => {
                            *stage = tries.pick(cx, flights.as_mut(), protocol, plan, members);
                            continue;
                        }
                        Stage::Waiting => {
                            let found =
                                tries.poll_waiting(cx, flights.as_mut(), protocol, plan, members);
                            if let Poll::Ready(next) = found {
                                *stage = next;
                                continue;
                            }
                        }
                        Stage::Queued(_) => {
                            let turn =
                                tries.poll_turn(cx, flights.as_mut(), protocol, plan, members);
                            if let Poll::Ready(next) = turn {
                                *stage = next;
                                continue;
                            }
                        }
                        Stage::Resting(_) => {}
                        Stage::Over => {
                            // Whatever is left is dropped before anybody hears of it.
                            flights.set(Flights::none());
                            return Poll::Ready(tries.conclude(protocol, plan, members));
                        }
                    }
                    let next = match *stage {
                        Stage::Resting(Some(at)) | Stage::Queued(at) => at,
                        _ => Nanos::MAX,
                    };
                    let until = match *stage {
                        // Whoever waits for nothing but a place, or for a pause to end, is held to the time of the call.
                        _ if flights.running() == 0 => tries.terms.call(),
                        _ => flights.until().unwrap_or(tries.terms.call()),
                    };
                    if next < until.at() {
                        ready!(this.timer.as_mut().poll_until(next, cx));
                        tries.now = CLOCK.now().max(next);
                        *stage = match *stage {
                            Stage::Queued(_) => tries.waited(),
                            _ => tries.due(flights.running(), protocol, plan, members),
                        };
                        continue;
                    }
                    ready!(until.poll(this.timer.as_mut(), cx));
                    Err(match flights.as_mut().expire() {
                        Some(landed) => {
                            tries.expired(landed, flights.running(), protocol, plan, members)
                        }
                        None => tries.overdue(),
                    })
                }
            };
            match next {
                Ok(answer) => {
                    flights.overtake();
                    return Poll::Ready(answer);
                }
                Err(next) => *stage = next,
            }
        }
    }
}

impl<S, P, Req> fmt::Debug for DispatchFuture<S, P, Req>
where
    S: Service<Req>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DispatchFuture")
            .field("launched", &self.tries.launched)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}
