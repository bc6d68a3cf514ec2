//! What should be true.

use std::time::Duration;

use buttress_core::{
    BreakerPolicy, Call, EjectionPolicy, EnforcePolicy, Explanation, HealthPolicy, HedgePolicy,
    LimitPolicy, MAX_ATTEMPTS, Nanos, Parts, PeersPolicy, PickPolicy, PolicyError, ProbePolicy,
    Ratio, Redundancy, Rules, ThrottlePolicy, Traffic, print_duration,
};

use crate::{ambient::Around, terms::Terms};

/// The longest time a policy may name: one day.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

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

    /// Can it be? Layers ask this themselves, and so does every file that is read.
    ///
    /// # Errors
    ///
    /// Names the field, its value and what would do.
    pub fn check(&self) -> Result<(), PolicyError> {
        for (field, span) in [
            ("deadline", self.deadline),
            ("attempt_timeout", self.attempt_timeout),
        ] {
            if let Some(span) = span
                && !(Duration::from_millis(1)..=LONGEST).contains(&span)
            {
                return Err(PolicyError::new(field, print_duration(span), "1ms to 24h"));
            }
        }
        if let (Some(deadline), Some(attempt)) = (self.deadline, self.attempt_timeout)
            && deadline < attempt
        {
            let needs = format!("at least attempt_timeout, {}", print_duration(attempt));
            return Err(PolicyError::new(
                "deadline",
                print_duration(deadline),
                needs,
            ));
        }
        self.redundancy.check()?;
        if let (Some(deadline), Some(attempt)) = (self.deadline, self.attempt())
            && attempt < Duration::from_millis(1)
        {
            let attempts = self.redundancy.in_turn();
            let needs = format!("at least 1ms for each of {attempts} attempts");
            return Err(PolicyError::new(
                "deadline",
                print_duration(deadline),
                needs,
            ));
        }
        if let (Some(deadline), Some(wait)) = (self.deadline, self.limits().wait)
            && deadline <= wait
        {
            let needs = format!("less than deadline, {}", print_duration(deadline));
            return Err(PolicyError::new("limit.wait", print_duration(wait), needs));
        }
        self.pick.check()?;
        self.probe.check()?;
        self.check_extra_load()?;
        self.check_peak_load()?;
        self.rules(Parts::default()).check()
    }

    /// Copies that are sent with every call are to be paid for.
    fn check_extra_load(&self) -> Result<(), PolicyError> {
        let always = self.redundancy.always_extra();
        if always == 0 {
            return self.extra_load.check("extra_load");
        }
        let most = f64::from(MAX_ATTEMPTS - 1);
        if (f64::from(always)..=most).contains(&self.extra_load.as_f64()) {
            return Ok(());
        }
        let needs = format!(
            "{always} to {most}: redundancy = {} sends each call {} times",
            self.redundancy,
            always + 1
        );
        Err(PolicyError::new(
            "extra_load",
            self.extra_load.as_f64(),
            needs,
        ))
    }

    /// A queue is stable only while less comes in than can be served: peak · (1 + r) < 1.
    fn check_peak_load(&self) -> Result<(), PolicyError> {
        let Some(peak) = self.peak_load else {
            return Ok(());
        };
        let (peak, extra) = (peak.as_f64(), self.extra_load.as_f64());
        if !(peak > 0.0 && peak < 1.0) {
            return Err(PolicyError::new(
                "peak_load",
                peak,
                "more than 0 and less than 1",
            ));
        }
        if self.redundancy.attempts() == 1 || peak * (1.0 + extra) < 1.0 {
            return Ok(());
        }
        let most = ((1.0 / peak - 1.0) * 1000.0).floor() / 1000.0;
        let needs = format!("less than {most}: at a peak_load of {peak} more cannot be borne");
        Err(PolicyError::new("extra_load", extra, needs))
    }

    /// The share of calls that may be hedged: two thirds of the extra load, which leaves some for calls that fail.
    fn hedged(&self) -> Option<Ratio> {
        match self.redundancy {
            Redundancy::Hedge(HedgePolicy { after: None, .. }) => {
                Some(Ratio::new(self.extra_load.as_f64() * 2.0 / 3.0))
            }
            _ => None,
        }
    }

    /// What this policy means under `traffic`, in numbers and in a sentence.
    ///
    /// # Examples
    ///
    /// ```
    /// use buttress::{Policy, Traffic};
    ///
    /// let means = Policy::new().explain(Traffic { calls_per_second: 100.0, endpoints: 3 });
    /// assert!(means.to_string().contains("at most 1 of 3 ejected"));
    /// ```
    #[must_use]
    pub fn explain(&self, traffic: Traffic) -> Explanation {
        self.rules(Parts::default()).explain(traffic)
    }

    pub(crate) fn rules(&self, parts: Parts) -> Rules {
        Rules {
            health: self.health,
            caller_share: self.caller_share,
            tolerable: self.tolerable,
            false_alarm_every: self.false_alarm_every,
            peers: self.peers,
            ejection: self.ejection,
            enforce: self.enforce,
            timeout: self.attempt(),
            hedged: self.hedged(),
            breaker: self.breaker,
            // A limit belongs to the whole; each of its parts alone only looks on, or opens.
            limit: self.limit.filter(|_| parts == Parts::default()),
            throttle: self.throttle,
            parts,
        }
    }

    pub(crate) const fn picks(&self) -> PickPolicy {
        self.pick
    }

    pub(crate) const fn probes(&self) -> ProbePolicy {
        self.probe
    }

    pub(crate) const fn asks_again(&self) -> Redundancy {
        self.redundancy
    }

    pub(crate) const fn most_resets(&self) -> Option<u32> {
        self.resets
    }

    pub(crate) const fn extra(&self) -> Ratio {
        self.extra_load
    }

    pub(crate) fn limits(&self) -> Limits {
        let nanos = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Limits {
            deadline: self.deadline.map_or(u64::MAX, nanos),
            attempt: self.attempt().map_or(u64::MAX, nanos),
            heed: true,
            tell: self.tell_deadline,
            wait: self.limit.and_then(|limit| limit.wait),
        }
    }

    /// The time for one attempt.
    fn attempt(&self) -> Option<Duration> {
        let share = self
            .deadline
            .map(|span| span / self.redundancy.in_turn().max(1));
        self.attempt_timeout.or(share)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}

