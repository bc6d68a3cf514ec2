//! The root.

use std::{collections::BTreeMap, sync::Arc};

use buttress_core::{Endpoint, Parts, PolicyError, Registry};

use crate::{
    BreakerLayer, Dispatch, DispatchLayer, GuardLayer, HealthLayer, RetryLayer, StatsLayer,
    dispatch::EndpointSets, host, policy::Policy,
};

/// The root: named policies, and the registry in which everything made from them is seen.
///
/// Clones share the registry.
///
/// # Examples
///
/// The same from a file, with the feature `serde`:
///
/// ```
/// # #[cfg(feature = "serde")] {
/// use std::time::Duration;
/// use buttress::{Buttress, Policy, Redundancy};
///
/// let built = Buttress::new()
///     .policy("inventory", Policy::new().deadline(Duration::from_secs(1)).redundancy(Redundancy::failover(3)));
/// let read: Buttress = toml::from_str(r#"
///     [policy.inventory]
///     deadline = "1s"
///     redundancy = { failover = 3 }
/// "#).unwrap();
/// assert_eq!(read, built);
/// # }
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize),
    serde(deny_unknown_fields)
)]
pub struct Buttress {
    #[cfg_attr(feature = "serde", serde(default, rename = "policy"))]
    policies: BTreeMap<String, Policy>,
    #[cfg_attr(feature = "serde", serde(default))]
    zone: Option<Arc<str>>,
    #[cfg_attr(feature = "serde", serde(skip, default = "host::registry"))]
    registry: Registry,
}

impl Buttress {
    /// No policies yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            policies: BTreeMap::new(),
            zone: None,
            registry: host::registry(),
        }
    }

    /// Adds a policy under a name, in place of an older one of that name.
    #[must_use]
    pub fn policy(mut self, name: impl Into<String>, policy: Policy) -> Self {
        self.policies.insert(name.into(), policy);
        self
    }

    /// Says where this process stands: endpoints of that [zone](Endpoint::zone) are preferred, in sets of six or more, as far
    /// as they can bear their part of all calls.
    ///
    /// # Examples
    ///
    /// ```
    /// use buttress::{Buttress, Endpoint, Idempotent, Plain, Policy, fixed};
    /// use tower::{BoxError, service_fn};
    ///
    /// let buttress = Buttress::new().zone("eu-1a").policy("db", Policy::new());
    /// let replicas = (1..=6).map(|n| {
    ///     let zone = if n % 2 == 0 { "eu-1a" } else { "eu-1b" };
    ///     Endpoint::new(format!("10.0.0.{n}:5432")).map(|endpoint| endpoint.zone(zone))
    /// });
    /// let replicas = fixed(replicas.collect::<Result<Vec<_>, _>>()?)?;
    /// let connect = |_: &Endpoint| service_fn(|query: &'static str| async move { Ok::<_, BoxError>(query) });
    /// let db = buttress.dispatch("db", Idempotent(Plain), replicas, connect)?;
    /// # let _ = db;
    /// # Ok::<(), BoxError>(())
    /// ```
    #[must_use]
    pub fn zone(mut self, zone: impl Into<Arc<str>>) -> Self {
        self.zone = Some(zone.into());
        self
    }

    /// The declared policies by name: to print what they mean, say.
    ///
    /// # Examples
    ///
    /// ```
    /// use buttress::{Buttress, Policy, Traffic};
    ///
    /// for (name, policy) in Buttress::new().policy("db", Policy::new()).policies() {
    ///     println!("{name}: {}", policy.explain(Traffic::default()));
    /// }
    /// ```
    pub fn policies(&self) -> impl Iterator<Item = (&str, &Policy)> {
        self.policies
            .iter()
            .map(|(name, policy)| (name.as_str(), policy))
    }

    /// A layer that watches one service.
    ///
    /// # Errors
    ///
    /// When no policy has that name, when it cannot be, or when it has a `redundancy`, which a guard would ignore.
    pub fn guard<P>(&self, name: &str, protocol: P) -> Result<GuardLayer<P>, PolicyError> {
        self.named(name, |policy| {
            GuardLayer::checked(name, protocol, policy, Parts::default(), &self.registry)
        })
    }

    /// A layer of detection alone.
    ///
    /// # Errors
    ///
    /// As [`Self::guard`].
    pub fn health<P>(&self, name: &str, protocol: P) -> Result<HealthLayer<P>, PolicyError> {
        self.named(name, |policy| {
            HealthLayer::within(name, protocol, policy, &self.registry)
        })
    }

    /// A layer of recovery alone.
    ///
    /// # Errors
    ///
    /// As [`Self::guard`].
    pub fn breaker<P>(&self, name: &str, protocol: P) -> Result<BreakerLayer<P>, PolicyError> {
        self.named(name, |policy| {
            BreakerLayer::within(name, protocol, policy, &self.registry)
        })
    }

    /// A layer of reliability alone.
    ///
    /// # Errors
    ///
    /// As [`Self::guard`].
    pub fn stats<P>(&self, name: &str, protocol: P) -> Result<StatsLayer<P>, PolicyError> {
        self.named(name, |policy| {
            StatsLayer::within(name, protocol, policy, &self.registry)
        })
    }

    /// A layer that asks one service again.
    ///
    /// # Errors
    ///
    /// When no policy has that name, or when it cannot be.
    pub fn retry<P>(&self, name: &str, protocol: P) -> Result<RetryLayer<P>, PolicyError> {
        self.named(name, |policy| {
            RetryLayer::within(name, protocol, policy, &self.registry)
        })
    }

    /// A service over a set of endpoints, each reached through what `connect` makes of it.
    ///
    /// # Errors
    ///
    /// When no policy has that name, or when it cannot be.
    pub fn dispatch<P, S, F>(
        &self,
        name: &str,
        protocol: P,
        sets: impl EndpointSets,
        connect: F,
    ) -> Result<Dispatch<S, P>, PolicyError>
    where
        P: Clone,
        F: Fn(&Endpoint) -> S + Send + Sync + 'static,
        S: Clone,
    {
        self.named(name, |policy| {
            DispatchLayer::within(name, protocol, policy, sets, &self.registry)
        })
        .map(|layer| match &self.zone {
            Some(zone) => layer.zone(Arc::clone(zone)),
            None => layer,
        })
        .map(|layer| layer.over(connect))
    }

    /// Where exporters look.
    #[must_use]
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    fn named<T>(
        &self,
        name: &str,
        make: impl FnOnce(&Policy) -> Result<T, PolicyError>,
    ) -> Result<T, PolicyError> {
        let Some(policy) = self.policies.get(name) else {
            let known: Vec<&str> = self.policies.keys().map(String::as_str).collect();
            let needs = match known[..] {
                [] => "to be declared; no policy is".to_owned(),
                _ => format!("one of the declared: {}", known.join(", ")),
            };
            return Err(PolicyError::new("policy", name, needs));
        };
        make(policy).map_err(|error| error.within(&format!("policy.{name}")))
    }
}

impl Default for Buttress {
    fn default() -> Self {
        Self::new()
    }
}

/// By policies: what was declared, not what has happened since.
impl PartialEq for Buttress {
    fn eq(&self, other: &Self) -> bool {
        (&self.policies, &self.zone) == (&other.policies, &other.zone)
    }
}
