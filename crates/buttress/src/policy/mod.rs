//! What should be true.

mod check;
#[cfg(feature = "serde")]
mod data;
mod limits;
mod meaning;

use std::time::Duration;

use buttress_core::{
    BreakerPolicy, EjectionPolicy, EnforcePolicy, HealthPolicy, LimitPolicy, PeersPolicy,
    PickPolicy, ProbePolicy, Ratio, Redundancy, Rules, ThrottlePolicy,
};

pub(crate) use limits::Limits;

/// What should be true of calls to one destination: plain data, from code or from a file ([every key](crate::docs::config)).
///
/// | field | default | meaning |
/// |---|---|---|
/// | `deadline` | none | the whole call, every attempt included |
/// | `attempt_timeout` | `deadline` / attempts in turn | one attempt; an endpoint that takes longer has failed |
/// | `tell_deadline` | yes | whether the endpoint is told how long is waited for it ([how](crate::docs::deadlines)) |
/// | `redundancy` | none | whether to ask again, or several at once, and how many |
/// | `tolerable` | 1 % | failed calls that are no reason to act |
/// | `false_alarm_every` | 30 days | how seldom a healthy destination may be taken for ill, all its endpoints together |
/// | `extra_load` | 10 % | extra sends allowed, of all requests, plus a reserve of 10 |
/// | `resets` | by protocol: of HTTP and gRPC 200 | how many calls an endpoint may see dropped in half a minute, for others were answered first |
/// | `peak_load` | not declared | how much of what the endpoints can bear is in use at peak, without extra sends |
/// | `health` | derived from `tolerable` and `false_alarm_every` | when an endpoint counts as down |
/// | `caller_share` | none | the largest part of the evidence that may come from one caller |
/// | `peers` | binomial test, every 10 s | who fails more often than the others explain |
/// | `ejection` | half of a priority, one always stays | how many endpoints of a set may be out at once |
/// | `enforce` | on; of latencies off | by rule, whether alarms are acted on, or only noted down |
/// | `breaker` | 0.5 s, doubling to 5 s (alone 2 s); about 7 good probes, then a ramp | how long to leave it alone, and how it comes back |
/// | `limit` | none | how many calls may be under way at once, to each endpoint, and whether others wait |
/// | `throttle` | twice what is accepted; refuses 90 % at most | how many calls are sent to an endpoint that turns calls down |
/// | `pick` | among all endpoints of a set | which part of a very large set is used |
/// | `probe` | every 2 s, at once on suspicion | how endpoints are probed, where a probe is given |
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use buttress::{Policy, Redundancy};
///
/// let policy = Policy::new().deadline(Duration::from_secs(1)).redundancy(Redundancy::failover(3));
/// assert!(policy.check().is_ok());
///
/// let error = policy.attempt_timeout(Duration::from_secs(2)).check().unwrap_err();
/// assert_eq!(error.to_string(), "deadline = 1s: needs at least attempt_timeout, 2s");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields, default, remote = "Self")
)]
pub struct Policy {
    #[cfg_attr(
        feature = "serde",
        serde(
            with = "buttress_core::duration_text::option",
            skip_serializing_if = "Option::is_none"
        )
    )]
    deadline: Option<Duration>,
    #[cfg_attr(
        feature = "serde",
        serde(
            with = "buttress_core::duration_text::option",
            skip_serializing_if = "Option::is_none"
        )
    )]
    attempt_timeout: Option<Duration>,
    tell_deadline: bool,
    tolerable: Ratio,
    #[cfg_attr(feature = "serde", serde(with = "buttress_core::duration_text"))]
    false_alarm_every: Duration,
    redundancy: Redundancy,
    extra_load: Ratio,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    resets: Option<u32>,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    peak_load: Option<Ratio>,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    caller_share: Option<Ratio>,
    health: HealthPolicy,
    peers: PeersPolicy,
    ejection: EjectionPolicy,
    enforce: EnforcePolicy,
    breaker: BreakerPolicy,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    limit: Option<LimitPolicy>,
    throttle: ThrottlePolicy,
    pick: PickPolicy,
    probe: ProbePolicy,
}

