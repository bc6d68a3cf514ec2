//! What stands in for a service that fails.

mod asking;
mod future;
pub mod instead;
mod layer;

use std::{
    any::Any,
    sync::Arc,
    task::{Context, Poll, ready},
};

use buttress_core::{Calls, Outcome, Protocol};
use tower_service::Service;

use instead::Instead;

pub use future::FallbackFuture;
pub use layer::FallbackLayer;

/// One service, and what stands in for it where it fails: where it refuses, is overloaded, or answers with what its
/// protocol calls a failure. Never for a fault of the caller.
///
/// Requests, responses and errors are those of the service. A service that cannot become ready has failed as well:
/// `poll_ready` says ready, and the call is answered by what stands in. Clones share it, and its counts.
#[derive(Debug)]
pub struct Fallback<S, P> {
    inner: S,
    backed: P,
    /// Why the service could not become ready: its error, whose type only a call can name.
    unready: Option<Box<dyn Any + Send + Sync>>,
}

/// A protocol, and what stands in where it calls an answer a failure. Clones share it.
#[derive(Debug)]
pub struct Backed<P, I> {
    protocol: P,
    plan: Arc<Plan<I>>,
}

/// What the services of a layer share.
#[derive(Debug)]
struct Plan<I> {
    instead: I,
    calls: Calls,
}

/// How the service failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Failure<'a, Res, Err> {
    /// As its protocol sees it.
    pub outcome: Outcome,
    /// What it answered.
    pub result: Result<&'a Res, &'a Err>,
}

impl<S, P> Fallback<S, P> {
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

impl<S, P, I> Fallback<S, Backed<P, I>> {
    /// The calls it counts: [`degraded`](buttress_core::CallCounts::degraded) where something else answered.
    pub fn calls(&self) -> &Calls {
        &self.backed.plan.calls
    }
}

impl<S, P, I, Req> Service<Req> for Fallback<S, Backed<P, I>>
where
    S: Service<Req>,
    S::Error: Send + Sync + 'static,
    P: Protocol<S::Response, S::Error>,
    I: Instead<P, Req, S::Response, S::Error>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = FallbackFuture<S, P, I, Req>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        if self.unready.is_none()
            && let Err(error) = ready!(self.inner.poll_ready(cx))
        {
            self.unready = Some(Box::new(error));
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Req) -> Self::Future {
        let backed = self.backed.clone();
        let kept = backed.plan.instead.keep(&backed.protocol, &mut request);
        let unready = self.unready.take().map(|error| error.downcast());
        match unready {
            Some(Ok(error)) => FallbackFuture::failed(*error, backed, kept),
            // Readiness for one kind of request says nothing of another.
            _ => FallbackFuture::asking(self.inner.call(request), backed, kept),
        }
    }
}

impl<S: Clone, P: Clone> Clone for Fallback<S, P> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            backed: self.backed.clone(),
            unready: None,
        }
    }
}

impl<P: Clone, I> Clone for Backed<P, I> {
    fn clone(&self) -> Self {
        Self {
            protocol: self.protocol.clone(),
            plan: Arc::clone(&self.plan),
        }
    }
}
