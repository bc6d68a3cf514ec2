//! One call: attempts at one endpoint after another.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use buttress_core::{Attempt, Describe, Nanos, Protocol, Resend};
use tower_service::Service;

use super::{
    Plan,
    members::Members,
    tries::{Failed, Tries},
};
use crate::{
    CLOCK,
    host::attend,
    terms::{End, Until},
    timer::Timer,
};

pin_project_lite::pin_project! {
    /// The future of a [`Dispatch`](super::Dispatch).
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the attempt under way, which gives its permit back and counts as cancelled.
    ///
    /// # Panics
    ///
    /// When it has to wait under a policy with a deadline or an attempt timeout, outside a tokio runtime with time enabled.
    #[must_use = "futures do nothing unless polled"]
    pub struct DispatchFuture<S, P, Req>
    where
        S: Service<Req>,
    {
        protocol: P,
        plan: Arc<Plan>,
        members: Arc<Members<S>>,
        #[pin]
        stage: Stage<S::Future>,
        #[pin]
        timer: Timer,
        tries: Tries<S, Req, S::Response, S::Error>,
    }
}

pin_project_lite::pin_project! {
    #[project = StageProj]
    pub(super) enum Stage<F> {
        /// Looking for an endpoint that takes the call and is ready.
        Picking,
        /// Endpoints take the call, and none is ready: they are hot, not sick. No permit is held.
        Waiting,
        /// An attempt is under way.
        Calling { #[pin] future: F, attempt: Option<Attempt>, until: Until },
        /// The same endpoint is left alone for a while.
        Pausing { until: Nanos },
    }
}

impl<S, P, Req> DispatchFuture<S, P, Req>
where
    S: Service<Req>,
{
    #[inline]
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
            stage: Stage::Picking,
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
        let (protocol, plan, members, tries) =
            (&*this.protocol, &**this.plan, &**this.members, this.tries);
        if !tries.begun() && !tries.begin(CLOCK.now(), protocol, plan) {
            return Poll::Ready(tries.conclude(protocol, plan, members));
        }
        loop {
            let next = match this.stage.as_mut().project() {
                StageProj::Picking => match tries.pick(members) {
                    Some((place, mut service)) => match service.poll_ready(cx) {
                        Poll::Ready(answer) => {
                            tries.send(place, service, answer, protocol, plan, members)
                        }
                        Poll::Pending => Some(tries.wait_for(place, service)),
                    },
                    None if tries.is_waiting() => Some(Stage::Waiting),
                    None => None,
                },
                StageProj::Waiting => match tries.poll_waiting(cx) {
                    Poll::Ready((place, service, answer)) => {
                        tries.now = CLOCK.now();
                        tries.send(place, service, answer, protocol, plan, members)
                    }
                    Poll::Pending => {
                        ready!(tries.terms.call().poll(this.timer.as_mut(), cx));
                        tries.overdue()
                    }
                },
                StageProj::Calling {
                    future,
                    attempt,
                    until,
                } => {
                    match until.scope(|| future.poll(cx)) {
                        Poll::Ready(result) => {
                            let outcome = protocol.classify(result.as_ref());
                            let result = match result {
                                Ok(response) if !outcome.may_improve() => {
                                    let attempt = attempt.take();
                                    let answer = protocol.respond(response, outcome, attempt);
                                    return Poll::Ready(Ok(answer));
                                }
                                result => result,
                            };
                            tries.finish(attempt.take(), outcome);
                            let failed = Failed::Answer(result, outcome);
                            tries.ended(failed, protocol, plan, members)
                        }
                        Poll::Pending => {
                            attempt.as_ref().map(attend);
                            ready!(until.poll(this.timer.as_mut(), cx));
                            if until.end == End::Call {
                                // Cut short by the whole call's deadline: no evidence against the endpoint.
                                tries.overdue()
                            } else {
                                let failed = Failed::TimedOut(until.span(tries.now));
                                tries.finish(attempt.take(), failed.outcome());
                                tries.ended(failed, protocol, plan, members)
                            }
                        }
                    }
                }
                StageProj::Pausing { until } => {
                    if this.timer.as_mut().poll_until(*until, cx).is_pending() {
                        return Poll::Pending;
                    }
                    tries.now = CLOCK.now();
                    plan.budget.charge().then_some(Stage::Picking)
                }
            };
            // What has failed is dropped before anything else is sent, and before anybody hears of it.
            if let Some(stage) = next {
                this.stage.set(stage);
            } else {
                this.stage.set(Stage::Picking);
                return Poll::Ready(tries.conclude(protocol, plan, members));
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
            .finish_non_exhaustive()
    }
}
