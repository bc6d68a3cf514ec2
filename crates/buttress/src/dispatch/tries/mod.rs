//! What moves freely between the stages of a call: how it was tried so far, and what that leads to.

mod after;
mod answers;
mod line;

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use buttress_core::{
    Attempt, Blame, Call, Cause, Describe, Favoured, MAX_ATTEMPTS, Nanos, Outcome, Protocol,
    Redundancy, Resend,
};
use tower_service::Service;

use super::{
    Plan,
    flights::{Flight, Flights},
    future::Stage,
    members::Members,
};
use crate::{CLOCK, ambient::Around, terms::Terms};
use answers::Answers;
use line::Line;

/// How many endpoints that are not ready are waited for at once.
const WAITED_FOR: usize = 4;

/// How many are asked before that: in a set so large one of them is.
const LOOKED_AT: usize = 32;

/// How a call was tried so far.
pub(super) struct Tries<S, Req, Res, Err> {
    /// When it was last looked at the clock.
    pub(super) now: Nanos,
    began: Nanos,
    pub(super) terms: Terms,
    redundancy: Redundancy,
    /// May it be handled twice, by the word of the caller or of the protocol? Asked only where it could be sent twice.
    pub(super) idempotent: bool,
    request: Option<Req>,
    spare: Option<Req>,
    pub(super) launched: u32,
    /// Is the next one sent beside another that may still be answered? What stands in for a failed one is not.
    beside: bool,
    /// How many extra ones the budget has paid for.
    paid: u32,
    /// Is the next one extra? It is paid for when it is sent.
    owes: bool,
    /// When the last was.
    sent: Nanos,
    /// Places of those that were sent to, this round.
    tried: [u32; MAX_ATTEMPTS as usize],
    tried_count: usize,
    /// Where it was sent first.
    first: Option<u32>,
    /// Places of those that refused or were not ready.
    passed: Vec<usize>,
    waiting: Vec<(usize, S)>,
    /// Where every one that takes calls has as many as it may: the way to a place.
    line: Line<S>,
    /// What the last attempt left: the answer, if nothing better comes.
    failed: Option<Failed<Res, Err>>,
    /// Good answers that are not enough yet.
    answers: Answers<Res>,
}

