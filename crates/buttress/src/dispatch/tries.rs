//! What moves freely between the stages of a call: how it was tried so far, and what that leads to.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use buttress_core::{
    Attempt, Cause, Describe, Ended, MAX_ATTEMPTS, Nanos, Outcome, Panic, Progress, Protocol,
    Refusal, Resend, Step,
};
use tower_service::Service;

use super::{Plan, future::Stage, members::Members};

/// How many endpoints that are not ready are waited for at once.
const WAITED_FOR: usize = 4;

/// How a call was tried so far.
pub(super) struct Tries<S, Req, Res, Err> {
    /// When it was last looked at the clock.
    pub(super) now: Nanos,
    pub(super) deadline: Option<Nanos>,
    request: Option<Req>,
    spare: Option<Req>,
    pub(super) launched: u32,
    /// Places of those that were sent to, this round.
    tried: [u32; MAX_ATTEMPTS as usize],
    tried_count: usize,
    /// Places of those that refused or were not ready.
    passed: Vec<usize>,
    waiting: Vec<(usize, S)>,
    /// What the last attempt left: the answer, if nothing better comes.
    failed: Option<Failed<Res, Err>>,
}

/// How a call failed so far.
pub(super) enum Failed<Res, Err> {
    Answer(Result<Res, Err>, Outcome),
    TimedOut(Duration),
    /// There is no time for another answer, nor for this one.
    Overdue,
}

impl<Res, Err> Failed<Res, Err> {
    pub(super) const fn outcome(&self) -> Outcome {
        match self {
            Self::Answer(_, outcome) => *outcome,
            Self::TimedOut(_) => Outcome::Failure(Cause::Timeout),
            Self::Overdue => Outcome::Cancelled,
        }
    }
}

impl<S, Req, Res, Err> Tries<S, Req, Res, Err> {
    /// Not tried yet.
    pub(super) const fn none(request: Req) -> Self {
        Self {
            now: Nanos::ZERO,
            deadline: None,
            request: Some(request),
            spare: None,
            launched: 0,
            tried: [0; MAX_ATTEMPTS as usize],
            tried_count: 0,
            passed: Vec::new(),
            waiting: Vec::new(),
            failed: None,
        }
    }

    pub(super) fn start(&mut self, now: Nanos, plan: &Plan) {
        self.now = now;
        self.deadline = plan.limits.deadline.map(|span| now.after(span));
    }

    pub(super) const fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// This one is hot: it is asked when it is ready, unless another is before.
    pub(super) fn wait_for<F>(&mut self, place: usize, service: S) -> Stage<F> {
        self.passed.push(place);
        self.waiting.push((place, service));
        if self.waiting.len() == WAITED_FOR {
            Stage::Waiting
        } else {
            Stage::Picking
        }
    }

    /// An attempt is over.
    pub(super) fn finish(&mut self, attempt: Option<Attempt>, outcome: Outcome) {
        if let Some(attempt) = attempt {
            self.now = attempt.finish(outcome);
        }
    }

    /// The time of the whole call is over, whatever it has brought.
    pub(super) fn overdue<F>(&mut self) -> Option<Stage<F>> {
        self.failed = Some(Failed::Overdue);
        None
    }

    /// Has this one been tried, or passed over?
    fn over(&self, place: usize) -> bool {
        self.tried(place) || self.passed.contains(&place)
    }

    fn tried(&self, place: usize) -> bool {
        self.tried[..self.tried_count].contains(&(place as u32))
    }

    fn sent_to(&mut self, place: usize) {
        if let Some(slot) = self.tried.get_mut(self.tried_count) {
            *slot = place as u32;
            self.tried_count += 1;
        }
    }
}

