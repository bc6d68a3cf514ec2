//! Acting: stop, probe, come back.
//!
//! ```text
//!            alarm              wait over            the test is passed        the share is full
//! Closed ───────────► Open ───────────► HalfOpen ───────────────────► Ramping ───────────────────► Closed
//!                      ▲ ▲                  │  still ill, or a probe is lost │  clearly ill
//!                      │ └──────────────────┘                               │
//!                      └─────────────────────────────────────────────────────┘
//! ```

mod classic;
mod follow;
mod policy;
mod probes;
mod ramp;
mod sequential;

use std::time::Duration;

pub use policy::{BreakerPolicy, Growth, RampPolicy, TrialPolicy};

use crate::{
    Enforce, Nanos, Permit,
    permit::Seat,
    random::{Draws, unit},
    sync::Arc,
};
use probes::Probes;
use ramp::Ramp;
use sequential::{Answer, Sequential};

/// What a breaker does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum BreakerState {
    /// Calls flow.
    Closed,
    /// Calls are refused.
    Open,
    /// Single probes go out; other calls are refused.
    HalfOpen,
    /// It has passed its test, and gets a growing share of its calls.
    Ramping,
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
    /// Enough of them: calls come back by degrees.
    Ramping,
    /// Calls flow again.
    Closed,
}

/// The state machine. Pure: told `now`, seeded once.
#[derive(Debug)]
pub(crate) struct Breaker {
    /// Shared by all that are under the same rules.
    policy: Arc<BreakerPolicy>,
    /// How many of the outages that its calls show it acts on. In the others it watches recovery, and refuses nothing.
    enforce: Enforce,
    /// Can nobody else serve?
    alone: bool,
    /// The share of calls that may fail: on the way back it is no reason to wait.
    tolerable: f64,
    phase: Phase,
    /// Counts every change of phase; a result of an older one is not believed.
    generation: u32,
    /// The wait that the last opening drew its jittered one from.
    wait: Duration,
    /// When it last came back.
    closed: Nanos,
    /// Of a classic trial under way.
    probes: Probes,
    draws: Draws,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Closed,
    Open {
        until: Nanos,
    },
    HalfOpen {
        trial: Trial,
        lease: Option<Nanos>,
        next: Nanos,
    },
    /// Half-open the classic way: several probes at once.
    Trial(TrialPolicy),
    Ramping(Ramp),
    /// Down, but not enforced: every call is a probe.
    Watching {
        trial: Trial,
    },
}

/// What the probes so far have shown.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Trial {
    test: Sequential,
    /// In a row.
    good: u32,
}

impl Breaker {
    pub(crate) fn new(
        policy: impl Into<Arc<BreakerPolicy>>,
        enforce: Enforce,
        alone: bool,
        seed: u64,
    ) -> Self {
        Self {
            policy: policy.into(),
            enforce,
            alone,
            tolerable: 0.0,
            phase: Phase::Closed,
            generation: 0,
            wait: Duration::ZERO,
            closed: Nanos::ZERO,
            probes: Probes::default(),
            draws: Draws::seeded(seed),
        }
    }

    /// The same, bearing this share of failed calls on the way back.
    pub(crate) fn bearing(mut self, tolerable: f64) -> Self {
        self.tolerable = tolerable;
        self
    }

    /// It comes to a set that was there before it, and has yet to warm up.
    pub(crate) fn join(&mut self, now: Nanos) {
        if !self.policy.is_classic() && self.enforce == Enforce::ON {
            self.enter(Phase::Ramping(Ramp::new(
                self.policy.ramp_of(self.alone),
                self.tolerable,
                now,
            )));
        }
    }

    pub(crate) const fn generation(&self) -> u32 {
        self.generation
    }

    /// May calls flow without asking further?
    pub(crate) const fn flows(&self) -> bool {
        matches!(self.phase, Phase::Closed | Phase::Watching { .. })
    }

    /// Is it down, and called all the same?
    pub(crate) const fn is_watching(&self) -> bool {
        matches!(self.phase, Phase::Watching { .. })
    }

    /// Is it anything but plainly closed?
    pub(crate) const fn is_down(&self) -> bool {
        !matches!(self.phase, Phase::Closed)
    }

    pub(crate) const fn state(&self) -> BreakerState {
        match self.phase {
            Phase::Closed | Phase::Watching { .. } => BreakerState::Closed,
            Phase::Open { .. } => BreakerState::Open,
            Phase::HalfOpen { .. } | Phase::Trial(_) => BreakerState::HalfOpen,
            Phase::Ramping(_) => BreakerState::Ramping,
        }
    }

