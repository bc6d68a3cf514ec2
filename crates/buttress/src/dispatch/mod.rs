//! Many endpoints: whom to ask, and what if that fails.

mod future;
mod layer;
mod members;
mod sets;
mod source;

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

use buttress_core::{Budget, Describe, Endpoint, Protocol, Redundancy, Resend};
use tower_service::Service;

pub use future::DispatchFuture;
pub use layer::{Connect, DispatchLayer, RetryLayer};
pub use sets::{EndpointSets, Fixed, Never, fixed};

use crate::policy::{Limits, Policy};
use members::{Connections, Members};
use source::Source;

/// Calls over a set of endpoints, or over one service again and again.
///
/// `poll_ready` waits for the first set alone; picking belongs to `call`, and the picked clone is driven to readiness
/// within the call. Clones share endpoints, connections and budget.
#[derive(Debug)]
pub struct Dispatch<S, P> {
    protocol: P,
    plan: Arc<Plan>,
    connections: Arc<Connections<S>>,
    members: Arc<Members<S>>,
}

/// What a layer's services share.
#[derive(Debug)]
struct Plan {
    source: Arc<Source>,
    budget: Budget,
    redundancy: Redundancy,
    limits: Limits,
}

impl Plan {
    fn new(policy: &Policy, source: Source) -> Self {
        Self {
            source: Arc::new(source),
            budget: Budget::new(policy.extra()),
            redundancy: policy.asks_again(),
            limits: policy.limits(),
        }
    }
}

impl<S: Clone, P> Dispatch<S, P> {
    fn new(
        protocol: P,
        plan: Arc<Plan>,
        connect: impl Fn(&Endpoint) -> S + Send + Sync + 'static,
    ) -> Self {
        let connections = Arc::new(Connections::new(connect));
        let members = connections.refresh(&plan.source);
        Self {
            protocol,
            plan,
            connections,
            members,
        }
    }
}

impl<S, P: Clone> Clone for Dispatch<S, P> {
    fn clone(&self) -> Self {
        Self {
            protocol: self.protocol.clone(),
            plan: Arc::clone(&self.plan),
            connections: Arc::clone(&self.connections),
            members: Arc::clone(&self.members),
        }
    }
}

impl<S, P, Req> Service<Req> for Dispatch<S, P>
where
    S: Service<Req> + Clone,
    P: Protocol<S::Response, S::Error> + Resend<Req> + Describe<Req>,
{
    type Response = P::Response;
    type Error = P::Error;
    type Future = DispatchFuture<S, P, Req>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), P::Error>> {
        let version = self.plan.source.version();
        if version == 0 || version != self.members.version() {
            ready!(self.plan.source.poll_first(cx));
            self.members = self.connections.refresh(&self.plan.source);
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        self.plan.budget.deposit();
        DispatchFuture::new(
            request,
            self.protocol.clone(),
            Arc::clone(&self.plan),
            Arc::clone(&self.members),
        )
    }
}
