//! Makes [`Dispatch`]es.

use std::sync::Arc;

use buttress_core::{Endpoint, Parts, PolicyError, Registry, Vitals};
use tower_layer::Layer;

use super::{Dispatch, EndpointSets, Plan, source::Source};
use crate::{Handle, Handles, host, policy::Policy, probe::Probe};

/// How to reach an endpoint: any `Fn(&Endpoint) -> S`.
pub trait Connect: Send + Sync + 'static {
    /// What calls go through.
    type Service;

    /// The way to `endpoint`. Called once per endpoint; connecting itself may wait for the first call.
    fn connect(&self, endpoint: &Endpoint) -> Self::Service;
}

impl<F, S> Connect for F
where
    F: Fn(&Endpoint) -> S + Send + Sync + 'static,
{
    type Service = S;

    fn connect(&self, endpoint: &Endpoint) -> S {
        self(endpoint)
    }
}

/// Spreads calls over a set of endpoints, and asks another when one fails. A layer over a [`Connect`].
///
/// Endpoints, their vitals and the budget are born here and shared; connections belong to each `layer()`.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tower::BoxError> {
/// use buttress::{DispatchLayer, Endpoint, Idempotent, Plain, Policy, Redundancy, fixed};
/// use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
///
/// let policy = Policy::new().redundancy(Redundancy::failover(2));
/// let layer = DispatchLayer::new("db", Idempotent(Plain), &policy, fixed(["10.0.0.1:80", "10.0.0.2:80"])?)?;
/// let connect = |_: &Endpoint| service_fn(|id: u32| async move { Ok::<_, BoxError>(id + 1) });
/// assert_eq!(ServiceBuilder::new().layer(layer).service(connect).oneshot(1).await?, 2);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct DispatchLayer<P> {
    protocol: P,
    plan: Arc<Plan>,
}

/// Asks one service again when it fails: a set of one. An example is at [`Idempotent`](crate::Idempotent), without which
/// a request is sent once.
#[derive(Clone, Debug)]
pub struct RetryLayer<P> {
    protocol: P,
    plan: Arc<Plan>,
    vitals: Vitals,
}

impl<P> DispatchLayer<P> {
    /// Under `policy`, over the endpoints that `sets` names.
    ///
    /// # Errors
    ///
    /// Refuses a policy that cannot be.
    pub fn new(
        name: &str,
        protocol: P,
        policy: &Policy,
        sets: impl EndpointSets,
    ) -> Result<Self, PolicyError> {
        Self::within(name, protocol, policy, sets, &host::registry())
    }

    /// Its endpoints, in somebody's hand; none before the first set is read.
    #[must_use]
    pub fn handles(&self) -> Handles {
        Handles::of(self.plan.source.destination())
    }

    /// Asks the endpoints between calls whether they are well; see [`Dispatch::probed`].
    #[must_use]
    pub fn probed(self, probe: impl Probe) -> Self {
        self.plan.source.probe(self.plan.probe, probe);
        self
    }

    /// Says where the caller stands: endpoints of that [zone](Endpoint::zone) are preferred, as far as they can bear their
    /// part of all calls. To be said once, before the first service is made.
    #[must_use]
    pub fn zone(self, zone: impl Into<Arc<str>>) -> Self {
        self.plan.source.stands_in(zone.into());
        self
    }

    pub(crate) fn within(
        name: &str,
        protocol: P,
        policy: &Policy,
        sets: impl EndpointSets,
        registry: &Registry,
    ) -> Result<Self, PolicyError> {
        policy.check()?;
        let destination = host::destination(name, &policy.rules(Parts::default()), registry);
        let source = Source::new(name, destination, policy.picks(), sets);
        Ok(Self {
            protocol,
            plan: Arc::new(Plan::new(policy, source)),
        })
    }

    pub(crate) fn over<S: Clone>(
        &self,
        connect: impl Fn(&Endpoint) -> S + Send + Sync + 'static,
    ) -> Dispatch<S, P>
    where
        P: Clone,
    {
        Dispatch::new(self.protocol.clone(), Arc::clone(&self.plan), connect)
    }
}

impl<C, P> Layer<C> for DispatchLayer<P>
where
    C: Connect,
    C::Service: Clone,
    P: Clone,
{
    type Service = Dispatch<C::Service, P>;

    fn layer(&self, connect: C) -> Self::Service {
        self.over(move |endpoint: &Endpoint| connect.connect(endpoint))
    }
}

impl<P> RetryLayer<P> {
    /// Under `policy`.
    ///
    /// # Errors
    ///
    /// Refuses a policy that cannot be.
    pub fn new(name: &str, protocol: P, policy: &Policy) -> Result<Self, PolicyError> {
        Self::within(name, protocol, policy, &host::registry())
    }

    /// What is known of the service, in somebody's hand.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::of(self.vitals.clone())
    }

    pub(crate) fn within(
        name: &str,
        protocol: P,
        policy: &Policy,
        registry: &Registry,
    ) -> Result<Self, PolicyError> {
        policy.check()?;
        let destination = host::destination(name, &policy.rules(Parts::default()), registry);
        let vitals = destination.alone();
        let source = Source::alone(name, destination, vitals.clone());
        Ok(Self {
            protocol,
            plan: Arc::new(Plan::new(policy, source)),
            vitals,
        })
    }
}

impl<S, P> Layer<S> for RetryLayer<P>
where
    S: Clone + Send + Sync + 'static,
    P: Clone,
{
    type Service = Dispatch<S, P>;

    fn layer(&self, service: S) -> Self::Service {
        Dispatch::new(
            self.protocol.clone(),
            Arc::clone(&self.plan),
            move |_: &Endpoint| service.clone(),
        )
    }
}
