//! From results to what is done.

use std::time::Duration;

use super::{
    Breaker, Change, Phase, Trial,
    policy::scaled,
    ramp::{Ramp, Turn},
    sequential::Answer,
};
use crate::{Enforce, Nanos, Permit, Sign, random::unit};

impl Breaker {
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
            Phase::Closed if alarm => {
                let acts = self.draws(self.enforce);
                Some(self.open_anew(now, acts))
            }
            Phase::Closed | Phase::Open { .. } => None,
            Phase::Watching { trial } => self.watch(trial, now, sign),
            // HalfOpen => Open: a late answer is a failed probe, whatever it says.
            Phase::HalfOpen {
                lease: Some(lease), ..
            } if now >= lease => Some(self.open(now)),
            Phase::HalfOpen { trial, next, .. } => self.probed(trial, next, permit, now, sign),
            Phase::Trial(trial) => self.tried(trial, permit, now, sign),
            Phase::Ramping(ramp) => self.ramped(ramp, now, sign),
        }
    }

    /// A call that was let through on the way back has grown too old, or ended.
    fn ramped(&mut self, mut ramp: Ramp, now: Nanos, sign: Sign) -> Option<Change> {
        let turn = match sign {
            Sign::Silent => return None,
            Sign::Good => ramp.observe(now, true),
            Sign::Bad => ramp.observe(now, false),
        };
        self.phase = Phase::Ramping(ramp);
        match turn {
            Turn::On => None,
            // Ramping => Open
            Turn::Ill => Some(self.open(now)),
            // Ramping => Closed
            Turn::Full => Some(self.close(now)),
        }
    }

    /// Would one more failed call on the way back open it again?
    pub(crate) const fn on_the_brink(&self) -> bool {
        matches!(&self.phase, Phase::Ramping(ramp) if ramp.on_the_brink())
    }

    /// It would be opened again, and its set cannot spare it.
    pub(crate) const fn stay(&mut self, now: Nanos) {
        if let Phase::Ramping(ramp) = &mut self.phase {
            ramp.stay(now);
        }
    }

    /// A call under way has grown too old: on the way back that is a call that failed.
    pub(crate) fn overdue(&mut self, now: Nanos) -> Option<Change> {
        match self.phase {
            Phase::Ramping(ramp) => self.ramped(ramp, now, Sign::Bad),
            _ => None,
        }
    }

    fn probed(
        &mut self,
        mut trial: Trial,
        next: Nanos,
        permit: Permit,
        now: Nanos,
        sign: Sign,
    ) -> Option<Change> {
        // The permit goes back undecided; the next probe keeps its distance all the same.
        let apart = next.max(permit.started.after(self.wait));
        if sign == Sign::Silent {
            self.phase = Phase::HalfOpen {
                trial,
                lease: None,
                next: apart,
            };
            return None;
        }
        let good = sign == Sign::Good;
        match trial.observe(good, self.policy.close_after) {
            // HalfOpen => Open
            Some(Answer::Ill) => return Some(self.open(now)),
            // HalfOpen => Closed, the classic way.
            Some(Answer::Well) if self.policy.close_after.is_some() => {
                return Some(self.close(now));
            }
            // HalfOpen => Ramping
            Some(Answer::Well) => {
                let ramp = Ramp::new(self.policy.ramp_of(self.alone), self.tolerable, now);
                self.enter(Phase::Ramping(ramp));
                return Some(Change::Ramping);
            }
            None => {}
        }
        let first = trial.good == 1;
        self.phase = Phase::HalfOpen {
            trial,
            lease: None,
            next: if good { now } else { apart },
        };
        (good && first).then_some(Change::FirstGood)
    }

    fn watch(&mut self, mut trial: Trial, now: Nanos, sign: Sign) -> Option<Change> {
        if sign == Sign::Silent {
            return None;
        }
        let good = sign == Sign::Good;
        match trial.observe(good, self.policy.close_after) {
            // Watching => Closed
            Some(Answer::Well) => return Some(self.close(now)),
            Some(Answer::Ill) => trial = Trial::default(),
            None => {}
        }
        self.phase = Phase::Watching { trial };
        (good && trial.good == 1).then_some(Change::FirstGood)
    }

    /// Is this alarm of a rule that is enforced so acted on?
    pub(crate) fn draws(&mut self, enforce: Enforce) -> bool {
        enforce.hits(self.draws.next())
    }

    /// There is enough evidence, and it is acted on, or only watched.
    pub(crate) fn alarmed(&mut self, now: Nanos, acts: bool) -> Option<Change> {
        match self.phase {
            // Closed => Open, or Watching where nothing is enforced.
            Phase::Closed => Some(self.open_anew(now, acts)),
            // Watching => Open: what one rule was not to act on, another acts on.
            Phase::Watching { .. } if acts => Some(self.open_anew(now, acts)),
            _ => None,
        }
    }

    fn open_anew(&mut self, now: Nanos, acts: bool) -> Change {
        self.wait = self.remembered(now);
        if acts {
            return self.open(now);
        }
        self.enter(Phase::Watching {
            trial: Trial::default(),
        });
        Change::Opened(Duration::ZERO)
    }

    /// The last stop, as far as time in which all was well has not undone it.
    fn remembered(&self, now: Nanos) -> Duration {
        let Some(span) = self.policy.undone_in else {
            return Duration::ZERO;
        };
        let well = now.since(self.closed).as_nanos();
        let steps = u64::try_from(well / span.as_nanos().max(1)).unwrap_or(u64::MAX);
        let (growth, first) = (self.policy.growth, self.policy.open_for);
        growth.undone(self.wait, first, steps)
    }

    /// Opens for longer than the last time, give or take a part that is left to chance, so that many clients do not return at
    /// once.
    pub(super) fn open(&mut self, now: Nanos) -> Change {
        let (first, longest) = (self.policy.open_for, self.policy.longest(self.alone));
        self.wait = (self.policy.growth.after(self.wait, first)).clamp(first, longest);
        let jitter = self.policy.jitter.as_f64().clamp(0.0, 1.0);
        let chance = 2.0 * unit(self.draws.next()) - 1.0;
        let jittered = scaled(self.wait, 1.0 + jitter * chance);
        self.enter(Phase::Open {
            until: now.after(jittered),
        });
        Change::Opened(jittered)
    }

    pub(super) fn close(&mut self, now: Nanos) -> Change {
        self.closed = now;
        self.enter(Phase::Closed);
        Change::Closed
    }
}