    /// The share of its calls that it gets, 0 to 1.
    pub(crate) fn share(&self) -> f64 {
        match &self.phase {
            Phase::Closed | Phase::Watching { .. } => 1.0,
            // The classic way: whatever comes, until it is enough.
            Phase::Trial(trial) if self.probes.may(*trial) => 1.0,
            Phase::Open { .. } | Phase::HalfOpen { .. } | Phase::Trial(_) => 0.0,
            Phase::Ramping(ramp) => ramp.share(),
        }
    }

    /// From when on asking for a permit may succeed.
    pub(crate) fn due(&self) -> Nanos {
        match self.phase {
            Phase::Closed | Phase::Watching { .. } | Phase::Ramping(_) => Nanos::ZERO,
            Phase::Open { until } => until,
            Phase::HalfOpen {
                lease: Some(lease), ..
            } => lease,
            Phase::HalfOpen { next, .. } => next,
            Phase::Trial(trial) if self.probes.may(trial) => Nanos::ZERO,
            Phase::Trial(_) => self.lost_at(),
        }
    }

    /// May a call go out now? If not, after how long to ask again.
    pub(crate) fn permit(&mut self, now: Nanos) -> (Result<Permit, Duration>, Option<Change>) {
        self.set_right(now);
        let alone = self.alone;
        let chance = match self.phase {
            Phase::Ramping(_) => unit(self.draws.next()),
            _ => 0.0,
        };
        match &mut self.phase {
            Phase::Closed | Phase::Watching { .. } => (Ok(self.stamp(now, false)), None),
            Phase::Ramping(ramp) => {
                // In a set whoever picks has drawn already: who is sent here is to be served.
                if alone && !ramp.admits(chance) {
                    return (Err(ramp.ends().since(now)), None);
                }
                (Ok(self.stamp(now, false)), None)
            }
            Phase::Open { until } if now < *until => (Err(until.since(now)), None),
            Phase::Open { .. } if self.policy.trial.is_some() => self.try_out(now),
            // Open => HalfOpen: the wait is over, and this call is the first probe.
            Phase::Open { .. } => {
                self.enter(Phase::HalfOpen {
                    trial: Trial::default(),
                    lease: Some(now.after(self.policy.lease)),
                    next: now,
                });
                (Ok(self.stamp(now, true)), Some(Change::Probing))
            }
            // HalfOpen => Open: the probe is lost. It cannot wedge us.
            Phase::HalfOpen {
                lease: Some(lease), ..
            } if now >= *lease => {
                let change = self.open(now);
                (Err(self.due().since(now)), Some(change))
            }
            Phase::HalfOpen {
                lease: Some(lease), ..
            } => (Err(lease.since(now).min(self.wait)), None),
            Phase::HalfOpen { next, .. } if now < *next => (Err(next.since(now)), None),
            Phase::HalfOpen { lease, .. } => {
                *lease = Some(now.after(self.policy.lease));
                (Ok(self.stamp(now, true)), None)
            }
            Phase::Trial(trial) => {
                let trial = *trial;
                self.try_further(trial, now)
            }
        }
    }

    /// What is awaited of a clock that was set back since is awaited no more.
    fn set_right(&mut self, now: Nanos) {
        self.probes.set_right(now);
        let farthest = now.after(self.policy.longest_wait(self.alone));
        let (Phase::Open { until: at }
        | Phase::HalfOpen {
            lease: Some(at), ..
        }
        | Phase::HalfOpen { next: at, .. }) = &mut self.phase
        else {
            return;
        };
        if *at > farthest {
            *at = now;
        }
    }

    /// Begins again, closed. Results of calls permitted before are of another time.
    pub(crate) fn restart(&mut self) {
        self.enter(Phase::Closed);
        self.wait = Duration::ZERO;
    }

    /// It is away, as whoever runs it says, and it is no use to ask for it before `until`.
    pub(crate) const fn away(&mut self, until: Nanos) {
        self.enter(Phase::Open { until });
    }

    /// Ends the wait for the next probe.
    pub(crate) const fn hasten(&mut self, now: Nanos) {
        if let Phase::Open { until } = &mut self.phase
            && now.as_u64() < until.as_u64()
        {
            *until = now;
        }
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
}

impl Trial {
    /// Takes one probe into account, by the sequential test, or the classic way: `close_after` good ones in a row.
    fn observe(&mut self, good: bool, close_after: Option<u32>) -> Option<Answer> {
        self.good = if good { self.good.saturating_add(1) } else { 0 };
        match close_after {
            None => self.test.observe(good),
            Some(_) if !good => Some(Answer::Ill),
            Some(enough) => (self.good >= enough).then_some(Answer::Well),
        }
    }
}

#[cfg(test)]
mod tests;
