//! Which rules are carried out.

use super::Enforce;

/// What raises an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Rule {
    /// How its calls went: [`HealthPolicy`](crate::HealthPolicy).
    Health,
    /// How often its peers fail: [`PeersPolicy`](crate::PeersPolicy).
    Peers,
    /// How fast its peers answer.
    Latency,
    /// What its probes found.
    Probes,
}

impl Rule {
    /// In one word, as in a file.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Peers => "peers",
            Self::Latency => "latency",
            Self::Probes => "probes",
        }
    }
}

/// How many alarms of each rule are acted on. Written as one word for all, or as a table by rule.
///
/// # Examples
///
/// ```
/// use buttress_core::{Enforce, EnforcePolicy};
///
/// // A new rule is first looked at, and then trusted.
/// let policy = EnforcePolicy::new().latency(Enforce::percent(10));
/// assert_eq!((policy.health, policy.latency), (Enforce::ON, Enforce::percent(10)));
/// assert_eq!(EnforcePolicy::from(Enforce::OFF).peers, Enforce::OFF);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct EnforcePolicy {
    /// Of the rule of health; on by default.
    pub health: Enforce,
    /// Of the comparison with its peers; on by default.
    pub peers: Enforce,
    /// Of the comparison of its latency with theirs; off by default: a slow answer is better than none where peers are busy.
    pub latency: Enforce,
    /// Of probes; on by default.
    pub probes: Enforce,
}

impl EnforcePolicy {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            health: Enforce::ON,
            peers: Enforce::ON,
            latency: Enforce::OFF,
            probes: Enforce::ON,
        }
    }

    /// The same for all rules.
    #[must_use]
    pub const fn all(enforce: Enforce) -> Self {
        Self {
            health: enforce,
            peers: enforce,
            latency: enforce,
            probes: enforce,
        }
    }

    /// Sets how many alarms of the rule of health are acted on.
    #[must_use]
    pub const fn health(mut self, enforce: Enforce) -> Self {
        self.health = enforce;
        self
    }

    /// Sets how many of those of the comparison with its peers are.
    #[must_use]
    pub const fn peers(mut self, enforce: Enforce) -> Self {
        self.peers = enforce;
        self
    }

    /// Sets how many of those of the comparison of latencies are.
    #[must_use]
    pub const fn latency(mut self, enforce: Enforce) -> Self {
        self.latency = enforce;
        self
    }

    /// Sets how many of those of probes are.
    #[must_use]
    pub const fn probes(mut self, enforce: Enforce) -> Self {
        self.probes = enforce;
        self
    }

    /// How many of the alarms of `rule`.
    #[must_use]
    pub const fn of(&self, rule: Rule) -> Enforce {
        match rule {
            Rule::Health => self.health,
            Rule::Peers => self.peers,
            Rule::Latency => self.latency,
            Rule::Probes => self.probes,
        }
    }
}

impl Default for EnforcePolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Enforce> for EnforcePolicy {
    fn from(enforce: Enforce) -> Self {
        Self::all(enforce)
    }
}

#[cfg(feature = "serde")]
mod data {
    use std::fmt;

    use serde::{
        Deserialize, Deserializer,
        de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
    };

    use super::{Enforce, EnforcePolicy};

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Table {
        health: Enforce,
        peers: Enforce,
        latency: Enforce,
        probes: Enforce,
    }

    impl Default for Table {
        fn default() -> Self {
            let EnforcePolicy {
                health,
                peers,
                latency,
                probes,
            } = EnforcePolicy::new();
            Self {
                health,
                peers,
                latency,
                probes,
            }
        }
    }

    impl<'de> Deserialize<'de> for EnforcePolicy {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            from.deserialize_any(Word)
        }
    }

    struct Word;

    impl<'de> Visitor<'de> for Word {
        type Value = EnforcePolicy;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(
                "\"on\", \"off\" or a share like \"25%\", for all rules or in a table by rule",
            )
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<EnforcePolicy, E> {
            text.parse().map(EnforcePolicy::all).map_err(E::custom)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<EnforcePolicy, A::Error> {
            let table = Table::deserialize(MapAccessDeserializer::new(map))?;
            Ok(EnforcePolicy {
                health: table.health,
                peers: table.peers,
                latency: table.latency,
                probes: table.probes,
            })
        }
    }
}
