//! Layers by name on a `ServiceBuilder`.

use buttress_core::PolicyError;
use tower::{ServiceBuilder, layer::util::Stack};

use crate::{
    Backed, BreakerLayer, FallbackLayer, GuardLayer, HealthLayer, Policy, RetryLayer, StatsLayer,
};

/// Adds the layers of this crate to [`ServiceBuilder`].
///
/// # Examples
///
/// ```
/// use buttress::{Plain, ServiceBuilderExt as _};
/// use tower::{BoxError, ServiceBuilder, service_fn};
///
/// let service = ServiceBuilder::new()
///     .breaker("db", Plain)
///     .service(service_fn(async |id: u32| Ok::<_, BoxError>(id)));
/// # let _ = service;
/// ```
pub trait ServiceBuilderExt<L>: sealed::Sealed<L> + Sized {
    /// Everything at once, measured once: [`GuardLayer`].
    fn guard<P>(self, name: &str, protocol: P) -> ServiceBuilder<Stack<GuardLayer<P>, L>>;

    /// Detection alone: [`HealthLayer`].
    fn health<P>(self, name: &str, protocol: P) -> ServiceBuilder<Stack<HealthLayer<P>, L>>;

    /// Recovery alone: [`BreakerLayer`].
    fn breaker<P>(self, name: &str, protocol: P) -> ServiceBuilder<Stack<BreakerLayer<P>, L>>;

    /// Reliability alone: [`StatsLayer`].
    fn stats<P>(self, name: &str, protocol: P) -> ServiceBuilder<Stack<StatsLayer<P>, L>>;

    /// Something in its place where it fails: [`FallbackLayer`].
    fn fallback<P, I>(
        self,
        protocol: P,
        instead: I,
    ) -> ServiceBuilder<Stack<FallbackLayer<Backed<P, I>>, L>>;

    /// Asks again: [`RetryLayer`]. (`retry` is tower's own.)
    ///
    /// # Errors
    ///
    /// Refuses a policy that cannot be.
    fn retry_with<P>(
        self,
        name: &str,
        protocol: P,
        policy: &Policy,
    ) -> Result<ServiceBuilder<Stack<RetryLayer<P>, L>>, PolicyError>;
}

impl<L> ServiceBuilderExt<L> for ServiceBuilder<L> {
    fn guard<P>(self, name: &str, protocol: P) -> ServiceBuilder<Stack<GuardLayer<P>, L>> {
        self.layer(GuardLayer::new(name, protocol))
    }

    fn health<P>(self, name: &str, protocol: P) -> ServiceBuilder<Stack<HealthLayer<P>, L>> {
        self.layer(HealthLayer::new(name, protocol))
    }

    fn breaker<P>(self, name: &str, protocol: P) -> ServiceBuilder<Stack<BreakerLayer<P>, L>> {
        self.layer(BreakerLayer::new(name, protocol))
    }

    fn stats<P>(self, name: &str, protocol: P) -> ServiceBuilder<Stack<StatsLayer<P>, L>> {
        self.layer(StatsLayer::new(name, protocol))
    }

    fn fallback<P, I>(
        self,
        protocol: P,
        instead: I,
    ) -> ServiceBuilder<Stack<FallbackLayer<Backed<P, I>>, L>> {
        self.layer(FallbackLayer::new(protocol, instead))
    }

    fn retry_with<P>(
        self,
        name: &str,
        protocol: P,
        policy: &Policy,
    ) -> Result<ServiceBuilder<Stack<RetryLayer<P>, L>>, PolicyError> {
        RetryLayer::new(name, protocol, policy).map(|layer| self.layer(layer))
    }
}

mod sealed {
    #[expect(unnameable_types, reason = "that is what sealing is")]
    /// Only `ServiceBuilder` is extended.
    pub trait Sealed<L> {}

    impl<L> Sealed<L> for tower::ServiceBuilder<L> {}
}
