//! Acting: stop, probe, come back.

use std::time::Duration;

use crate::{
    Enforce, Nanos, Permit, PolicyError, Sign,
    permit::Seat,
    random::{Draws, unit},
    value::check_span,
};

/// When to stop calling, and how to find out that it may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields, default)
)]
pub struct BreakerPolicy {
    /// How long to stop before the first probe, give or take half of it; 500 ms by default.
    #[cfg_attr(feature = "serde", serde(with = "crate::duration_text"))]
    pub open_for: Duration,
    /// The longest stop: each failed probe doubles it up to here; 5 s by default.
    #[cfg_attr(feature = "serde", serde(with = "crate::duration_text"))]
    pub up_to: Duration,
    /// Good probes in a row until calls flow again; 3 by default.
    pub close_after: u32,
    /// A probe without a result after this long has failed; 10 s by default.
    #[cfg_attr(feature = "serde", serde(with = "crate::duration_text"))]
    pub lease: Duration,
}

impl BreakerPolicy {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            open_for: Duration::from_millis(500),
            up_to: Duration::from_secs(5),
            close_after: 3,
            lease: Duration::from_secs(10),
        }
    }

    /// Sets how long to stop before the first probe, and the longest stop if that is shorter.
    #[must_use]
    pub fn open_for(mut self, span: Duration) -> Self {
        self.open_for = span;
        self.up_to = self.up_to.max(span);
        self
    }

    /// Sets the longest stop.
    #[must_use]
    pub const fn up_to(mut self, span: Duration) -> Self {
        self.up_to = span;
        self
    }

    /// Sets how many good probes in a row it takes.
    #[must_use]
    pub const fn close_after(mut self, probes: u32) -> Self {
        self.close_after = probes;
        self
    }

    /// Sets after how long a probe without a result has failed.
    #[must_use]
    pub const fn lease(mut self, span: Duration) -> Self {
        self.lease = span;
        self
    }

    /// Can it be?
    ///
    /// # Errors
    ///
    /// Names the field, its value and what would do.
    pub fn check(&self) -> Result<(), PolicyError> {
        check_span("breaker.open_for", self.open_for)?;
        check_span("breaker.up_to", self.up_to)?;
        check_span("breaker.lease", self.lease)?;
        if self.up_to < self.open_for {
            let value = crate::print_duration(self.up_to);
            return Err(PolicyError::new(
                "breaker.up_to",
                value,
                "at least breaker.open_for",
            ));
        }
        if self.close_after == 0 {
            return Err(PolicyError::new(
                "breaker.close_after",
                0,
                "at least 1 probe",
            ));
        }
        Ok(())
    }
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// What a breaker does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum State {
    /// Calls flow.
    Closed,
    /// Calls are refused.
    Open,
    /// Single probes go out; other calls are refused.
    HalfOpen,
}

/// What a step of the machine did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It stopped calls for this long.
    Opened(Duration),
    /// It began to probe.
    Probing,
    /// A probe was good, not yet enough of them.
    FirstGood,
    /// Calls flow again.
    Closed,
}

/// The state machine. Pure: told `now`, seeded once.
#[derive(Debug)]
pub(crate) struct Breaker {
    policy: BreakerPolicy,
    /// How many of its outages it acts on. In the others it watches recovery, and refuses nothing.
    enforce: Enforce,
    phase: Phase,
    /// Counts every change of phase; a result of an older one is not believed.
    generation: u32,
    /// The wait that the last opening drew its jittered one from.
    wait: Duration,
    draws: Draws,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Closed,
    Open {
        until: Nanos,
    },
    HalfOpen {
        good: u32,
        lease: Option<Nanos>,
        next: Nanos,
    },
    /// Down, but not enforced: every call is a probe.
    Watching {
        good: u32,
    },
}

impl Breaker {
    pub(crate) const fn new(policy: BreakerPolicy, enforce: Enforce, seed: u64) -> Self {
        Self {
            policy,
            enforce,
            phase: Phase::Closed,
            generation: 0,
            wait: Duration::ZERO,
            draws: Draws::seeded(seed),
        }
    }

    pub(crate) const fn generation(&self) -> u32 {
        self.generation
    }

    /// May calls flow without asking further?
    pub(crate) const fn flows(&self) -> bool {
        matches!(self.phase, Phase::Closed | Phase::Watching { .. })
    }

    /// Is it anything but plainly closed?
    pub(crate) const fn is_down(&self) -> bool {
        !matches!(self.phase, Phase::Closed)
    }

    pub(crate) const fn state(&self) -> State {
        match self.phase {
            Phase::Closed | Phase::Watching { .. } => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
        }
    }

    /// From when on asking for a permit may succeed.
    pub(crate) const fn due(&self) -> Nanos {
        match self.phase {
            Phase::Closed | Phase::Watching { .. } => Nanos::ZERO,
            Phase::Open { until } => until,
            Phase::HalfOpen {
                lease: Some(lease), ..
            } => lease,
            Phase::HalfOpen { next, .. } => next,
        }
    }

