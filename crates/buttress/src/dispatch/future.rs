//! One call: attempts at one endpoint after another.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use buttress_core::{
    Attempt, Cause, Describe, Ended, MAX_ATTEMPTS, Nanos, Outcome, Panic, Progress, Protocol,
    Refusal, Resend, Step,
};
use tower_service::Service;

use super::{Plan, members::Members};
use crate::{CLOCK, host::attend, timer::Timer};

/// How many endpoints that are not ready are waited for at once.
const WAITED_FOR: usize = 4;

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
        call: Call<S, Req, S::Response, S::Error>,
    }
}

pin_project_lite::pin_project! {
    #[project = StageProj]
    enum Stage<F> {
        /// Not begun: the clock has not been read.
        Fresh,
        /// Looking for an endpoint that takes the call and is ready.
        Picking,
        /// Endpoints take the call, and none is ready: they are hot, not sick. No permit is held.
        Waiting,
        /// An attempt is under way.
        Calling { #[pin] future: F, attempt: Option<Attempt> },
        /// The same endpoint is left alone for a while.
        Pausing { until: Nanos },
    }
}

/// What moves freely between the stages.
struct Call<S, Req, Res, Err> {
    now: Nanos,
    deadline: Option<Nanos>,
    request: Option<Req>,
    spare: Option<Req>,
    launched: u32,
    /// Places of those that were sent to, this round.
    tried: [u32; MAX_ATTEMPTS as usize],
    tried_count: usize,
    /// Where it was sent first.
    first: Option<usize>,
    /// Places of those that refused or were not ready.
    passed: Vec<usize>,
    waiting: Vec<(usize, S)>,
    /// What the last attempt left: the answer, if nothing better comes.
    failed: Option<Failed<Res, Err>>,
}

/// How an attempt failed.
enum Failed<Res, Err> {
    Answer(Result<Res, Err>, Outcome),
    TimedOut(Duration),
}

impl<Res, Err> Failed<Res, Err> {
    const fn outcome(&self) -> Outcome {
        match self {
            Self::Answer(_, outcome) => *outcome,
            Self::TimedOut(_) => Outcome::Failure(Cause::Timeout),
        }
    }
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
        let call = Call {
            now: Nanos::ZERO,
            deadline: None,
            request: Some(request),
            spare: None,
            launched: 0,
            tried: [0; MAX_ATTEMPTS as usize],
            tried_count: 0,
            first: None,
            passed: Vec::new(),
            waiting: Vec::new(),
            failed: None,
        };
        Self {
            protocol,
            plan,
            members,
            stage: Stage::Fresh,
            timer: Timer::default(),
            call,
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
        let (protocol, plan, members, call) =
            (&*this.protocol, &**this.plan, &**this.members, this.call);
        loop {
            match this.stage.as_mut().project() {
                StageProj::Fresh => {
                    call.now = CLOCK.now();
                    call.deadline = plan.limits.deadline.map(|span| call.now.after(span));
                    this.stage.set(Stage::Picking);
                }
                StageProj::Picking => {
                    let Some((place, mut service)) = call.pick(plan, members) else {
                        if call.waiting.is_empty() {
                            return Poll::Ready(call.conclude(protocol, plan, members));
                        }
                        this.stage.set(Stage::Waiting);
                        continue;
                    };
                    match service.poll_ready(cx) {
                        Poll::Ready(Ok(())) => {
                            if let Some((future, attempt)) =
                                call.begin(place, service, protocol, plan, members)
                            {
                                this.stage.set(Stage::Calling {
                                    future,
                                    attempt: Some(attempt),
                                });
                            }
                        }
                        Poll::Ready(Err(error)) => {
                            let outcome = call.unready(place, &error, protocol, members);
                            let next = call.ended(
                                Failed::Answer(Err(error), outcome),
                                protocol,
                                plan,
                                members,
                            );
                            let Some(stage) = next else {
                                return Poll::Ready(call.conclude(protocol, plan, members));
                            };
                            this.stage.set(stage);
                        }
                        Poll::Pending => {
                            call.passed.push(place);
                            call.waiting.push((place, service));
                            if call.waiting.len() == WAITED_FOR {
                                this.stage.set(Stage::Waiting);
                            }
                        }
                    }
                }
                StageProj::Waiting => {
                    let answer =
                        call.waiting
                            .iter_mut()
                            .enumerate()
                            .find_map(|(index, (_, service))| match service.poll_ready(cx) {
                                Poll::Ready(answer) => Some((index, answer)),
                                Poll::Pending => None,
                            });
                    let Some((index, answer)) = answer else {
                        return match call.deadline {
                            Some(deadline) if this.timer.poll_until(deadline, cx).is_ready() => {
                                Poll::Ready(call.overdue(protocol, plan, members))
                            }
                            _ => Poll::Pending,
                        };
                    };
                    let (place, service) = call.waiting.swap_remove(index);
                    call.now = CLOCK.now();
                    let stage = match answer {
                        Ok(()) => {
                            call.waiting.clear();
                            call.passed.clear();
                            call.begin(place, service, protocol, plan, members).map_or(
                                Stage::Picking,
                                |(future, attempt)| Stage::Calling {
                                    future,
                                    attempt: Some(attempt),
                                },
                            )
                        }
                        Err(error) => {
                            let outcome = call.unready(place, &error, protocol, members);
                            let next = call.ended(
                                Failed::Answer(Err(error), outcome),
                                protocol,
                                plan,
                                members,
                            );
                            let Some(stage) = next else {
                                return Poll::Ready(call.conclude(protocol, plan, members));
                            };
                            stage
                        }
                    };
                    this.stage.set(stage);
                }
                StageProj::Calling { future, attempt } => {
                    let failed = match future.poll(cx) {
                        Poll::Ready(result) => {
                            let outcome = protocol.classify(result.as_ref());
                            let result = match result {
                                Ok(response) if !outcome.may_improve() => {
                                    call.settle(members, true);
                                    return Poll::Ready(Ok(protocol.respond(
                                        response,
                                        outcome,
                                        attempt.take(),
                                    )));
                                }
                                result => result,
                            };
                            if let Some(attempt) = attempt.take() {
                                call.now = attempt.finish(outcome);
                            }
                            Failed::Answer(result, outcome)
                        }
                        Poll::Pending => {
                            attempt.as_ref().map(attend);
                            let started = attempt.as_ref().map_or(call.now, Attempt::started);
                            let timeout =
                                plan.limits.attempt.map(|span| (started.after(span), span));
                            let overdue = call
                                .deadline
                                .filter(|deadline| timeout.is_none_or(|(at, _)| *deadline < at));
                            let Some(at) = overdue.or(timeout.map(|(at, _)| at)) else {
                                return Poll::Pending;
                            };
                            if this.timer.as_mut().poll_until(at, cx).is_pending() {
                                return Poll::Pending;
                            }
                            let (Some((_, span)), None) = (timeout, overdue) else {
                                // Cut short by the whole call's deadline: no evidence against the endpoint.
                                this.stage.set(Stage::Picking);
                                return Poll::Ready(call.overdue(protocol, plan, members));
                            };
                            if let Some(attempt) = attempt.take() {
                                call.now = attempt.finish(Outcome::Failure(Cause::Timeout));
                            }
                            Failed::TimedOut(span)
                        }
                    };
                    let next = call.ended(failed, protocol, plan, members);
                    // What has failed is dropped before anything else is sent.
                    this.stage.set(Stage::Picking);
                    let Some(stage) = next else {
                        return Poll::Ready(call.conclude(protocol, plan, members));
                    };
                    this.stage.set(stage);
                }
                StageProj::Pausing { until } => {
                    if this.timer.as_mut().poll_until(*until, cx).is_pending() {
                        return Poll::Pending;
                    }
                    call.now = CLOCK.now();
                    this.stage.set(Stage::Picking);
                    if !plan.budget.charge() {
                        return Poll::Ready(call.conclude(protocol, plan, members));
                    }
                }
            }
        }
    }
}

impl<S, Req, Res, Err> Call<S, Req, Res, Err>
where
    S: Service<Req, Response = Res, Error = Err> + Clone,
{
    fn pick(&self, plan: &Plan, members: &Members<S>) -> Option<(usize, S)> {
        let can_fail = plan.redundancy.attempts() > self.launched + 1;
        let place = members.pick(self.now, fastrand::u64(..), can_fail, |place| {
            self.over(place)
        })?;
        Some((place, members.all[place].service.clone()))
    }

    /// Has this one been tried, or passed over?
    fn over(&self, place: usize) -> bool {
        self.tried(place) || self.passed.contains(&place)
    }

    fn tried(&self, place: usize) -> bool {
        self.tried[..self.tried_count].contains(&(place as u32))
    }

    /// Sends the request, unless the endpoint's breaker refuses it after all.
    fn begin<P>(
        &mut self,
        place: usize,
        mut service: S,
        protocol: &P,
        plan: &Plan,
        members: &Members<S>,
    ) -> Option<(S::Future, Attempt)>
    where
        P: Resend<Req> + Describe<Req>,
    {
        let Ok(attempt) = members.admit(place, self.now) else {
            self.passed.push(place);
            return None;
        };
        let mut request = self.request.take()?;
        // A place kept in another's queue would be given a permit there, and hold it unused.
        self.waiting.clear();
        self.launched += 1;
        if self.launched < plan.redundancy.attempts() {
            self.spare = protocol.copy(&mut request);
        }
        self.sent_to(place);
        let attempt = attempt.labelled(protocol.labels(&request));
        Some((service.call(request), attempt))
    }

    /// A service that cannot become ready has failed; nothing was sent.
    fn unready<P>(
        &mut self,
        place: usize,
        error: &Err,
        protocol: &P,
        members: &Members<S>,
    ) -> Outcome
    where
        P: Protocol<Res, Err>,
    {
        let outcome = match protocol.classify(Err(error)) {
            Outcome::Failure(_) => Outcome::Failure(Cause::Connect),
            other => other,
        };
        if let Ok(attempt) = members.admit(place, self.now) {
            self.now = attempt.finish(outcome);
        }
        self.launched += 1;
        self.spare = self.request.take();
        self.sent_to(place);
        outcome
    }

    fn sent_to(&mut self, place: usize) {
        self.first.get_or_insert(place);
        if let Some(slot) = self.tried.get_mut(self.tried_count) {
            *slot = place as u32;
            self.tried_count += 1;
        }
    }

    /// It is over. If it failed where it was sent first, was that made good?
    fn settle(&self, members: &Members<S>, covered: bool) {
        if let (Some(first), false) = (self.first, covered && self.launched < 2) {
            members.all[first].vitals.switched(covered);
        }
    }

    /// An attempt failed: where to from here? Nowhere, if `None`.
    fn ended<P>(
        &mut self,
        failed: Failed<Res, Err>,
        protocol: &P,
        plan: &Plan,
        members: &Members<S>,
    ) -> Option<Stage<S::Future>>
    where
        P: Resend<Req>,
    {
        let outcome = failed.outcome();
        self.failed = Some(failed);
        self.request = self.spare.take();
        // Whoever is only hot is waited for when the others are out of reach, but not while one of them is there to ask.
        let fresh = members.reaches(self.now, |place| {
            self.tried(place) || !outcome.unsent() && self.passed.contains(&place)
        });
        // Where nobody at all takes calls, a pause would only delay the bad news.
        if !fresh && !members.reaches(self.now, |_| false) {
            return None;
        }
        let step = plan.redundancy.next(&Progress {
            deadline: self.deadline,
            launched: self.launched,
            running: 0,
            last: Some(Ended {
                outcome,
                at: self.now,
            }),
            fresh,
            copy: self.request.is_some(),
            idempotent: self
                .request
                .as_ref()
                .is_some_and(|request| protocol.idempotent(request)),
            draw: fastrand::u64(..),
        });
        let (stage, paid) = match step {
            // What was provably never sent is made good for nothing, once per endpoint.
            Step::Launch => (Stage::Picking, outcome.unsent() || plan.budget.charge()),
            // A call dropped in its pause sends nothing: it pays afterwards.
            Step::LaunchAt(until) => (Stage::Pausing { until }, plan.budget.covers()),
            Step::Wait | Step::Stop => return None,
        };
        if !paid {
            return None;
        }
        // Whoever is picked from now on may be one of those waited for.
        self.waiting.clear();
        self.passed.clear();
        if !fresh {
            self.tried_count = 0;
        }
        Some(stage)
    }

    /// It is over: the last answer stands, or there was never anybody to ask.
    fn conclude<P>(
        &mut self,
        protocol: &P,
        plan: &Plan,
        members: &Members<S>,
    ) -> Result<P::Response, P::Error>
    where
        P: Protocol<Res, Err>,
    {
        self.settle(members, false);
        match self.failed.take() {
            Some(Failed::Answer(Ok(response), outcome)) => {
                Ok(protocol.respond(response, outcome, None))
            }
            Some(Failed::Answer(Err(error), _)) => Err(protocol.fail(error)),
            Some(Failed::TimedOut(after)) => protocol.refuse(Refusal::Timeout { after }),
            None => {
                let retry_after = members.retry_after(self.now);
                protocol.refuse(match plan.source.panic() {
                    Some(Panic { usable, known }) => Refusal::Panic {
                        usable,
                        known,
                        retry_after,
                    },
                    None => Refusal::NoEndpoint {
                        known: members.all.len(),
                        retry_after,
                    },
                })
            }
        }
    }

    fn overdue<P>(
        &mut self,
        protocol: &P,
        plan: &Plan,
        members: &Members<S>,
    ) -> Result<P::Response, P::Error>
    where
        P: Protocol<Res, Err>,
    {
        self.settle(members, false);
        protocol.refuse(Refusal::Deadline {
            after: plan.limits.deadline.unwrap_or_default(),
        })
    }
}

impl<S, P, Req> fmt::Debug for DispatchFuture<S, P, Req>
where
    S: Service<Req>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DispatchFuture")
            .field("launched", &self.call.launched)
            .finish_non_exhaustive()
    }
}