impl<S, Req, Res, Err> Tries<S, Req, Res, Err>
where
    S: Service<Req, Response = Res, Error = Err> + Clone,
{
    pub(super) fn pick(&self, plan: &Plan, members: &Members<S>) -> Option<(usize, S)> {
        let can_fail = plan.redundancy.attempts() > self.launched + 1;
        let place = members.pick(self.now, fastrand::u64(..), can_fail, |place| {
            self.over(place)
        })?;
        Some((place, members.all[place].service.clone()))
    }

    /// The first of those waited for that is ready, or cannot become so.
    #[expect(clippy::type_complexity, reason = "who, and how it went")]
    pub(super) fn poll_waiting(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<(usize, S, Result<(), Err>)> {
        let first = self.waiting.iter_mut().enumerate();
        let answer = first
            .filter_map(|(index, (_, service))| match service.poll_ready(cx) {
                Poll::Ready(answer) => Some((index, answer)),
                Poll::Pending => None,
            })
            .next();
        let Some((index, answer)) = answer else {
            return Poll::Pending;
        };
        let (place, service) = self.waiting.swap_remove(index);
        if answer.is_ok() {
            self.waiting.clear();
            self.passed.clear();
        }
        Poll::Ready((place, service, answer))
    }

    /// Sends the request to whoever is `ready` for it; where nobody is, another is asked.
    pub(super) fn send<P>(
        &mut self,
        place: usize,
        service: S,
        ready: Result<(), Err>,
        protocol: &P,
        plan: &Plan,
        members: &Members<S>,
    ) -> Option<Stage<S::Future>>
    where
        P: Protocol<Res, Err> + Resend<Req> + Describe<Req>,
    {
        match ready {
            Ok(()) => Some(self.begin(place, service, protocol, plan, members)),
            Err(error) => {
                let outcome = self.unready(place, &error, protocol, members);
                let failed = Failed::Answer(Err(error), outcome);
                self.ended(failed, protocol, plan, members)
            }
        }
    }

    /// Sends the request, unless the endpoint's breaker refuses it after all.
    fn begin<P>(
        &mut self,
        place: usize,
        mut service: S,
        protocol: &P,
        plan: &Plan,
        members: &Members<S>,
    ) -> Stage<S::Future>
    where
        P: Resend<Req> + Describe<Req>,
    {
        let Ok(attempt) = members.all[place].vitals.admit_at(self.now) else {
            self.passed.push(place);
            return Stage::Picking;
        };
        let Some(mut request) = self.request.take() else {
            return Stage::Picking;
        };
        // A place kept in another's queue would be given a permit there, and hold it unused.
        self.waiting.clear();
        self.launched += 1;
        if self.launched < plan.redundancy.attempts() {
            self.spare = protocol.copy(&mut request);
        }
        self.sent_to(place);
        let attempt = attempt.labelled(protocol.labels(&request));
        Stage::Calling {
            future: service.call(request),
            attempt: Some(attempt),
        }
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
        if let Ok(attempt) = members.all[place].vitals.admit_at(self.now) {
            self.now = attempt.finish(outcome);
        }
        self.launched += 1;
        self.spare = self.request.take();
        self.sent_to(place);
        outcome
    }

    /// An attempt failed: where to from here? Nowhere, if `None`.
    pub(super) fn ended<P>(
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
        let fresh = members
            .pick(self.now, 0, true, |place| {
                self.tried(place) || !outcome.unsent() && self.passed.contains(&place)
            })
            .is_some();
        // Where nobody at all takes calls, a pause would only delay the bad news.
        if !fresh && members.pick(self.now, 0, true, |_| false).is_none() {
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
    pub(super) fn conclude<P>(
        &mut self,
        protocol: &P,
        plan: &Plan,
        members: &Members<S>,
    ) -> Result<P::Response, P::Error>
    where
        P: Protocol<Res, Err>,
    {
        match self.failed.take() {
            Some(Failed::Answer(Ok(response), outcome)) => {
                Ok(protocol.respond(response, outcome, None))
            }
            Some(Failed::Answer(Err(error), _)) => Err(protocol.fail(error)),
            Some(Failed::TimedOut(after)) => protocol.refuse(Refusal::Timeout { after }),
            Some(Failed::Overdue) => protocol.refuse(Refusal::Deadline {
                after: plan.limits.deadline.unwrap_or_default(),
            }),
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
}
