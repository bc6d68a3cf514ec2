//! Many endpoints: whom to ask, and what if that fails.

mod flights;
mod future;
mod layer;
mod members;
mod reader;
mod sets;
mod source;
mod trials;
mod tries;

use std::{
    sync::{Arc, Weak},
    task::{Context, Poll, ready},
};

use buttress_core::{
    Budget, Describe, Destination, Endpoint, ProbePolicy, Protocol, Redundancy, Resend,
};
use tower_service::Service;

pub use future::DispatchFuture;
pub use layer::{Connect, DispatchLayer, RetryLayer};
pub use sets::{EndpointSets, Fixed, fixed};

pub use trials::MirroredTrials;

use crate::{
    Handles,
    policy::{Limits, Policy},
    probe::Probe,
};
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
    /// Held by calls alone: whoever has not called for long must not keep endpoints that are gone.
    members: Weak<Members<S>>,
    version: u64,
}

/// What a layer's services share.
#[derive(Debug)]
struct Plan {
    source: Arc<Source>,
    budget: Budget,
    redundancy: Redundancy,
    probe: ProbePolicy,
    limits: Limits,
    /// How many calls an endpoint may see dropped, if the policy says so.
    resets: Option<u32>,
}

impl Plan {
    fn new(policy: &Policy, source: Source) -> Self {
        Self {
            source: Arc::new(source),
            budget: Budget::new(policy.extra()),
            redundancy: policy.asks_again(),
            probe: policy.probes(),
            limits: policy.limits(),
            resets: policy.most_resets(),
        }
    }
}

impl<S: Clone, P> Dispatch<S, P> {
    /// Looks at the current set.
    fn refresh(&mut self) -> Arc<Members<S>> {
        let members = self.connections.refresh(&self.plan.source);
        self.version = members.version();
        self.members = Arc::downgrade(&members);
        members
    }

    /// The members of the set this one knows.
    #[inline]
    fn current(&mut self) -> Arc<Members<S>> {
        self.members.upgrade().unwrap_or_else(|| self.refresh())
    }

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
            version: members.version(),
            members: Arc::downgrade(&members),
        }
    }
}

impl<S, P: Clone> Dispatch<S, P> {
    #[inline]
    fn begin<Req>(&self, request: Req, members: Arc<Members<S>>) -> DispatchFuture<S, P, Req>
    where
        S: Service<Req>,
    {
        self.plan.budget.deposit();
        DispatchFuture::new(
            request,
            self.protocol.clone(),
            Arc::clone(&self.plan),
            members,
        )
    }
}

impl<S, P> Dispatch<S, P> {
    /// What its endpoints share: what is learned from all of them, and where a fault is, on demand.
    #[must_use]
    pub fn destination(&self) -> &Destination {
        self.plan.source.destination()
    }

    /// Its endpoints, in somebody's hand: to look at one, say, or to drain it.
    ///
    /// The first set is read when a service is first polled for readiness; before, nothing is known.
    #[must_use]
    pub fn handles(&self) -> Handles {
        Handles::of(self.destination())
    }

    /// Asks the endpoints between calls whether they are well, as the policy's `probe` says.
    ///
    /// Probes and calls feed one record, and where they disagree calls win. One task does it, until the last service is
    /// dropped; it begins at once within a tokio runtime, elsewhere with the first call, and anew in another runtime when its own has ended.
    /// A second probe takes the place of the first.
    ///
    /// # Examples
    ///
    /// ```
    /// use buttress::{Buttress, Endpoint, Idempotent, Plain, Policy, fixed};
    /// use tower::{BoxError, service_fn};
    ///
    /// let buttress = Buttress::new().policy("db", Policy::new());
    /// let replicas = fixed(["10.0.0.1:5432", "10.0.0.2:5432"])?;
    /// let connect = |_: &Endpoint| service_fn(|query: &'static str| async move { Ok::<_, BoxError>(query) });
    /// let db = buttress
    ///     .dispatch("db", Idempotent(Plain), replicas, connect)?
    ///     .probed(|endpoint: &Endpoint| {
    ///         let address = endpoint.address().to_owned();
    ///         async move { if address.is_empty() { Err("nowhere") } else { Ok(()) } }
    ///     });
    /// # let _ = db;
    /// # Ok::<(), BoxError>(())
    /// ```
    #[must_use]
    pub fn probed(self, probe: impl Probe) -> Self {
        self.plan.source.probe(self.plan.probe, probe);
        self
    }
}

impl<S, P: Clone> Clone for Dispatch<S, P> {
    fn clone(&self) -> Self {
        Self {
            protocol: self.protocol.clone(),
            plan: Arc::clone(&self.plan),
            connections: Arc::clone(&self.connections),
            members: Weak::clone(&self.members),
            version: self.version,
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
        if self.plan.source.news(self.version) {
            ready!(self.plan.source.poll_first(cx));
            self.refresh();
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let members = self.current();
        self.begin(request, members)
    }
}
