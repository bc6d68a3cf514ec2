//! The root.

use std::{collections::BTreeMap, sync::Arc};

use buttress_core::{Endpoint, Parts, PolicyError, ReconnectPolicy, Registry, UnknownName, Vitals};

use crate::{
    Backed, BreakerLayer, Dispatch, DispatchLayer, FallbackLayer, GuardLayer, Handle, Handles,
    HealthLayer, ReconnectLayer, RetryLayer, StatsLayer, Supervisor, dispatch::EndpointSets, host,
    policy::Policy,
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

    /// A layer that puts `instead` in the place of what fails, counted among the calls under that name.
    ///
    /// # Errors
    ///
    /// When no policy has that name.
    pub fn fallback<P, I>(
        &self,
        name: &str,
        protocol: P,
        instead: I,
    ) -> Result<FallbackLayer<Backed<P, I>>, PolicyError> {
        self.named(name, |_| {
            let calls = self.registry.calls(name);
            Ok(FallbackLayer::of(&calls, protocol, instead))
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

    /// A layer that makes a service anew when it breaks.
    ///
    /// # Errors
    ///
    /// Refuses a policy that cannot be.
    pub fn reconnect<P>(
        &self,
        name: &str,
        protocol: P,
        policy: ReconnectPolicy,
    ) -> Result<ReconnectLayer<P>, PolicyError> {
        ReconnectLayer::within(name, protocol, policy, &self.registry)
    }

    /// Runs background services, seen in this registry.
    pub fn supervisor(&self) -> Supervisor {
        Supervisor::within(self.registry.clone())
    }

    /// What was made from the policy `name`, or, behind its name and a slash, one endpoint or key of it
    /// (`inventory/10.0.0.1:80`), in somebody's hand.
    ///
    /// # Errors
    ///
    /// When nothing is in use that goes by that name, or several are: then see [`handles`](Self::handles). Says what names
    /// there are.
    ///
    /// # Examples
    ///
    /// ```
    /// use buttress::{Buttress, Force, Plain, Policy};
    ///
    /// let buttress = Buttress::new().policy("db", Policy::new());
    /// let layer = buttress.guard("db", Plain).unwrap();
    /// buttress.handle("db")?.force(Force::MetricsOnly);
    /// assert_eq!(layer.handle().forced(), Some(Force::MetricsOnly));
    /// assert_eq!(
    ///     buttress.handle("bd").unwrap_err().to_string(),
    ///     "nothing goes by the name \"bd\"; known: db",
    /// );
    /// # Ok::<(), buttress::UnknownName>(())
    /// ```
    pub fn handle(&self, name: &str) -> Result<Handle, UnknownName> {
        let mut found = self.registry.find(name)?;
        match (found.pop(), found.len()) {
            (Some(one), 0) => Ok(Handle::of(one)),
            (last, others) => {
                let names = found.iter().chain(&last).map(Vitals::name);
                Err(UnknownName::new(name, names).several(others + 1))
            }
        }
    }

    /// All that was made from the policy `name`, in somebody's hand.
    ///
    /// # Errors
    ///
    /// When nothing is in use that was made from it. Says what names there are.
    pub fn handles(&self, name: &str) -> Result<Handles, UnknownName> {
        let found = self.registry.find(name)?;
        if found.iter().all(|one| one.policy() != name) {
            let policies = found.iter().map(|one| one.policy().to_owned());
            return Err(UnknownName::new(name, policies));
        }
        Ok(Handles::named(&self.registry, name))
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
