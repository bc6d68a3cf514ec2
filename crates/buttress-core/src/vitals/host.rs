//! What vitals are born with: rules, and what the world lends.

use std::time::Duration;

use crate::{
    BreakerPolicy, Clock, EjectionPolicy, Enforce, EnforcePolicy, Events, HealthPolicy,
    LimitPolicy, PeersPolicy, PolicyError, Ratio, Registry, ThrottlePolicy, print_duration,
    sync::Arc,
};

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
    /// The largest part of the evidence against an endpoint that may come from one caller, where callers are labelled;
    /// none by default. With it, nobody alone can trip a breaker for all others.
    pub caller_share: Option<Ratio>,
    /// The share of calls that may be hedged, where the delay is to be learned; none by default.
    pub hedged: Option<Ratio>,
    /// What is done about it.
    pub breaker: BreakerPolicy,
    /// How the endpoints of a set are compared.
    pub peers: PeersPolicy,
    /// How many endpoints of a set may be out at once.
    pub ejection: EjectionPolicy,
    /// How many of its alarms are acted on, by rule.
    pub enforce: EnforcePolicy,
    /// How many calls may be under way at once; any number by default.
    pub limit: Option<LimitPolicy>,
    /// Whether and how calls are throttled while others are turned down.
    pub throttle: ThrottlePolicy,
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
            caller_share: None,
            hedged: None,
            breaker: BreakerPolicy::new(),
            peers: PeersPolicy::Binomial,
            ejection: EjectionPolicy::new(),
            enforce: EnforcePolicy::new(),
            limit: None,
            throttle: ThrottlePolicy::new(),
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
        self.breaker.check()?;
        self.ejection.check()?;
        if let Some(share) = self.caller_share {
            share.check_above_zero("caller_share")?;
        }
        if let Some(limit) = &self.limit {
            limit.check()?;
        }
        self.throttle.check()?;
        check_tolerable(self.tolerable)?;
        check_period(self.false_alarm_every)
    }

    /// A throttle belongs to the whole: of its parts, one only looks on and one only opens.
    pub(crate) fn throttled(&self) -> ThrottlePolicy {
        if self.parts == Parts::default() {
            self.throttle
        } else {
            ThrottlePolicy::OFF
        }
    }

    pub(crate) const fn enforced(&self) -> EnforcePolicy {
        if self.parts.breaker {
            self.enforce
        } else {
            EnforcePolicy::all(Enforce::OFF)
        }
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

/// From one in ten thousand to one in two: rarer failures take more calls to tell apart than anybody makes, and where
/// every second call may fail there is nothing to detect.
fn check_tolerable(share: Ratio) -> Result<(), PolicyError> {
    if (0.0001..=0.5).contains(&share.as_f64()) {
        return Ok(());
    }
    Err(PolicyError::new(
        "tolerable",
        share.as_f64(),
        "a ratio from 0.0001 to 0.5",
    ))
}

/// From a minute to a year.
fn check_period(span: Duration) -> Result<(), PolicyError> {
    if (Duration::from_secs(60)..=Duration::from_secs(366 * 24 * 60 * 60)).contains(&span) {
        return Ok(());
    }
    Err(PolicyError::new(
        "false_alarm_every",
        print_duration(span),
        "1m to 366d",
    ))
}
