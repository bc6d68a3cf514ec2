//! What vitals are born with: rules, and what the world lends.

use std::time::Duration;

use crate::{BreakerPolicy, Clock, Events, HealthPolicy, PolicyError, Ratio, Registry, sync::Arc};

/// By which rules an endpoint is watched.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// When it counts as down.
    pub health: HealthPolicy,
    /// The share of failed calls that is no reason to act; 1 % by default.
    pub tolerable: Ratio,
    /// How seldom a healthy destination may be taken for ill: once in this time, all its endpoints together; 30 days
    /// by default.
    pub false_alarm_every: Duration,
    /// The attempt timeout, where there is one. A call half as old is evidence already.
    pub timeout: Option<Duration>,
    /// What is done about it.
    pub breaker: BreakerPolicy,
    /// Which parts are at work.
    pub parts: Parts,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            health: HealthPolicy::default(),
            tolerable: Ratio::percent(1),
            false_alarm_every: Duration::from_secs(30 * 24 * 60 * 60),
            timeout: None,
            breaker: BreakerPolicy::new(),
            parts: Parts::default(),
        }
    }
}

impl Rules {
    /// Can they be?
    ///
    /// # Errors
    ///
    /// Names the field, its value and what would do.
    pub fn check(&self) -> Result<(), PolicyError> {
        self.health.check()?;
        self.breaker.check()
    }
}

/// Which parts are at work. Judging and counting outcomes always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Are the ages of calls evidence, and the last calls kept to tell where a fault lies?
    pub health: bool,
    /// Does the breaker refuse calls?
    pub breaker: bool,
    /// Are episodes kept, and figures drawn from them?
    pub stats: bool,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            health: true,
            breaker: true,
            stats: true,
        }
    }
}

/// What the world lends: time, a place to be seen, and chance.
#[derive(Clone, Debug)]
pub struct Host {
    /// The clock.
    pub clock: Clock,
    /// Where it is seen, and who is told of changes.
    pub registry: Registry,
    /// Where draws begin; the same seed and the same events make the same decisions.
    pub seed: u64,
}

impl Host {
    /// A host with `clock`, a registry of its own that tells nobody, and seed zero.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            registry: Registry::new(Arc::new(Events::new(0, |_| {}))),
            seed: 0,
        }
    }
}