impl Policy {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            deadline: None,
            attempt_timeout: None,
            tell_deadline: true,
            tolerable: Rules::default().tolerable,
            false_alarm_every: Rules::default().false_alarm_every,
            redundancy: Redundancy::None,
            extra_load: Ratio::percent(10),
            resets: None,
            peak_load: None,
            caller_share: None,
            health: HealthPolicy::default(),
            peers: PeersPolicy::Binomial,
            ejection: EjectionPolicy::new(),
            enforce: EnforcePolicy::new(),
            breaker: BreakerPolicy::new(),
            limit: None,
            throttle: ThrottlePolicy::new(),
            pick: PickPolicy::new(),
            probe: ProbePolicy::new(),
        }
    }

    /// Sets the time for the whole call, every attempt included.
    #[must_use]
    pub const fn deadline(mut self, span: Duration) -> Self {
        self.deadline = Some(span);
        self
    }

    /// Sets the time for one attempt.
    #[must_use]
    pub const fn attempt_timeout(mut self, span: Duration) -> Self {
        self.attempt_timeout = Some(span);
        self
    }

    /// Sets whether the endpoint is told how long is waited for it, where the protocol can; see [deadlines](crate::docs::deadlines).
    #[must_use]
    pub const fn tell_deadline(mut self, tell: bool) -> Self {
        self.tell_deadline = tell;
        self
    }

    /// Sets the share of failed calls that is no reason to act.
    #[must_use]
    pub const fn tolerable(mut self, share: Ratio) -> Self {
        self.tolerable = share;
        self
    }

    /// Sets how seldom a healthy destination may be taken for ill: once in this time, all its endpoints together.
    #[must_use]
    pub const fn false_alarm_every(mut self, span: Duration) -> Self {
        self.false_alarm_every = span;
        self
    }

    /// Sets the largest part of the evidence that may come from one caller, where callers are labelled.
    #[must_use]
    pub const fn caller_share(mut self, share: Ratio) -> Self {
        self.caller_share = Some(share);
        self
    }

    /// Sets how the endpoints of a set are compared.
    #[must_use]
    pub const fn peers(mut self, peers: PeersPolicy) -> Self {
        self.peers = peers;
        self
    }

    /// Sets how many endpoints of a set may be out at once.
    #[must_use]
    pub const fn ejection(mut self, ejection: EjectionPolicy) -> Self {
        self.ejection = ejection;
        self
    }

    /// Sets how many alarms are acted on, by rule or of all rules alike; the others are only noted down.
    #[must_use]
    pub fn enforce(mut self, enforce: impl Into<EnforcePolicy>) -> Self {
        self.enforce = enforce.into();
        self
    }

    /// Sets whether to ask again, and how often.
    #[must_use]
    pub const fn redundancy(mut self, redundancy: Redundancy) -> Self {
        self.redundancy = redundancy;
        self
    }

    /// Sets how many extra sends are allowed, as a share of all requests.
    #[must_use]
    pub const fn extra_load(mut self, share: Ratio) -> Self {
        self.extra_load = share;
        self
    }

    /// Sets how many calls an endpoint may see dropped in half a minute, for others were answered first. Where it would be more, no copy is
    /// sent beside a call to it, by a hedge or a race.
    ///
    /// Over HTTP/2 a call that is dropped resets its stream, and many resets look like an attack (CVE-2023-44487): Netty's servers end a
    /// connection after 200 in 30 s, Envoy's where most streams of one are reset. So 200 is what HTTP and gRPC bear by default; raise it
    /// where your servers bear more. Of a quorum what is not needed is dropped all the same.
    #[must_use]
    pub const fn resets(mut self, most: u32) -> Self {
        self.resets = Some(most);
        self
    }

    /// Declares how much of what the endpoints can bear is in use at peak, without extra sends. A policy whose extra sends would then
    /// be more than they can bear is refused.
    ///
    /// # Examples
    ///
    /// ```
    /// use buttress::{Policy, Ratio, Redundancy};
    ///
    /// let policy = Policy::new().redundancy(Redundancy::failover(3)).extra_load(Ratio::percent(20)).peak_load(Ratio::percent(85));
    /// let error = policy.check().unwrap_err();
    /// assert_eq!(error.to_string(), "extra_load = 0.2: needs less than 0.176: at a peak_load of 0.85 more cannot be borne");
    /// ```
    #[must_use]
    pub const fn peak_load(mut self, share: Ratio) -> Self {
        self.peak_load = Some(share);
        self
    }

    /// Sets when an endpoint counts as down.
    #[must_use]
    pub const fn health(mut self, health: HealthPolicy) -> Self {
        self.health = health;
        self
    }

    /// Sets how long to leave a failed endpoint alone, and how it comes back.
    #[must_use]
    pub const fn breaker(mut self, breaker: BreakerPolicy) -> Self {
        self.breaker = breaker;
        self
    }

    /// Sets how many calls may be under way at once to each endpoint, and what becomes of the others: in a guard, or in a
    /// dispatch.
    #[must_use]
    pub const fn limit(mut self, limit: LimitPolicy) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Sets how many calls are sent to an endpoint that turns calls down.
    #[must_use]
    pub const fn throttle(mut self, throttle: ThrottlePolicy) -> Self {
        self.throttle = throttle;
        self
    }

    /// Sets which part of a very large set is used.
    #[must_use]
    pub const fn pick(mut self, pick: PickPolicy) -> Self {
        self.pick = pick;
        self
    }

    /// Sets how endpoints are probed, where a probe is given.
    #[must_use]
    pub const fn probe(mut self, probe: ProbePolicy) -> Self {
        self.probe = probe;
        self
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}
