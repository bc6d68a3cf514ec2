//! What changes only when something happens: the judge, the breaker, the book of outages.

use std::time::Duration;

use super::{Force, Rules, callers::Callers, word::Word};
use crate::{
    Cause, Decisions, EventKind, Nanos, Outcome, Permit, Sign, Verdict,
    breaker::{Breaker, Change},
    destination::{Hold, Ruling},
    health::{Alarm, Bank, Detector, Fact},
    stats::Ledger,
    sync::Arc,
};

/// How long a ruling that nothing is to be done stands.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// What the others have to say before an endpoint is acted on.
pub(super) trait Set {
    /// What becomes of an alarm.
    fn rule(&self, alarm: &Alarm, now: Nanos) -> Ruling;

    /// May one that was let back in go out again?
    fn spares(&self) -> bool;
}

#[derive(Debug)]
pub(super) struct Signs {
    pub(super) detector: Detector,
    pub(super) callers: Callers,
    pub(super) breaker: Breaker,
    /// Kept where statistics are at work.
    pub(super) ledger: Option<Ledger>,
    /// How many signs of health the judge has been told of.
    settled: u64,
    pub(super) decisions: Decisions,
    /// What is done by hand, if anything.
    pub(super) force: Option<Force>,
    /// Why alarms are not acted on, while they are not, and until when nobody is asked again.
    pub(super) held: Option<(Hold, Nanos)>,
    /// When calls last began to flow: those begun before are of another time.
    pub(super) flowing: Nanos,
}

/// What became of a fact that may have been an alarm.
enum Heard {
    Act(Option<Alarm>),
    Held(Option<EventKind>),
}

impl Signs {
    pub(super) fn new(
        rules: &Rules,
        bank: impl FnOnce() -> Bank,
        alone: bool,
        now: Nanos,
        seed: u64,
    ) -> Self {
        Self {
            detector: Detector::new(&rules.health, bank),
            callers: Callers::new(rules.caller_share),
            breaker: Breaker::new(rules.breaker, rules.enforced(), alone, seed),
            ledger: rules.parts.stats.then(|| Ledger::new(now)),
            settled: 0,
            decisions: Decisions::default(),
            force: None,
            held: None,
            flowing: Nanos::ZERO,
        }
    }

    pub(super) fn permit(&mut self, now: Nanos) -> (Result<Permit, Duration>, Option<EventKind>) {
        let (permit, change) = self.breaker.permit(now);
        (permit, change.map(|change| self.account(change, now, None)))
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
            self.callers.forget();
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
        outcome: Outcome,
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
            judged && (outcome.sign() != Sign::Bad || self.callers.admits(permit.seat.caller));
        let alarm = judged.then(|| self.detector.record(&fact)).flatten();
        let alarm = match self.hear(alarm, now, set) {
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
        Some(self.account(change, now, alarm))
    }

    /// A call begun at `started` has grown too old, and is still under way.
    pub(super) fn overdue(
        &mut self,
        started: Nanos,
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
            return Some(self.account(change, now, None));
        }
        let fact = Fact {
            started,
            now,
            outcome: Outcome::Late,
        };
        self.settle(good);
        let alarm = self.detector.record(&fact)?;
        self.accuse(alarm, now, set)
    }

    /// There is enough evidence since `alarm`, though no call has ended.
    pub(super) fn accuse(&mut self, alarm: Alarm, now: Nanos, set: &impl Set) -> Option<EventKind> {
        match self.hear(Some(alarm), now, set) {
            Heard::Held(told) => told,
            Heard::Act(alarm) => {
                let change = self.breaker.alarmed(now)?;
                Some(self.account(change, now, alarm))
            }
        }
    }

    /// Is it on the way back, about to be opened again, and not to be spared? Then it is borne.
    fn must_stay(&mut self, now: Nanos, set: &impl Set) -> bool {
        let stays = self.breaker.on_the_brink() && !set.spares();
        if stays {
            self.breaker.stay(now);
        }
        stays
    }

