//! What is written into the book of outages, and counted of what was decided.

use super::Signs;
use crate::{
    Cause, Decided, EventKind, Nanos, Rule, Verdict, breaker::Change, health::Alarm, stats::Ledger,
    sync::Arc,
};

impl Signs {
    /// A call was lost to `cause`: it belongs to the outage under way, or to the next one.
    pub(in crate::vitals) fn lost(&mut self, generation: u32, cause: Cause) {
        let believed = generation == self.breaker.generation();
        if (believed || self.breaker.is_down())
            && let Some(ledger) = self.ledger()
        {
            ledger.failure(cause);
        }
    }

    /// A probe was lost to `cause`.
    pub(in crate::vitals) fn lost_probe(&mut self, cause: Cause) {
        self.lost(self.breaker.generation(), cause);
    }

    pub(super) fn decided(&mut self, rule: Rule) -> &mut Decided {
        self.decisions.get_or_insert_default().of(rule)
    }

    /// The book of outages, where one is kept.
    pub(in crate::vitals) fn ledger(&mut self) -> Option<&mut Ledger> {
        let since = self.kept_since?;
        let ledger = &mut self.ledger;
        Some(ledger.get_or_insert_with(|| Box::new(Ledger::new(since))))
    }

    /// Writes a change of the breaker into the book of outages.
    pub(super) fn account(
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
    pub(in crate::vitals) fn diagnosed(&mut self, verdict: &Arc<Verdict>) {
        if let Some(ledger) = &mut self.ledger {
            ledger.diagnosed(verdict);
        }
    }
}
