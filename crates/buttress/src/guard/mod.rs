//! One endpoint under watch.

mod future;
mod layer;
mod named;

use std::{
    task::{Context, Poll},
    time::Duration,
};

use buttress_core::{Describe, Protocol, Stamp, Vitals};
use tower_service::Service;

pub use future::GuardFuture;
pub use layer::GuardLayer;
pub use named::{BreakerLayer, HealthLayer, StatsLayer};

use crate::{CLOCK, policy::Limits, terms::overdue};

/// One service under watch: measured once, refused while its breaker is open, given up after its timeout.
///
/// Readiness is passed on as it is; permission is asked for in `call`, so that a held readiness holds no permit.
/// Clones share their vitals.
#[derive(Clone, Debug)]
pub struct Guard<S, P> {
    inner: S,
    protocol: P,
    vitals: Vitals,
    limits: Limits,
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
    S: Service<Req>,
    P: Protocol<S::Response, S::Error> + Describe<Req>,
{
    type Response = P::Response;
    type Error = P::Error;
    type Future = GuardFuture<S::Future, P>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), P::Error>> {
        self.inner.poll_ready(cx).map_err(|error| {
            // A service that cannot become ready has failed, though nobody called.
            if let Ok(attempt) = self.vitals.admit() {
                attempt.finish(self.protocol.classify(Err(&error)));
            }
            self.protocol.fail(error)
        })
    }

    fn call(&mut self, mut request: Req) -> Self::Future {
        let now = CLOCK.now();
        let terms = self.limits.terms(now, || self.protocol.call(&request));
        if terms.deadline <= now {
            let destination = self.vitals.destination();
            let refusal = overdue(destination.calls(), Duration::ZERO);
            return GuardFuture::refused(refusal, self.protocol.clone());
        }
        match self.vitals.admit_at(now) {
            Ok(attempt) => {
                let attempt = attempt.labelled(self.protocol.labels(&request));
                let until = terms.attempt(&self.limits, now);
                if let Some(left) = until.left(now).filter(|_| self.limits.tell) {
                    self.protocol.stamp(&mut request, &Stamp::new().left(left));
                }
                let inner = until.scope(|| self.inner.call(request));
                GuardFuture::admitted(inner, attempt, self.protocol.clone(), until)
            }
            Err(refusal) => GuardFuture::refused(refusal, self.protocol.clone()),
        }
    }
}
