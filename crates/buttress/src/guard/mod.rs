//! One endpoint under watch.

mod future;
mod layer;
mod named;
mod waiting;

use std::{
    task::{Context, Poll},
    time::Duration,
};

use buttress_core::{Admission, Ask, Describe, Protocol, Vitals};
use tower_service::Service;

pub use future::GuardFuture;
pub use layer::GuardLayer;
pub use named::{BreakerLayer, HealthLayer, StatsLayer};

use crate::policy::Limits;
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
    /// How long a call waits for a place.
    wait: Duration,
}

impl<S, P> Guard<S, P> {
    /// What is known of the service.
    pub const fn vitals(&self) -> &Vitals {
        &self.vitals
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
        let ask = || Ask::of(&self.protocol.labels(&request));
        match self.vitals.admit_or_wait(ask) {
            Ok(Admission::Now(attempt)) => {
                let attempt = attempt.labelled(self.protocol.labels(&request));
                let inner = self.inner.call(request);
                GuardFuture::admitted(inner, attempt, self.protocol.clone(), self.limits)
            }
            Ok(Admission::Later(ticket)) => {
                let clone = self.inner.clone();
                let ready = std::mem::replace(&mut self.inner, clone);
                let waiting = Waiting::new(ready, request, ticket, self.wait, &self.limits);
                GuardFuture::waiting(waiting, self.protocol.clone(), self.limits)
            }
            Err(refusal) => GuardFuture::refused(refusal, self.protocol.clone(), self.limits),
        }
    }
}
