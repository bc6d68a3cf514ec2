//! One endpoint under watch.

mod future;
mod keyed;
mod layer;
mod named;
mod waiting;

use std::{
    task::{Context, Poll},
    time::Duration,
};

use buttress_core::{Admission, Ask, Describe, Destination, Nanos, Protocol, Refusal, Vitals};
use tower_service::Service;

pub use future::GuardFuture;
pub use keyed::{By, Keyed, KeyedLayer};
pub use layer::GuardLayer;
pub use named::{BreakerLayer, HealthLayer, StatsLayer};

use crate::{CLOCK, Handle, policy::Limits, terms::overdue};
use future::{send, stamped};
use waiting::Waiting;

/// One service under watch: measured once, refused while its breaker is open or its limit reached, given up after its
/// timeout.
///
/// Readiness is passed on as it is; permission is asked for in `call`, so that a held readiness holds no permit
/// and no place under a limit.
/// Clones share their vitals.
#[derive(Clone, Debug)]
pub struct Guard<S, P> {
    inner: S,
    protocol: P,
    vitals: Vitals,
    limits: Limits,
}

impl<S, P> Guard<S, P> {
    /// What is known of the service, in somebody's hand.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::of(self.vitals.clone())
    }

    /// The wrapped service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The wrapped service.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The wrapped service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, P, Req> Service<Req> for Guard<S, P>
where
    // To wait for a place the ready service goes along, and its clone stays.
    S: Service<Req> + Clone,
    P: Protocol<S::Response, S::Error> + Describe<Req>,
{
    type Response = P::Response;
    type Error = P::Error;
    type Future = GuardFuture<S, P, Req>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), P::Error>> {
        self.inner.poll_ready(cx).map_err(|error| {
            // A service that cannot become ready has failed, though nobody called.
            if let Ok(attempt) = self.vitals.admit() {
                attempt.finish(self.protocol.classify(Err(&error)));
            }
            self.protocol.fail(error)
        })
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let Self {
            inner,
            protocol,
            vitals,
            limits,
        } = self;
        begin(inner, protocol, &*vitals, limits, request)
    }
}

/// Whose record a call is admitted by.
trait Record {
    fn admit<'a>(self, now: Nanos, ask: impl FnOnce() -> Ask<'a>) -> Result<Admission, Refusal>;

    fn destination(&self) -> Destination;
}

impl Record for &Vitals {
    #[inline]
    fn admit<'a>(self, now: Nanos, ask: impl FnOnce() -> Ask<'a>) -> Result<Admission, Refusal> {
        self.admit_or_wait(now, ask)
    }

    fn destination(&self) -> Destination {
        Vitals::destination(self)
    }
}

/// One call, admitted at once or in its turn, or refused.
fn begin<S, P, Req>(
    inner: &mut S,
    protocol: &P,
    record: impl Record,
    limits: &Limits,
    mut request: Req,
) -> GuardFuture<S, P, Req>
where
    S: Service<Req> + Clone,
    P: Protocol<S::Response, S::Error> + Describe<Req>,
{
    let (now, own) = (CLOCK.now(), protocol.clone());
    let terms = limits.terms(now, || protocol.call(&request));
    if terms.deadline <= now {
        let refusal = overdue(record.destination().calls(), Duration::ZERO);
        return GuardFuture::refused(refusal, own);
    }
    match record.admit(now, || terms.ask(&protocol.labels(&request))) {
        Ok(Admission::Now(attempt)) => {
            let (mut attempt, until) = stamped(&mut request, attempt, &terms, limits, protocol);
            let future = send(inner, request, &mut attempt, until);
            GuardFuture::admitted(future, attempt, until, own)
        }
        Ok(Admission::Later(ticket)) => {
            let clone = inner.clone();
            let ready = std::mem::replace(inner, clone);
            let waiting = Waiting::new(ready, request, ticket, terms, *limits);
            GuardFuture::waiting(waiting, own)
        }
        Err(refusal) => GuardFuture::refused(refusal, own),
    }
}
