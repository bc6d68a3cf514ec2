//! The parts of a guard, each alone, under the names the field uses.

use buttress_core::{Key, Parts, PolicyError, Registry};
use tower_layer::Layer;

use super::{By, Guard, GuardLayer, KeyedLayer};
use crate::{Handle, host, policy::Policy};

macro_rules! part {
    ($(#[$doc:meta])* $name:ident, $parts:expr) => {
        $(#[$doc])*
        ///
        /// For more than one part write [`GuardLayer`], which measures once; stacked, they measure twice.
        #[derive(Clone, Debug)]
        pub struct $name<P>(GuardLayer<P>);

        impl<P> $name<P> {
            /// Under the default policy.
            pub fn new(name: &str, protocol: P) -> Self {
                Self(GuardLayer::born(name, protocol, &Policy::new(), $parts, &host::registry()))
            }

            /// Under `policy`.
            ///
            /// # Errors
            ///
            /// Refuses a policy that cannot be, and one with a `redundancy`: that would silently do nothing here.
            pub fn with_policy(name: &str, protocol: P, policy: &Policy) -> Result<Self, PolicyError> {
                Self::within(name, protocol, policy, &host::registry())
            }

            pub(crate) fn within(
                name: &str,
                protocol: P,
                policy: &Policy,
                registry: &Registry,
            ) -> Result<Self, PolicyError> {
                GuardLayer::checked(name, protocol, policy, $parts, registry).map(Self)
            }

            /// What is known of the service, in somebody's hand.
            #[must_use]
            pub fn handle(&self) -> Handle {
                self.0.handle()
            }

            /// A record for each key of its requests; see [`GuardLayer::by`].
            pub fn by<Req, F>(self, key: F) -> KeyedLayer<By<P, F>>
            where
                F: for<'a> Fn(&'a Req) -> Key<'a>,
            {
                self.0.by(key)
            }

            /// A record for each key of its requests; see [`GuardLayer::by_key`].
            pub fn by_key<K>(self, key: K) -> KeyedLayer<By<P, K>> {
                self.0.by_key(key)
            }
        }

        impl<S, P: Clone> Layer<S> for $name<P> {
            type Service = Guard<S, P>;

            fn layer(&self, inner: S) -> Self::Service {
                self.0.layer(inner)
            }
        }
    };
}

part! {
    /// Detection alone: is this service well, and since when. Refuses nothing.
    HealthLayer, Parts { health: true, breaker: false, stats: false }
}
part! {
    /// Recovery alone: stop calling what is down, probe it, come back.
    BreakerLayer, Parts { health: false, breaker: true, stats: false }
}
part! {
    /// Reliability alone: MTBF, MTTR, availability and the outages behind them. Refuses nothing.
    StatsLayer, Parts { health: false, breaker: false, stats: true }
}