/// What is left to do where nothing more is sent.
pub(super) const fn rest(running: u32) -> Stage {
    if running > 0 {
        Stage::Resting(None)
    } else {
        Stage::Over
    }
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
            beside: false,
            paid: 0,
            owes: false,
            sent: Nanos::ZERO,
            tried: [0; MAX_ATTEMPTS as usize],
            tried_count: 0,
            first: None,
            passed: Vec::new(),
            waiting: Vec::new(),
            line: Line::none(),
            failed: None,
            answers: Answers::none(),
        }
    }

    /// It begins, unless it is too late already.
    pub(super) fn start<P>(&mut self, now: Nanos, protocol: &P, plan: &Plan) -> Stage
    where
        P: Resend<Req> + Describe<Req>,
    {
        let call = (self.request.as_ref()).map_or(Call::new(), |request| protocol.call(request));
        (self.now, self.began) = (now, now);
        self.terms = self.terms.begun(&plan.limits, &call, now);
        let call = if self.terms.is_extra() {
            call.extra()
        } else {
            call
        };
        self.redundancy = plan.redundancy.tightened(&call);
        let evident = || (self.request.iter()).any(|request| protocol.idempotent(request));
        self.idempotent = self.redundancy.attempts() > 1 && (call.idempotent || evident());
        if self.terms.deadline <= now {
            return self.overdue();
        }
        Stage::Picking
    }

    /// This one is hot: it is asked when it is ready, unless another is before.
    fn wait_for(&mut self, place: usize, service: S) -> Stage {
        self.passed.push(place);
        if self.waiting.len() < WAITED_FOR {
            self.waiting.push((place, service));
        }
        if self.passed.len() >= LOOKED_AT {
            Stage::Waiting
        } else {
            Stage::Picking
        }
    }

    /// An attempt is over.
    fn finish(&mut self, attempt: Option<Attempt>, outcome: Outcome) {
        if let Some(attempt) = attempt {
            self.now = attempt.finish(outcome);
        }
    }

    /// The time of the whole call is over, whatever it has brought.
    pub(super) fn overdue(&mut self) -> Stage {
        self.failed = Some(Failed::Overdue);
        Stage::Over
    }

    /// Is there budget for one more? It is charged when that is sent: what finds nobody to take it costs nothing.
    fn may_pay(&mut self, plan: &Plan) -> bool {
        self.owes = plan.budget.covers();
        self.owes
    }

    /// Pays for what is sent now, if it is extra. Others may have spent what there was.
    fn pay(&mut self, plan: &Plan) -> bool {
        if !std::mem::take(&mut self.owes) {
            return true;
        }
        let paid = plan.budget.charge();
        self.paid += u32::from(paid);
        paid
    }

    /// Has this one been tried, or passed over?
    fn over(&self, place: usize) -> bool {
        self.tried(place) || self.passed.contains(&place)
    }

    fn tried(&self, place: usize) -> bool {
        self.tried[..self.tried_count].contains(&(place as u32))
    }

    fn sent_to(&mut self, place: usize) {
        self.first.get_or_insert(place as u32);
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
    /// Looks for an endpoint, and sends the request if it is ready.
    pub(super) fn pick<P>(
        &mut self,
        cx: &mut Context<'_>,
        flights: Pin<&mut Flights<S::Future>>,
        protocol: &P,
        plan: &Plan,
        members: &Members<S>,
    ) -> Stage
    where
        P: Protocol<Res, Err> + Resend<Req> + Describe<Req>,
    {
        // The last attempt of several is not risked on one that may be ill. Where all calls are sent once, some must be:
        // without them it would be out for ever.
        let attempts = self.redundancy.attempts();
        let may_probe = attempts == 1 || attempts > self.launched + 1;
        let most = self.most_resets(protocol, plan);
        let bears = |place: usize| {
            most.is_none_or(|most| members.all[place].vitals.dropped(self.now) < most)
        };
        let place = members.pick(self.now, fastrand::u64(..), may_probe, |place| {
            self.over(place) || !bears(place)
        });
        let Some(place) = place else {
            return match flights.running() {
                _ if !self.waiting.is_empty() => Stage::Waiting,
                0 => match self.line_up(flights, protocol, plan, members) {
                    Stage::Over => self.once_more(plan),
                    next => next,
                },
                _ => Stage::Resting(None),
            };
        };
        let mut service = members.all[place].service.clone();
        match service.poll_ready(cx) {
            Poll::Ready(ready) => {
                let to = (place, &mut service);
                self.send(to, ready, flights, protocol, plan, members)
            }
            Poll::Pending => self.wait_for(place, service),
        }
    }

    /// Sends the request to the first of those waited for that is ready.
    pub(super) fn poll_waiting<P>(
        &mut self,
        cx: &mut Context<'_>,
        flights: Pin<&mut Flights<S::Future>>,
        protocol: &P,
        plan: &Plan,
        members: &Members<S>,
    ) -> Poll<Stage>
    where
        P: Protocol<Res, Err> + Resend<Req> + Describe<Req>,
    {
        let first = self.waiting.iter_mut().enumerate();
        let answer = first
            .filter_map(|(index, (_, service))| match service.poll_ready(cx) {
                Poll::Ready(answer) => Some((index, answer)),
                Poll::Pending => None,
            })
            .next();
        let Some((index, ready)) = answer else {
            return Poll::Pending;
        };
        let (place, mut service) = self.waiting.swap_remove(index);
        if ready.is_ok() {
            self.waiting.clear();
            self.passed.clear();
        }
        self.now = CLOCK.now();
        let to = (place, &mut service);
        Poll::Ready(self.send(to, ready, flights, protocol, plan, members))
    }

    /// Sends the request to whoever is `ready` for it; where nobody is, another is asked.
    fn send<P>(
        &mut self,
        (place, service): (usize, &mut S),
        ready: Result<(), Err>,
        flights: Pin<&mut Flights<S::Future>>,
        protocol: &P,
        plan: &Plan,
        members: &Members<S>,
    ) -> Stage
    where
        P: Protocol<Res, Err> + Resend<Req> + Describe<Req>,
    {
        if let Err(error) = ready {
            let outcome = self.unready(place, &error, protocol, members);
            let failed = Failed::Answer(Err(error), outcome);
            return self.ended(failed, flights.running(), protocol, plan, members);
        }
        if self.terms.deadline <= self.now {
            return self.overdue();
        }
        // Others may have spent what there was, while this one was waited for.
        if self.owes && !plan.budget.covers() {
            self.owes = false;
            return rest(flights.running());
        }
        match members.admit(place, self.now) {
            Ok(attempt) => self.launch((place, service, attempt), flights, protocol, plan, members),
            // Its breaker refuses it after all, or it has no place.
            Err(refusal) => {
                self.line.refused(refusal, place, service);
                self.passed.push(place);
                Stage::Picking
            }
        }
    }

    /// Sends the request. What is large is lent until it is sent: whoever takes it moves it.
    fn launch<P>(
        &mut self,
        (place, service, attempt): (usize, &mut S, Attempt),
        flights: Pin<&mut Flights<S::Future>>,
        protocol: &P,
        plan: &Plan,
        members: &Members<S>,
    ) -> Stage
    where
        P: Protocol<Res, Err> + Resend<Req> + Describe<Req>,
    {
        let running = flights.running();
        if self.request.is_none() {
            return Stage::Resting(None);
        }
        if !self.pay(plan) {
            return rest(running);
        }
        let until = self
            .terms
            .attempt(&plan.limits, self.now)
            .again(self.paid > 0);
        let spent =
            self.terms.is_extra() || self.redundancy.attempts() > 1 && !plan.budget.covers();
        let stamp = self.terms.stamp(&plan.limits, until, self.now);
        let epoch = members.epoch(place);
        let stamp = stamp.again(self.paid).spent(spent).epoch(epoch);
        let Some(request) = &mut self.request else {
            return Stage::Resting(None);
        };
        if self.launched > 0 && running == 0 {
            // What was sent before has failed, though it may still be read.
            protocol.favour(request, Favoured::Copy);
        }
        if self.launched + 1 < self.redundancy.attempts() {
            self.spare = protocol.copy(request);
        }
        let mut attempt = Some(attempt.labelled(protocol.labels(request)));
        if !stamp.is_empty() {
            protocol.stamp(request, &stamp);
        }
        self.begun_at(place, plan);
        let Some(request) = self.request.take() else {
            return Stage::Resting(None);
        };
        let (part, blame) = (until.enter(), Blame::on(&mut attempt));
        let future = service.call(request);
        blame.over();
        drop(part);
        flights.launch(Flight::new(future, attempt, until));
        self.beside(running + 1, protocol, plan, members)
    }

    /// Counts what is sent there.
    fn begun_at(&mut self, place: usize, plan: &Plan) {
        self.line.forget();
        // A place kept in another's queue would be given a permit there, and hold it unused.
        self.waiting.clear();
        if self.launched > 0 {
            plan.source.destination().calls().extra();
        }
        self.launched += 1;
        self.sent = self.now;
        self.sent_to(place);
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
}
