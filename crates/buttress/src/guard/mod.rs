//! One endpoint under watch.

mod future;
mod keyed;
mod layer;
mod named;

use std::task::{Context, Poll};

use buttress_core::{Attempt, Describe, Protocol, Refusal, Vitals};
use tower_service::Service;

pub use future::GuardFuture;
pub use keyed::{By, Keyed, KeyedLayer};
pub use layer::GuardLayer;
pub use named::{BreakerLayer, HealthLayer, StatsLayer};

use crate::{Handle, policy::Limits};

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

    fn call(&mut self, request: Req) -> Self::Future {
        begin(
            &mut self.inner,
            &self.protocol,
            self.vitals.admit(),
            self.limits,
            request,
        )
    }
}

/// One call, admitted or not by whichever record it belongs to.
fn begin<S, P, Req>(
    inner: &mut S,
    protocol: &P,
    admitted: Result<Attempt, Refusal>,
    limits: Limits,
    request: Req,
) -> GuardFuture<S::Future, P>
where
    S: Service<Req>,
    P: Protocol<S::Response, S::Error> + Describe<Req>,
{
    match admitted {
        Ok(attempt) => {
            let attempt = attempt.labelled(protocol.labels(&request));
            GuardFuture::admitted(inner.call(request), attempt, protocol.clone(), limits)
        }
        Err(refusal) => GuardFuture::refused(refusal, protocol.clone()),
    }
}