    /// May a call go out now? If not, after how long to ask again.
    pub(crate) fn permit(&mut self, now: Nanos) -> (Result<Permit, Duration>, Option<Change>) {
        match self.phase {
            Phase::Closed | Phase::Watching { .. } => (Ok(self.stamp(now, false)), None),
            Phase::Open { until } if now < until => (Err(until.since(now)), None),
            // Open => HalfOpen: the wait is over, and this call is the first probe.
            Phase::Open { .. } => {
                self.enter(Phase::HalfOpen {
                    good: 0,
                    lease: Some(now.after(self.policy.lease)),
                    next: now,
                });
                (Ok(self.stamp(now, true)), Some(Change::Probing))
            }
            // HalfOpen => Open: the probe is lost. It cannot wedge us.
            Phase::HalfOpen {
                lease: Some(lease), ..
            } if now >= lease => {
                let change = self.open(now);
                (Err(self.retry_after(now)), Some(change))
            }
            Phase::HalfOpen {
                lease: Some(lease), ..
            } => (Err(lease.since(now).min(self.wait)), None),
            Phase::HalfOpen { next, .. } if now < next => (Err(next.since(now)), None),
            Phase::HalfOpen { good, next, .. } => {
                self.phase = Phase::HalfOpen {
                    good,
                    lease: Some(now.after(self.policy.lease)),
                    next,
                };
                (Ok(self.stamp(now, true)), None)
            }
        }
    }

    /// Takes the result of a permitted call into account, `alarm` being the judge's word on it.
    pub(crate) fn follow(
        &mut self,
        permit: Permit,
        now: Nanos,
        sign: Sign,
        alarm: bool,
    ) -> Option<Change> {
        // A result of an older generation was permitted under other circumstances.
        if permit.generation != self.generation {
            return None;
        }
        match self.phase {
            // Closed => Open, or Watching where nothing is enforced.
            Phase::Closed if alarm => Some(self.open_anew(now)),
            Phase::Closed | Phase::Open { .. } => None,
            Phase::Watching { good } => match sign {
                Sign::Good => self.good_probe(good, now, |good| Phase::Watching { good }),
                Sign::Bad => {
                    self.phase = Phase::Watching { good: 0 };
                    None
                }
                Sign::Silent => None,
            },
            // HalfOpen => Open: a late answer is a failed probe, whatever it says.
            Phase::HalfOpen {
                lease: Some(lease), ..
            } if now >= lease => Some(self.open(now)),
            Phase::HalfOpen { good, next, .. } => match sign {
                Sign::Good => self.good_probe(good, now, |good| Phase::HalfOpen {
                    good,
                    lease: None,
                    next: now,
                }),
                // HalfOpen => Open
                Sign::Bad => Some(self.open(now)),
                // The permit goes back undecided; the next probe keeps its distance all the same.
                Sign::Silent => {
                    let next = next.max(permit.started.after(self.wait));
                    self.phase = Phase::HalfOpen {
                        good,
                        lease: None,
                        next,
                    };
                    None
                }
            },
        }
    }

    /// Ends the wait for the next probe.
    pub(crate) const fn hasten(&mut self, now: Nanos) {
        if let Phase::Open { until } = &mut self.phase
            && now.as_u64() < until.as_u64()
        {
            *until = now;
        }
    }

    /// There is enough evidence, though no call has ended.
    pub(crate) fn alarmed(&mut self, now: Nanos) -> Option<Change> {
        // Closed => Open, or Watching where nothing is enforced.
        matches!(self.phase, Phase::Closed).then(|| self.open_anew(now))
    }

    fn good_probe(
        &mut self,
        good: u32,
        _now: Nanos,
        stay: impl FnOnce(u32) -> Phase,
    ) -> Option<Change> {
        let good = good.saturating_add(1);
        if good >= self.policy.close_after {
            // HalfOpen => Closed, Watching => Closed
            self.enter(Phase::Closed);
            return Some(Change::Closed);
        }
        self.phase = stay(good);
        (good == 1).then_some(Change::FirstGood)
    }

    fn open_anew(&mut self, now: Nanos) -> Change {
        self.wait = Duration::ZERO;
        if self.enforce.hits(self.draws.next()) {
            return self.open(now);
        }
        self.enter(Phase::Watching { good: 0 });
        Change::Opened(Duration::ZERO)
    }

    /// Opens for twice as long as the last time, give or take half of it so that many clients do not return at once.
    fn open(&mut self, now: Nanos) -> Change {
        self.wait = (self.wait.saturating_mul(2)).clamp(self.policy.open_for, self.policy.up_to);
        let jittered = self.wait.mul_f64(0.5 + unit(self.draws.next()));
        self.enter(Phase::Open {
            until: now.after(jittered),
        });
        Change::Opened(jittered)
    }

    const fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.generation = self.generation.wrapping_add(1);
    }

    fn stamp(&self, now: Nanos, probe: bool) -> Permit {
        Permit {
            started: now,
            generation: self.generation,
            probe,
            seat: Seat::default(),
        }
    }

    const fn retry_after(&self, now: Nanos) -> Duration {
        match self.phase {
            Phase::Open { until } => until.since(now),
            _ => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests;