/// What a policy says about time, in nanoseconds: `u64::MAX` where it says nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) deadline: u64,
    pub(crate) attempt: u64,
    /// Is what requests ask for heeded, and what they are a part of?
    heed: bool,
    /// Is the endpoint told how long is waited for it?
    pub(crate) tell: bool,
    /// How long a call waits for a place under the limit, if it does.
    pub(crate) wait: Option<Duration>,
}

impl Limits {
    /// What refuses nothing does not heed, unless its policy has limits of its own.
    pub(crate) const fn heeding(mut self, heed: bool) -> Self {
        self.heed = heed || self.deadline < u64::MAX || self.attempt < u64::MAX;
        self
    }

    /// What a call that begins at `now` is held to.
    #[inline]
    pub(crate) fn terms(&self, now: Nanos, call: impl FnOnce() -> Call) -> Terms {
        if self.heed {
            Terms::part_of(Around::here()).begun(self, &call(), now)
        } else {
            Terms::part_of(Around::NOTHING)
        }
    }
}

#[cfg(feature = "serde")]
mod data {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

    use super::Policy;

    impl Serialize for Policy {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            Self::serialize(self, to)
        }
    }

    impl<'de> Deserialize<'de> for Policy {
        /// A policy that cannot be is not read: the error says which field and what would do.
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            let policy = Self::deserialize(from)?;
            policy.check().map_err(D::Error::custom)?;
            Ok(policy)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_policies_name_their_field() {
        let day = Duration::from_secs(86_401);
        for (policy, field) in [
            (Policy::new().deadline(Duration::ZERO), "deadline"),
            (Policy::new().deadline(Duration::MAX), "deadline"),
            (Policy::new().attempt_timeout(day), "attempt_timeout"),
            (
                Policy::new()
                    .deadline(Duration::from_millis(2))
                    .redundancy(Redundancy::failover(3)),
                "deadline",
            ),
            (Policy::new().caller_share(Ratio::new(0.0)), "caller_share"),
            (
                Policy::new()
                    .deadline(Duration::from_secs(1))
                    .limit(LimitPolicy::concurrency(1).wait(Duration::from_secs(1))),
                "limit.wait",
            ),
            (
                Policy::new().limit(LimitPolicy::concurrency(0)),
                "limit.concurrency",
            ),
            (
                Policy::new().throttle(ThrottlePolicy::new().at_most(Ratio::percent(100))),
                "throttle.at_most",
            ),
            (
                Policy::new().throttle(ThrottlePolicy::new().multiplier(f64::NAN)),
                "throttle.multiplier",
            ),
            (
                Policy::new().limit(LimitPolicy::concurrency(1).queue(1)),
                "limit.queue",
            ),
            (
                Policy::new().redundancy(Redundancy::failover(0)),
                "redundancy.failover",
            ),
            (Policy::new().extra_load(Ratio::new(f64::NAN)), "extra_load"),
            (Policy::new().extra_load(Ratio::percent(101)), "extra_load"),
            (
                Policy::new().health(HealthPolicy::consecutive(0)),
                "health.consecutive",
            ),
            (
                Policy::new().breaker(BreakerPolicy::new().close_after(0)),
                "breaker.close_after",
            ),
        ] {
            assert_eq!(policy.check().unwrap_err().field(), field);
        }
    }

    #[test]
    fn an_attempt_gets_its_share_of_the_deadline() {
        let policy = Policy::new()
            .deadline(Duration::from_secs(3))
            .redundancy(Redundancy::failover(3));
        assert_eq!(policy.attempt(), Some(Duration::from_secs(1)));
        assert_eq!(Policy::new().attempt(), None);
    }
}
