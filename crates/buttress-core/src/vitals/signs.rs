//! What changes only when something happens: the judge, the breaker, the book of outages.

use std::time::Duration;

use super::{Force, Rules, callers::Callers, word::Word};
use crate::{
    BreakerPolicy, Cause, Decided, Decisions, Enforce, EnforcePolicy, EventKind, Nanos, Outcome,
    Permit, Rule, Sign, Verdict,
    breaker::{Breaker, Change},
    destination::{Hold, Ruling},
    health::{Alarm, Bank, Detector, Fact},
    stats::Ledger,
    sync::Arc,
};

/// How long a ruling that nothing is to be done stands.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// A pause of so long is no hiccup of a busy machine.
const LONG_PAUSE: Duration = Duration::from_millis(500);

/// An alarm that is raised again within so long, three comparisons of peers, is the same.
const LASTS: Duration = Duration::from_secs(30);

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

/// What became of a fact that may have been an alarm.
enum Heard {
    Act(Option<Alarm>),
    Held(Option<EventKind>),
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

    /// One more failed call; `soft` if it is only late.
    fn weigh(&mut self, soft: bool) {
        let count = if soft { &mut self.soft } else { &mut self.hard };
        *count = count.saturating_add(1);
    }

    /// One more call is given up as late, and so many have gone well. As many as when the last was?
    pub(super) const fn answered_nothing_since(&mut self, good: u64) -> bool {
        std::mem::replace(&mut self.good_at_loss, good) == good
    }

    /// A call that was found late was lost in the end.
    pub(super) const fn harden(&mut self) {
        self.hard = self.hard.saturating_add(1);
    }

    /// An alarm that is about late calls has to be proven: one long call makes those late that stand in line behind it, ten of
    /// them at once perhaps, and says nothing.
    fn proven(&mut self, alarm: Alarm, now: Nanos, set: &impl Set) -> Option<Alarm> {
        if self.soft <= self.hard || set.proves_late(alarm.since, now) {
            self.pressing = None;
            return Some(alarm);
        }
        self.pressing = Some(alarm);
        None
    }

    /// Is there an alarm that lacks proof?
    pub(super) const fn is_pressing(&self) -> bool {
        self.pressing.is_some()
    }

    /// Time has passed, and calls are still under way. Is it proven now?
    pub(super) fn press(&mut self, now: Nanos, set: &impl Set) -> Option<EventKind> {
        let alarm = self.pressing.take()?;
        if self.detector.calm() || self.breaker.is_down() {
            return None;
        }
        let alarm = self.proven(alarm, now, set)?;
        self.accuse(alarm, Rule::Health, now, set)
    }

    pub(super) const fn forget_proof(&mut self) {
        (self.soft, self.hard, self.pressing) = (0, 0, None);
    }

    /// There is enough evidence since `alarm`, by `rule`.
    pub(super) fn accuse(
        &mut self,
        alarm: Alarm,
        rule: Rule,
        now: Nanos,
        set: &impl Set,
    ) -> Option<EventKind> {
        let acts = self.breaker.draws(self.enforce.of(rule));
        // Asked again, its set would spare it twice, and have one place fewer for good.
        if self.breaker.is_down() && !(acts && self.breaker.is_watching()) {
            return None;
        }
        // One rule's dry run must not keep another from judging.
        if !acts && rule != Rule::Health && self.enforce.health != Enforce::OFF {
            return self.note(rule, now);
        }
        match self.hear(Some(alarm), rule, now, set) {
            Heard::Held(told) => told,
            Heard::Act(alarm) => {
                let change = self.breaker.alarmed(now, acts)?;
                Some(self.account(change, now, alarm, rule))
            }
        }
    }

    /// An alarm of a rule that is not enforced: counted once while it lasts.
    fn note(&mut self, rule: Rule, now: Nanos) -> Option<EventKind> {
        let before = self.noted.replace((rule, now));
        let lasts = |(one, at)| one == rule && now.since(at) < LASTS;
        if before.is_some_and(lasts) {
            return None;
        }
        self.decided(rule).unenforced += 1;
        Some(EventKind::Held(Hold::DryRun(rule)))
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
    fn hear(&mut self, alarm: Option<Alarm>, rule: Rule, now: Nanos, set: &impl Set) -> Heard {
        let Some(alarm) = alarm else {
            return Heard::Act(None);
        };
        // Beyond what could have been set: the clock was set back.
        if self
            .held
            .is_some_and(|(_, until)| now < until && until <= now.after(ASK_AGAIN))
        {
            return Heard::Held(None);
        }
        // By hand nothing is done about it; it is noted down as what would have been done.
        if self.force.is_some() {
            return Heard::Held(self.hold(Hold::ByHand, rule, now));
        }
        let Ruling::Hold(why) = set.rule(&alarm, now) else {
            self.held = None;
            return Heard::Act(Some(alarm));
        };
        // What a long pause brought together is forgotten. After a short one it is kept: if it goes on, it will soon be more
        // than the pause explains.
        if why == Hold::Ourselves && now.since(alarm.since) > LONG_PAUSE {
            self.detector.reset();
            self.forget_proof();
        }
        Heard::Held(self.hold(why, rule, now))
    }

    /// An alarm is not acted on: counted, and told, when that is news.
    fn hold(&mut self, why: Hold, rule: Rule, now: Nanos) -> Option<EventKind> {
        let known = self.held.is_some_and(|(before, _)| before == why);
        self.held = Some((why, now.after(ASK_AGAIN)));
        if known {
            return None;
        }
        let decided = self.decided(rule);
        match why {
            Hold::ByHand => decided.unenforced += 1,
            Hold::Cap => decided.overflow += 1,
            _ => decided.held += 1,
        }
        Some(EventKind::Held(why))
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

    /// A call was lost to `cause`: it belongs to the outage under way, or to the next one.
    pub(super) fn lost(&mut self, generation: u32, cause: Cause) {
        let believed = generation == self.breaker.generation();
        if (believed || self.breaker.is_down())
            && let Some(ledger) = self.ledger()
        {
            ledger.failure(cause);
        }
    }

    fn decided(&mut self, rule: Rule) -> &mut Decided {
        self.decisions.get_or_insert_default().of(rule)
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

    /// The book of outages, where one is kept.
    pub(super) fn ledger(&mut self) -> Option<&mut Ledger> {
        let since = self.kept_since?;
        let ledger = &mut self.ledger;
        Some(ledger.get_or_insert_with(|| Box::new(Ledger::new(since))))
    }

    /// Writes a change of the breaker into the book of outages.
    fn account(
        &mut self,
        change: Change,
        now: Nanos,
        alarm: Option<Alarm>,
        rule: Rule,
    ) -> EventKind {
        let (kind, entry): (_, fn(&mut Ledger, Nanos, Nanos)) = match (change, alarm) {
            (Change::Opened(wait), Some(Alarm { since })) => {
                self.detector.reset();
                self.forget_proof();
                let watched = self.breaker.flows();
                let decided = self.decided(rule);
                if watched {
                    decided.unenforced += 1;
                } else {
                    decided.enforced += 1;
                }
                let by = rule;
                (
                    EventKind::Opened { wait, since, by },
                    |ledger, since, now| ledger.broke(since, now),
                )
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
        if let Some(ledger) = self.ledger() {
            entry(ledger, alarm.map_or(now, |alarm| alarm.since), now);
            if let Change::Opened(wait) = change {
                ledger.waits(wait);
            }
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
    pub(super) fn lost_probe(&mut self, cause: Cause) {
        self.lost(self.breaker.generation(), cause);
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
