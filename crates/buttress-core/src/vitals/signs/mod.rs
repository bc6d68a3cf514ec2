//! What changes only when something happens: the judge, the breaker, the book of outages.

mod alarm;
mod book;
mod proof;

use std::time::Duration;

use alarm::Heard;

use super::{Force, Rules, callers::Callers, word::Word};
use crate::{
    BreakerPolicy, Decisions, EnforcePolicy, EventKind, Nanos, Outcome, Permit, Rule, Sign,
    breaker::Breaker,
    destination::{Hold, Ruling},
    health::{Alarm, Bank, Detector, Fact},
    stats::Ledger,
    sync::Arc,
};

/// What the others have to say before an endpoint is acted on.
pub(super) trait Set {
    /// What becomes of an alarm.
    fn rule(&self, alarm: &Alarm, now: Nanos) -> Ruling;

    /// How many callers are known.
    fn callers(&self) -> u32;

    /// Are calls since `since` so late that no queue of calls that go well explains it?
    fn proves_late(&self, since: Nanos, now: Nanos) -> bool;

    /// May one that was let back in go out again?
    fn spares(&self) -> bool;
}

#[derive(Debug)]
pub(super) struct Signs {
    pub(super) detector: Detector,
    pub(super) callers: Option<Box<Callers>>,
    pub(super) breaker: Breaker,
    /// Made when the first call is lost, for most endpoints of many never lose one.
    pub(super) ledger: Option<Box<Ledger>>,
    /// Since when there is one to be kept, where statistics are at work.
    pub(super) kept_since: Option<Nanos>,
    /// How many signs of health the judge has been told of.
    settled: u64,
    /// Made for the first alarm.
    pub(super) decisions: Option<Box<Decisions>>,
    enforce: EnforcePolicy,
    /// The last alarm that was noted down only.
    noted: Option<(Rule, Nanos)>,
    /// What is done by hand, if anything.
    pub(super) force: Option<Force>,
    /// Why alarms are not acted on, while they are not, and until when nobody is asked again.
    pub(super) held: Option<(Hold, Nanos)>,
    /// Of the evidence, calls that were late and may be answered yet, or were; and the rest of it.
    soft: u32,
    hard: u32,
    /// How many calls had gone well when the last was given up as late.
    good_at_loss: u64,
    /// An alarm that lacks proof.
    pressing: Option<Alarm>,
    /// When calls last began to flow: those begun before are of another time.
    pub(super) flowing: Nanos,
}

impl Signs {
    pub(super) fn new(
        rules: &Rules,
        breaker: &Arc<BreakerPolicy>,
        bank: impl FnOnce() -> Bank,
        alone: bool,
        now: Nanos,
        seed: u64,
    ) -> Self {
        Self {
            detector: Detector::new(&rules.health, bank),
            callers: rules.caller_share.map(|most| Box::new(Callers::new(most))),
            breaker: Breaker::new(Arc::clone(breaker), rules.enforced().health, alone, seed)
                .bearing(rules.tolerable.as_f64()),
            ledger: None,
            kept_since: rules.parts.stats.then_some(now),
            settled: 0,
            decisions: None,
            enforce: rules.enforced(),
            noted: None,
            force: None,
            held: None,
            soft: 0,
            hard: 0,
            good_at_loss: 0,
            pressing: None,
            flowing: Nanos::ZERO,
        }
    }

    pub(super) fn permit(&mut self, now: Nanos) -> (Result<Permit, Duration>, Option<EventKind>) {
        let (permit, change) = self.breaker.permit(now);
        if let (Ok(Permit { probe: true, .. }), Some(ledger)) = (&permit, &mut self.ledger) {
            ledger.probes();
        }
        (
            permit,
            change.map(|change| self.account(change, now, None, Rule::Health)),
        )
    }

    /// Tells the judge of the calls that went well since it was last told: `good` of them in all. None of those took a
    /// lock, and it is the same to the judge, for between two failures only their number counts.
    pub(super) fn settle(&mut self, good: u64) {
        if good > self.settled {
            self.detector.passed(good - self.settled);
            self.settled = good;
        }
        if self.detector.calm() {
            self.held = None;
            self.forget_proof();
            self.forget_callers();
            if let Some(ledger) = &mut self.ledger {
                ledger.calm();
            }
        }
    }

