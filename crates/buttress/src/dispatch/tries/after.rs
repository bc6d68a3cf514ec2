//! What follows when an attempt was sent, and when it has landed.

use std::time::Duration;

use buttress_core::{
    Attempt, End, Ended, HedgePolicy, Nanos, Outcome, PanicMode, Progress, Protocol, Receipt,
    Redundancy, Refusal, Resend, Step,
};
use tower_service::Service;

use super::{Failed, Tries, rest};
use crate::{
    dispatch::{Plan, flights::Landed, future::Stage, members::Members},
    terms::overdue,
};

impl<S, Req, Res, Err> Tries<S, Req, Res, Err>
where
    S: Service<Req, Response = Res, Error = Err> + Clone,
{
    /// An attempt was answered: the answer of the call, or what follows.
    pub(in crate::dispatch) fn answered<P>(
        &mut self,
        answer: Result<Res, Err>,
        landed: Option<Landed>,
        running: u32,
        protocol: &P,
        plan: &Plan,
        members: &Members<S>,
    ) -> Result<Result<P::Response, P::Error>, Stage>
    where
        P: Protocol<Res, Err> + Resend<Req>,
    {
        // Whoever was looked for beside it is looked for anew.
        self.owes = false;
        let outcome = protocol.classify(answer.as_ref());
        let landed = landed.unwrap_or(Landed {
            attempt: None,
            until: self.terms.call(),
        });
        if answer.is_err() && landed.until.ended(outcome) {
            return Err(self.expired(landed, running, protocol, plan, members));
        }
        let Landed { attempt, until } = landed;
        if outcome.may_improve() {
            self.finish(attempt, until.excuse(outcome));
            let failed = Failed::Answer(answer, outcome);
            return Err(self.ended(failed, running, protocol, plan, members));
        }
        match answer {
            Ok(response) => {
                let receipt = Receipt::new(outcome, attempt).due(until.due(self.began));
                let Some(needed) = self.redundancy.agreement() else {
                    self.settle(members, true);
                    return Ok(Ok(protocol.respond(response, receipt)));
                };
                self.answers.add(response, receipt, protocol);
                match self.answers.agreed(needed, protocol) {
                    Some(answer) => {
                        self.settle(members, true);
                        Ok(Ok(answer))
                    }
                    None => Err(self.beside(running, protocol, plan, members)),
                }
            }
            // Given up on our side, as a copy of a body is that has fallen behind: no answer while there is, or may be, a better one.
            Err(_) if outcome == Outcome::Cancelled && (running > 0 || self.failed.is_some()) => {
                self.finish(attempt, outcome);
                Err(rest(running))
            }
            Err(error) => {
                self.finish(attempt, outcome);
                Ok(Err(protocol.fail(error)))
            }
        }
    }

    /// The time of an attempt is over: what follows.
    pub(in crate::dispatch) fn expired<P>(
        &mut self,
        Landed { attempt, until }: Landed,
        running: u32,
        protocol: &P,
        plan: &Plan,
        members: &Members<S>,
    ) -> Stage
    where
        P: Resend<Req>,
    {
        if until.end == End::Call {
            // Cut short by the whole call's deadline: no evidence against the endpoint.
            return self.overdue();
        }
        self.owes = false;
        let started = attempt.as_ref().map_or(self.sent, Attempt::started);
        let failed = Failed::TimedOut(until.span(started));
        self.finish(attempt, failed.outcome());
        self.ended(failed, running, protocol, plan, members)
    }

    /// Something was sent, or is not enough: what is to be sent beside what is under way?
    pub(super) fn beside<P>(
        &mut self,
        running: u32,
        protocol: &P,
        plan: &Plan,
        members: &Members<S>,
    ) -> Stage
    where
        P: Protocol<Res, Err> + Resend<Req>,
    {
        if self.redundancy.waits() {
            return Stage::Resting(None);
        }
        self.beside = running > 0;
        self.take_up(protocol, plan);
        let fresh = members.all.len() > self.tried_count;
        match self.step(None, running, fresh, plan) {
            Step::Launch if self.may_drop(protocol, plan, members) && self.may_pay(plan) => {
                Stage::Picking
            }
            Step::LaunchAt(at) => Stage::Resting(Some(at)),
            Step::Stop => Stage::Over,
            _ => rest(running),
        }
    }

    /// Takes up the copy, unless it is lost: then the call is committed to what was sent.
    fn take_up<P>(&mut self, protocol: &P, plan: &Plan)
    where
        P: Resend<Req>,
    {
        if self.request.is_none() {
            self.request = self.spare.take();
        }
        if self
            .request
            .as_ref()
            .is_some_and(|copy| protocol.lost(copy))
        {
            self.request = None;
            plan.source.destination().calls().committed();
            tracing::debug!(target: "buttress", "not sent again: its copy can no longer be read from its beginning");
        }
    }

    /// The time has come for another attempt.
    pub(in crate::dispatch) fn due<P>(
        &mut self,
        running: u32,
        protocol: &P,
        plan: &Plan,
        members: &Members<S>,
    ) -> Stage
    where
        P: Protocol<Res, Err> + Resend<Req>,
    {
        self.take_up(protocol, plan);
        self.beside = running > 0;
        if let Some(pause) = self.in_line(running, plan, members) {
            return Stage::Resting(Some(self.now.after(pause)));
        }
        // Beside another nothing is paid for before there is somebody to ask.
        let somebody = self.request.is_some()
            && (running == 0 || members.reaches(self.now, |place| self.over(place)));
        if somebody && self.may_drop(protocol, plan, members) && self.may_pay(plan) {
            Stage::Picking
        } else {
            rest(running)
        }
    }

    /// Does the attempt that is to be hedged only wait for its turn? Then for how long it is left alone. A delay that was not learned holds
    /// whatever the endpoint does.
    fn in_line(&self, running: u32, plan: &Plan, members: &Members<S>) -> Option<Duration> {
        let Redundancy::Hedge(HedgePolicy { after: None, .. }) = self.redundancy else {
            return None;
        };
        let (last, _) = self.tried[..self.tried_count]
            .split_last()
            .filter(|_| running > 0)?;
        let patience = plan.source.destination().hedge_after()?.delay;
        (members.all[*last as usize].vitals).in_line(self.sent, self.now, patience)
    }

    /// When another is sent beside those under way, may any of them be dropped in the end?
    fn may_drop<P>(&self, protocol: &P, plan: &Plan, members: &Members<S>) -> bool
    where
        P: Protocol<Res, Err>,
    {
        let Some(most) = self.most_resets(protocol, plan) else {
            return true;
        };
        let bears = |place: usize| members.all[place].vitals.dropped(self.now) < most;
        let may = (self.tried[..self.tried_count].iter()).all(|place| bears(*place as usize))
            && members.reaches(self.now, |place| self.over(place) || !bears(place));
        if !may {
            plan.source.destination().calls().withheld();
        }
        may
    }

    /// How many of its calls whoever is asked beside another may see dropped. A quorum needs all of them.
    pub(super) fn most_resets<P>(&self, protocol: &P, plan: &Plan) -> Option<u32>
    where
        P: Protocol<Res, Err>,
    {
        (plan.resets.or(protocol.resets()))
            .filter(|_| self.beside && self.redundancy.agreement().is_none())
    }

    /// An attempt failed: where to from here?
    pub(super) fn ended<P>(
        &mut self,
        failed: Failed<Res, Err>,
        running: u32,
        protocol: &P,
        plan: &Plan,
        members: &Members<S>,
    ) -> Stage
    where
        P: Resend<Req>,
    {
        let outcome = failed.outcome();
        self.failed = Some(failed);
        self.beside = false;
        self.take_up(protocol, plan);
        if outcome.forbids_more() {
            // Whoever else may fail yet: there is nothing left to send.
            self.request = None;
        }
        // Whoever is only hot is waited for when the others are out of reach, but not while one of them is there to ask.
        let fresh = members.reaches(self.now, |place| {
            self.tried(place) || !outcome.unsent() && self.passed.contains(&place)
        });
        // Where nobody at all takes calls, a pause would only delay the bad news.
        if !fresh && !members.reaches(self.now, |_| false) {
            return rest(running);
        }
        let ended = Ended {
            outcome,
            at: self.now,
        };
        let (stage, paid) = match self.step(Some(ended), running, fresh, plan) {
            // What was provably never sent is made good for nothing, once per endpoint.
            Step::Launch => (Stage::Picking, outcome.unsent() || self.may_pay(plan)),
            // A call dropped in its pause sends nothing: it pays afterwards.
            Step::LaunchAt(until) => (Stage::Resting(Some(until)), plan.budget.covers()),
            Step::Wait => (Stage::Resting(None), true),
            Step::Stop => (Stage::Over, true),
        };
        if !paid {
            return rest(running);
        }
        // Whoever is picked from now on may be one of those waited for.
        self.waiting.clear();
        self.passed.clear();
        self.line.forget();
        if !fresh && running == 0 {
            self.tried_count = 0;
        }
        stage
    }

    /// Whoever was left takes no call after all: whoever has failed is asked again after a pause, as where there is nobody else.
    pub(super) fn once_more(&mut self, plan: &Plan) -> Stage {
        let Some(outcome) = self.failed.as_ref().map(Failed::outcome) else {
            return Stage::Over;
        };
        // Asked once a round: in the next one nobody has been tried.
        if std::mem::take(&mut self.tried_count) == 0 {
            return Stage::Over;
        }
        let at = self.now;
        match self.step(Some(Ended { outcome, at }), 0, false, plan) {
            Step::LaunchAt(until) if plan.budget.covers() => {
                self.owes = false;
                self.passed.clear();
                self.line.forget();
                Stage::Resting(Some(until))
            }
            _ => Stage::Over,
        }
    }

    fn step(&self, last: Option<Ended>, running: u32, fresh: bool, plan: &Plan) -> Step {
        self.redundancy.next(&Progress {
            deadline: Some(self.terms.deadline).filter(|at| *at < Nanos::MAX),
            launched: self.launched,
            running,
            sent: self.sent,
            hedge: plan.source.destination().hedge_after(),
            agreed: self.answers.most(),
            last,
            fresh,
            copy: self.request.is_some(),
            idempotent: self.idempotent,
            draw: fastrand::u64(..),
        })
    }

    /// It is over. If it failed where it was sent first, was that made good?
    fn settle(&self, members: &Members<S>, covered: bool) {
        // A copy beside it covers no failure.
        let failed = self.failed.is_some() || !covered;
        if let (Some(first), true) = (self.first, failed) {
            members.all[first as usize].vitals.switched(covered);
        }
    }

    /// It is over: the last answer stands, or there was never anybody to ask.
    pub(in crate::dispatch) fn conclude<P>(
        &mut self,
        protocol: &P,
        plan: &Plan,
        members: &Members<S>,
    ) -> Result<P::Response, P::Error>
    where
        P: Protocol<Res, Err>,
    {
        self.settle(members, false);
        let (agreed, needed) = (self.answers.most(), self.redundancy.agreement());
        self.answers.end();
        if let (Some(needed), 1..) = (needed, agreed) {
            return protocol.refuse(Refusal::Quorum { agreed, needed });
        }
        match self.failed.take() {
            Some(Failed::Answer(Ok(response), outcome)) => {
                let receipt = Receipt::new(outcome, None).due(self.terms.call().due(self.began));
                Ok(protocol.respond(response, receipt))
            }
            Some(Failed::Answer(Err(error), _)) => Err(protocol.fail(error)),
            Some(Failed::TimedOut(after)) if self.now < self.terms.deadline => {
                protocol.refuse(Refusal::Timeout { after })
            }
            Some(Failed::TimedOut(_) | Failed::Overdue) => {
                let had = self.terms.deadline.since(self.began);
                protocol.refuse(overdue(plan.source.destination().calls(), had))
            }
            None => {
                // Some would take the call, if they had not so many.
                if let Some(refusal) = self.line.overloaded {
                    return protocol.refuse(refusal);
                }
                let retry_after = members.retry_after(self.now);
                protocol.refuse(match plan.source.panic() {
                    Some(PanicMode { usable, known }) => Refusal::Panic {
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