    /// Is an alarm acted on?
    fn hear(&mut self, alarm: Option<Alarm>, now: Nanos, set: &impl Set) -> Heard {
        let Some(alarm) = alarm else {
            return Heard::Act(None);
        };
        if self.held.is_some_and(|(_, until)| now < until) {
            return Heard::Held(None);
        }
        // By hand nothing is done about it; it is noted down as what would have been done.
        if self.force.is_some() {
            let first = self.held.is_none();
            self.held = Some((Hold::ByHand, now.after(ASK_AGAIN)));
            self.decisions.unenforced += u64::from(first);
            return Heard::Held(first.then_some(EventKind::Held(Hold::ByHand)));
        }
        let Ruling::Hold(why) = set.rule(&alarm, now) else {
            self.held = None;
            return Heard::Act(Some(alarm));
        };
        if why == Hold::Ourselves {
            self.detector.reset();
        }
        let told = self.held.is_none_or(|(before, _)| before != why);
        self.held = Some((why, now.after(ASK_AGAIN)));
        if !told {
            return Heard::Held(None);
        }
        if why == Hold::Cap {
            self.decisions.overflow += 1;
        } else {
            self.decisions.held += 1;
        }
        Heard::Held(Some(EventKind::Held(why)))
    }

    /// A call begun at `asked` is still under way.
    pub(super) fn waits(&mut self, asked: Nanos, now: Nanos, set: &impl Set) -> Option<EventKind> {
        if self.breaker.is_down() {
            return None;
        }
        let alarm = self.detector.wait(asked, now)?;
        self.accuse(alarm, now, set)
    }

    /// A call was lost to `cause`: it belongs to the outage under way, or to the next one.
    pub(super) const fn lost(&mut self, generation: u32, cause: Cause) {
        let believed = generation == self.breaker.generation();
        if let Some(ledger) = &mut self.ledger
            && (believed || self.breaker.is_down())
        {
            ledger.failure(cause);
        }
    }

    /// Writes a change of the breaker into the book of outages.
    fn account(&mut self, change: Change, now: Nanos, alarm: Option<Alarm>) -> EventKind {
        let (kind, entry): (_, fn(&mut Ledger, Nanos, Nanos)) = match (change, alarm) {
            (Change::Opened(wait), Some(Alarm { since })) => {
                self.detector.reset();
                if self.breaker.flows() {
                    self.decisions.unenforced += 1;
                } else {
                    self.decisions.enforced += 1;
                }
                (EventKind::Opened { wait, since }, |ledger, since, now| {
                    ledger.broke(since, now)
                })
            }
            (Change::Opened(wait), None) => (EventKind::Reopened { wait }, |ledger, _, _| {
                ledger.relapsed()
            }),
            (Change::Probing, _) => (EventKind::Probing, |_, _, _| ()),
            (Change::FirstGood, _) => (EventKind::FirstGood, |ledger, _, now| ledger.repaired(now)),
            (Change::Ramping, _) => {
                self.flowing = now;
                (EventKind::Ramping, |_, _, _| ())
            }
            (Change::Closed, _) => {
                self.flowing = now;
                (EventKind::Closed, |ledger, _, now| ledger.restored(now))
            }
        };
        if let Some(ledger) = &mut self.ledger {
            entry(ledger, alarm.map_or(now, |alarm| alarm.since), now);
        }
        kind
    }

    /// Says where the fault of the current outage is.
    pub(super) fn diagnosed(&mut self, verdict: &Arc<Verdict>) {
        if let Some(ledger) = &mut self.ledger {
            ledger.diagnosed(verdict);
        }
    }

    /// The next call may find out now whether it is well.
    pub(super) const fn hasten(&mut self, now: Nanos) {
        self.breaker.hasten(now);
    }

    /// A probe was lost to `cause`.
    pub(super) const fn lost_probe(&mut self, cause: Cause) {
        self.lost(self.breaker.generation(), cause);
    }

    pub(super) fn retarget(&mut self, bank: Bank) {
        self.detector.retarget(bank);
    }

    /// It comes to a set that was there before it.
    pub(super) fn join(&mut self, now: Nanos) {
        self.breaker.join(now);
    }

    pub(super) const fn due(&self) -> Nanos {
        self.breaker.due()
    }

    pub(super) const fn word(&self) -> Word {
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
    }
}
