//! Makes [`Guard`]s.

use std::time::Duration;

use buttress_core::{Parts, PolicyError, Redundancy, Registry, Vitals};
use tower_layer::Layer;

use super::Guard;
use crate::{
    host,
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
/// let vitals = layer.vitals().clone();
/// let service = ServiceBuilder::new().layer(layer).service(service_fn(async |id: u32| Ok::<_, BoxError>(id + 1)));
/// assert_eq!(service.oneshot(1).await?, 2);
/// assert_eq!(vitals.snapshot(buttress::CLOCK.now()).counts.successes, 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct GuardLayer<P> {
    protocol: P,
    vitals: Vitals,
    limits: Limits,
    wait: Duration,
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

    /// What is known of the service.
    pub const fn vitals(&self) -> &Vitals {
        &self.vitals
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
            limits: policy.limits(),
            wait: policy.wait().unwrap_or_default(),
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
            wait: self.wait,
        }
    }
}
