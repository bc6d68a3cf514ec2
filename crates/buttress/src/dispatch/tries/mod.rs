//! What moves freely between the stages of a call: how it was tried so far, and what that leads to.

mod after;

use std::{
    task::{Context, Poll},
    time::Duration,
};

use buttress_core::{
    Attempt, Call, Cause, Describe, MAX_ATTEMPTS, Nanos, Outcome, Protocol, Redundancy, Resend,
    Stamp,
};
use tower_service::Service;

use super::{Plan, future::Stage, members::Members};
use crate::{ambient::Around, terms::Terms};

/// How many endpoints that are not ready are waited for at once.
const WAITED_FOR: usize = 4;

/// How a call was tried so far.
pub(super) struct Tries<S, Req, Res, Err> {
    /// When it was last looked at the clock.
    pub(super) now: Nanos,
    began: Nanos,
    pub(super) terms: Terms,
    redundancy: Redundancy,
    /// Does the caller vouch that it may be handled twice?
    idempotent: bool,
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
    #[inline]
    pub(super) fn none(request: Req) -> Self {
        Self {
            now: Nanos::ZERO,
            began: Nanos::ZERO,
            // Now, and not when it is begun: that may be in another task.
            terms: Terms::part_of(Around::here()),
            redundancy: Redundancy::None,
            idempotent: false,
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

    /// Has the clock been read? It never stands at its origin; if it did, to begin twice would do no harm.
    pub(super) fn begun(&self) -> bool {
        self.now != Nanos::ZERO
    }

    /// It begins, unless it is too late already.
    #[inline]
    pub(super) fn begin<P>(&mut self, now: Nanos, protocol: &P, plan: &Plan) -> bool
    where
        P: Describe<Req>,
    {
        let call = (self.request.as_ref()).map_or(Call::new(), |request| protocol.call(request));
        (self.now, self.began) = (now, now);
        self.terms = self.terms.begun(&plan.limits, &call, now);
        self.redundancy = plan.redundancy.tightened(&call);
        self.idempotent = call.idempotent;
        let late = self.terms.deadline <= now;
        if late {
            self.failed = Some(Failed::Overdue);
        }
        !late
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
    #[inline]
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
    #[inline]
    pub(super) fn pick(&self, members: &Members<S>) -> Option<(usize, S)> {
        let can_fail = self.redundancy.attempts() > self.launched + 1;
        let place = members.pick(self.now, fastrand::u64(..), can_fail, |place| {
            self.over(place)
        })?;
        Some((place, members.all[place].service.clone()))
    }

    /// The first of those waited for that is ready, or cannot become so.
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
            Ok(()) if self.terms.deadline <= self.now => self.overdue(),
            Ok(()) => Some(self.attempt(place, service, protocol, plan, members)),
            Err(error) => {
                let outcome = self.unready(place, &error, protocol, members);
                let failed = Failed::Answer(Err(error), outcome);
                self.ended(failed, protocol, plan, members)
            }
        }
    }

    /// Sends the request, unless the endpoint's breaker refuses it after all.
    fn attempt<P>(
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
        if self.launched < self.redundancy.attempts() {
            self.spare = protocol.copy(&mut request);
        }
        self.sent_to(place);
        let attempt = attempt.labelled(protocol.labels(&request));
        let until = self.terms.attempt(&plan.limits, self.now);
        if let Some(left) = until.left(self.now).filter(|_| plan.limits.tell) {
            protocol.stamp(&mut request, &Stamp::new().left(left));
        }
        Stage::Calling {
            future: until.scope(|| service.call(request)),
            attempt: Some(attempt),
            until,
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
}