    /// Judge, act, account.
    pub(super) fn take(
        &mut self,
        permit: &Permit,
        now: Nanos,
        (outcome, given_up): (Outcome, bool),
        good: u64,
        set: &impl Set,
    ) -> Option<EventKind> {
        let judged = permit.generation == self.breaker.generation()
            && !self.breaker.is_down()
            && self.force != Some(Force::Disabled);
        if judged {
            self.settle(good);
        }
        if let Outcome::Failure(cause) = outcome {
            self.lost(permit.generation, cause);
        }
        let fact = Fact {
            started: permit.started,
            now,
            outcome,
        };
        let judged =
            judged && (outcome.sign() != Sign::Bad || self.admits(permit.seat.note.caller, set));
        if judged && outcome.sign() == Sign::Bad {
            self.weigh(outcome == Outcome::Late && !given_up);
        }
        let alarm = judged.then(|| self.detector.record(&fact)).flatten();
        let alarm = alarm.and_then(|alarm| self.proven(alarm, now, set));
        let alarm = match self.hear(alarm, Rule::Health, now, set) {
            Heard::Held(told) => return told,
            Heard::Act(alarm) => alarm,
        };
        let current = permit.generation == self.breaker.generation();
        if current && outcome.sign() == Sign::Bad && self.must_stay(now, set) {
            return None;
        }
        let change = self
            .breaker
            .follow(*permit, now, outcome.sign(), alarm.is_some())?;
        self.settled = self.settled.max(good);
        Some(self.account(change, now, alarm, Rule::Health))
    }

    /// A call of `caller`, begun at `started`, has grown too old, and is still under way.
    pub(super) fn overdue(
        &mut self,
        (started, caller): (Nanos, u8),
        now: Nanos,
        good: u64,
        set: &impl Set,
    ) -> Option<EventKind> {
        if started < self.flowing || self.force == Some(Force::Disabled) {
            return None;
        }
        if self.breaker.is_down() {
            if self.must_stay(now, set) {
                return None;
            }
            let change = self.breaker.overdue(now)?;
            return Some(self.account(change, now, None, Rule::Health));
        }
        let fact = Fact {
            started,
            now,
            outcome: Outcome::Late,
        };
        self.settle(good);
        if !self.admits(caller, set) {
            return None;
        }
        self.weigh(true);
        let alarm = self.detector.record(&fact)?;
        let alarm = self.proven(alarm, now, set)?;
        self.accuse(alarm, Rule::Health, now, set)
    }

    /// A call begun at `asked` is still under way.
    pub(super) fn waits(&mut self, asked: Nanos, now: Nanos, set: &impl Set) -> Option<EventKind> {
        if self.breaker.is_down() {
            return None;
        }
        let alarm = self.detector.wait(asked, now)?;
        self.accuse(alarm, Rule::Health, now, set)
    }

    /// A probe sent at `sent` ended so.
    pub(super) fn heard(
        &mut self,
        sent: Nanos,
        now: Nanos,
        outcome: Outcome,
        set: &impl Set,
    ) -> Option<EventKind> {
        let fact = Fact {
            started: sent,
            now,
            outcome,
        };
        let alarm = self.detector.probed(&fact)?;
        self.accuse(alarm, Rule::Health, now, set)
    }

    /// Is a failed call of this caller evidence?
    fn admits(&mut self, caller: u8, set: &impl Set) -> bool {
        let callers = self.callers.as_mut();
        callers.is_none_or(|callers| callers.admits(caller, set.callers()))
    }

    pub(super) fn forget_callers(&mut self) {
        if let Some(callers) = &mut self.callers {
            callers.forget();
        }
    }

    /// The next call may find out now whether it is well.
    pub(super) const fn hasten(&mut self, now: Nanos) {
        self.breaker.hasten(now);
    }

    pub(super) fn retarget(&mut self, bank: Bank) {
        self.detector.retarget(bank);
    }

    /// It comes to a set that was there before it.
    pub(super) fn join(&mut self, now: Nanos) {
        self.breaker.join(now);
    }

    pub(super) fn due(&self) -> Nanos {
        self.breaker.due()
    }

    pub(super) fn word(&self) -> Word {
        match self.force {
            Some(force) if force.withdraws() => {
                return Word::withdrawn(self.breaker.generation());
            }
            Some(Force::Disabled) => {
                return Word::disabled(self.breaker.generation());
            }
            _ => {}
        }
        Word::new(
            self.breaker.generation(),
            self.breaker.state(),
            self.breaker.share(),
            self.breaker.flows(),
            !self.breaker.is_down() && !self.detector.eager(),
        )
        .suspect(self.breaker.is_down() || !self.detector.calm())
    }
}
