//! Makes [`Guard`]s.

use buttress_core::{Key, Parts, PolicyError, Redundancy, Registry, Vitals};
use tower_layer::Layer;

use super::{By, Guard, KeyedLayer};
use crate::{
    Handle, host,
    policy::{Limits, Policy},
};

/// Puts a service under watch: health, breaker, statistics and timeout, measured once.
///
/// Its state is born here: every service it makes, and every clone of those, shares one breaker.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tower::BoxError> {
/// use buttress::{GuardLayer, Plain};
/// use tower::{ServiceBuilder, ServiceExt, service_fn, BoxError};
///
/// let layer = GuardLayer::new("db", Plain);
/// let handle = layer.handle();
/// let service = ServiceBuilder::new().layer(layer).service(service_fn(async |id: u32| Ok::<_, BoxError>(id + 1)));
/// assert_eq!(service.oneshot(1).await?, 2);
/// assert_eq!(handle.snapshot().counts.successes, 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct GuardLayer<P> {
    protocol: P,
    vitals: Vitals,
    limits: Limits,
}

impl<P> GuardLayer<P> {
    /// Under the default policy.
    pub fn new(name: &str, protocol: P) -> Self {
        Self::born(
            name,
            protocol,
            &Policy::new(),
            Parts::default(),
            &host::registry(),
        )
    }

    /// Under `policy`.
    ///
    /// # Errors
    ///
    /// Refuses a policy that cannot be, and one with a `redundancy`: that would silently do nothing here.
    pub fn with_policy(name: &str, protocol: P, policy: &Policy) -> Result<Self, PolicyError> {
        Self::checked(name, protocol, policy, Parts::default(), &host::registry())
    }

    /// What is known of the service, in somebody's hand.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::of(self.vitals.clone())
    }

    /// A record for each key of its requests instead of one for all: hosts, tenants or routes under one policy, each
    /// measured and refused by itself.
    ///
    /// Keys are no replicas of each other: nobody's failures excuse another's, and as many may be out at once as are ill.
    /// What is late for one says nothing of another, so a call counts as late by the policy's timeout alone. All of them
    /// together have the one allowance of false alarms. See [`KeyedLayer`] for how many are kept apart.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tower::BoxError> {
    /// use buttress::{GuardLayer, Key, Plain, BreakerState};
    /// use tower::{BoxError, Layer, ServiceExt, service_fn};
    ///
    /// struct Query { tenant: &'static str }
    ///
    /// let layer = GuardLayer::new("db", Plain).by(|query: &Query| Key::from(query.tenant));
    /// let db = layer.layer(service_fn(async |query: Query| match query.tenant {
    ///     "sick" => Err(BoxError::from("broken")),
    ///     _ => Ok(()),
    /// }));
    /// for _ in 0..10 {
    ///     let _ = db.clone().oneshot(Query { tenant: "sick" }).await;
    ///     db.clone().oneshot(Query { tenant: "well" }).await?;
    /// }
    /// assert_eq!(layer.handles().find("sick")?.state(), BreakerState::Open);
    /// assert_eq!(layer.handles().find("well")?.state(), BreakerState::Closed);
    /// # Ok(()) }
    /// ```
    pub fn by<Req, F>(self, key: F) -> KeyedLayer<By<P, F>>
    where
        // Said here, too, for without it no closure is taken to lend from its request.
        F: for<'a> Fn(&'a Req) -> Key<'a>,
    {
        self.by_key(key)
    }

    /// [`by`](Self::by) something that is no closure: [`ByHost`](crate::ByHost), say, or [`ByHeader`](crate::ByHeader).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "http")] {
    /// use buttress::{BreakerLayer, ByHost, Http};
    ///
    /// let layer = BreakerLayer::new("web", Http).by_key(ByHost).at_most(500);
    /// # let _ = layer;
    /// # }
    /// ```
    pub fn by_key<K>(self, key: K) -> KeyedLayer<By<P, K>> {
        KeyedLayer::new(self.protocol, key, self.vitals.destination(), self.limits)
    }

    pub(crate) fn checked(
        name: &str,
        protocol: P,
        policy: &Policy,
        parts: Parts,
        registry: &Registry,
    ) -> Result<Self, PolicyError> {
        policy.check()?;
        if policy.asks_again() != Redundancy::None {
            let needs = "`none` under a guard, which asks once; use `retry` or `dispatch`";
            return Err(PolicyError::new("redundancy", policy.asks_again(), needs));
        }
        Ok(Self::born(name, protocol, policy, parts, registry))
    }

    pub(crate) fn born(
        name: &str,
        protocol: P,
        policy: &Policy,
        parts: Parts,
        registry: &Registry,
    ) -> Self {
        let destination = host::destination(name, &policy.rules(parts), registry);
        Self {
            protocol,
            vitals: destination.alone(),
            limits: policy.limits().heeding(parts.breaker),
        }
    }
}

impl<S, P: Clone> Layer<S> for GuardLayer<P> {
    type Service = Guard<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        Guard {
            inner,
            protocol: self.protocol.clone(),
            vitals: self.vitals.clone(),
            limits: self.limits,
        }
    }
}
