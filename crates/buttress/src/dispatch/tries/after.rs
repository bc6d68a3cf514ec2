//! What follows when an attempt has failed.

use buttress_core::{Ended, Nanos, Panic, Progress, Protocol, Refusal, Resend, Step};
use tower_service::Service;

use super::{Failed, Tries};
use crate::{
    dispatch::{Plan, future::Stage, members::Members},
    terms::overdue,
};

impl<S, Req, Res, Err> Tries<S, Req, Res, Err>
where
    S: Service<Req, Response = Res, Error = Err> + Clone,
{
    /// An attempt failed: where to from here? Nowhere, if `None`.
    pub(in crate::dispatch) fn ended<P>(
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
        let step = self.redundancy.next(&Progress {
            deadline: Some(self.terms.deadline).filter(|at| *at < Nanos::MAX),
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
                .is_some_and(|request| self.idempotent || protocol.idempotent(request)),
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
    pub(in crate::dispatch) fn conclude<P>(
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
            Some(Failed::TimedOut(after)) if self.now < self.terms.deadline => {
                protocol.refuse(Refusal::Timeout { after })
            }
            Some(Failed::TimedOut(_) | Failed::Overdue) => {
                let had = self.terms.deadline.since(self.began);
                protocol.refuse(overdue(plan.source.destination().calls(), had))
            }
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
