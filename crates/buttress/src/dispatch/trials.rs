//! Whether an endpoint is well again is found out with copies.

use std::{
    future::{Future as _, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use buttress_core::{
    Attempt, Blame, Call, Cause, Describe, Discard, Due, End, Favoured, Nanos, Outcome, Protocol,
    Receipt, Resend, Stamp,
};
use tokio::{runtime::Handle, task::JoinSet};
use tower_service::Service;

use super::{Dispatch, DispatchFuture, Plan, members::Members};
use crate::{CLOCK, ambient::Around, carry, timer::Timer};

/// A [`Dispatch`] that risks no caller's call on an endpoint that may still be ill, where it can: made by
/// [`Dispatch::mirrored_trials`].
#[derive(Debug)]
pub struct MirroredTrials<S, P> {
    dispatch: Dispatch<S, P>,
    /// Dropped with the last service, and all trials with it.
    under_way: Arc<Mutex<JoinSet<()>>>,
}

impl<S, P> Dispatch<S, P> {
    /// Finds out with copies of calls whether an endpoint whose breaker is open is well again: the call itself goes elsewhere, and the answer
    /// to its copy is judged and discarded.
    ///
    /// Copies are made of requests that may be handled twice, while an endpoint waits for a trial, and charged to the budget. A copy
    /// outlives its call: it is given the policy's attempt timeout, or else the probe's, and has failed then. Where nothing may be copied a
    /// call is risked, as without this: outside a tokio runtime, too, and where a [`Call`] asks for one attempt, one endpoint at a time, or is an
    /// extra send already.
    ///
    /// # Examples
    ///
    /// ```
    /// use buttress::{Buttress, Endpoint, Idempotent, Plain, Policy, fixed};
    /// use tower::{BoxError, service_fn};
    ///
    /// let buttress = Buttress::new().policy("db", Policy::new());
    /// let connect = |_: &Endpoint| service_fn(|query: &'static str| async move { Ok::<_, BoxError>(query) });
    /// let db = buttress
    ///     .dispatch("db", Idempotent(Plain), fixed(["10.0.0.1:5432", "10.0.0.2:5432"])?, connect)?
    ///     .mirrored_trials();
    /// # let _ = db;
    /// # Ok::<(), BoxError>(())
    /// ```
    #[must_use]
    pub fn mirrored_trials(self) -> MirroredTrials<S, P> {
        MirroredTrials {
            dispatch: self,
            under_way: Arc::default(),
        }
    }
}

impl<S, P> MirroredTrials<S, P> {
    /// The calls themselves.
    #[must_use]
    pub const fn inner(&self) -> &Dispatch<S, P> {
        &self.dispatch
    }
}

impl<S, P: Clone> Clone for MirroredTrials<S, P> {
    fn clone(&self) -> Self {
        Self {
            dispatch: self.dispatch.clone(),
            under_way: Arc::clone(&self.under_way),
        }
    }
}

impl<S, P, Req> Service<Req> for MirroredTrials<S, P>
where
    S: Service<Req> + Clone + Send + 'static,
    S::Future: Send,
    S::Response: Send,
    S::Error: Send,
    Req: Send + 'static,
    P: Protocol<S::Response, S::Error>
        + Resend<Req>
        + Describe<Req>
        + Discard<P::Response>
        + Send
        + 'static,
    P::Discarding: Send,
{
    type Response = P::Response;
    type Error = P::Error;
    type Future = DispatchFuture<S, P, Req>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), P::Error>> {
        self.dispatch.poll_ready(cx)
    }

    fn call(&mut self, mut request: Req) -> Self::Future {
        let members = self.dispatch.current();
        if members.some_are_out()
            && let Ok(runtime) = Handle::try_current()
            && let Some(trial) = trial(
                &self.dispatch.protocol,
                &self.dispatch.plan,
                &members,
                &mut request,
            )
        {
            let mut under_way = self
                .under_way
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            while under_way.try_join_next().is_some() {}
            under_way.spawn_on(carry(Call::new().extra(), trial.run()), &runtime);
        }
        self.dispatch.begin(request, members)
    }
}

/// A copy for an endpoint that may be well again.
struct Trial<S, P, Req> {
    service: S,
    protocol: P,
    request: Req,
    attempt: Attempt,
    until: Nanos,
}

/// A trial with a copy of this request, if one is wanted, and may be made and paid for.
#[cold]
fn trial<S, P, Req>(
    protocol: &P,
    plan: &Plan,
    members: &Members<S>,
    request: &mut Req,
) -> Option<Trial<S, P, Req>>
where
    S: Clone,
    P: Resend<Req> + Describe<Req> + Clone,
{
    let now = CLOCK.now();
    let place = members.due(now, fastrand::u64(..))?;
    if !may_be_copied(protocol, request) || !plan.budget.covers() {
        return None;
    }
    let mut copy = protocol.copy(request)?;
    protocol.favour(&copy, Favoured::Original);
    let member = &members.all[place];
    // Admitted before it is paid for: a breaker that lets another trial through first costs nothing.
    let attempt = member.vitals.admit_at(now).ok()?;
    if !plan.budget.charge() {
        return None;
    }
    plan.source.destination().calls().extra();
    let until = until(plan, now);
    let mut stamp = Stamp::new().again(1).epoch(members.epoch(place));
    if plan.limits.tell {
        stamp = stamp.left(until.since(now));
    }
    protocol.stamp(&mut copy, &stamp);
    Some(Trial {
        service: member.service.clone(),
        protocol: protocol.clone(),
        attempt: attempt.labelled(protocol.labels(&copy)),
        request: copy,
        until,
    })
}

/// Is it one that may be handled twice, of a caller who wants it sent to more than one?
fn may_be_copied<P, Req>(protocol: &P, request: &Req) -> bool
where
    P: Resend<Req> + Describe<Req>,
{
    let call = protocol.call(request);
    let once = call.no_retry || call.no_hedge || call.extra || Around::here().marks.is_extra();
    !once && (call.idempotent || protocol.idempotent(request))
}

fn until(plan: &Plan, now: Nanos) -> Nanos {
    match plan.limits.attempt {
        u64::MAX => now.after(plan.probe.timeout),
        span => Nanos::new(now.as_u64().saturating_add(span)),
    }
}

impl<S, P, Req> Trial<S, P, Req>
where
    S: Service<Req>,
    P: Protocol<S::Response, S::Error> + Discard<P::Response>,
{
    /// # Cancel safety
    ///
    /// Dropped, its permit is given back undecided.
    async fn run(self) {
        let (until, began) = (self.until, self.attempt.started());
        let mut attempt = Some(self.attempt);
        let mut timer = pin!(Timer::default());
        let mut asking = pin!(ask(self.service, self.request));
        let answer = poll_fn(|cx| {
            let blame = Blame::on(&mut attempt);
            let polled = asking.as_mut().poll(cx);
            blame.over();
            match polled {
                Poll::Ready(answer) => Poll::Ready(Some(answer)),
                Poll::Pending => timer.as_mut().poll_until(until, cx).map(|()| None),
            }
        });
        let Some(answer) = answer.await else {
            attempt.map(|attempt| attempt.finish(Outcome::Failure(Cause::Timeout)));
            return;
        };
        let outcome = self.protocol.classify(answer.as_ref());
        let receipt = Receipt::new(outcome, attempt).due(Due {
            at: until,
            end: End::Attempt,
            began,
            clock: CLOCK,
        });
        if let Ok(response) = answer {
            let response = self.protocol.respond(response, receipt);
            self.protocol.discard(response).await;
        }
    }
}

async fn ask<S: Service<Req>, Req>(mut service: S, request: Req) -> Result<S::Response, S::Error> {
    poll_fn(|cx| service.poll_ready(cx)).await?;
    service.call(request).await
}
