//! How a call ends.

use super::State;
use crate::{Nanos, Outcome, Permit, Sign, sync::Ordering, vitals::shard::Shard};

impl State {
    /// The whole life of a fact: count, judge, act, tell.
    pub(in crate::vitals) fn record(
        &self,
        shard: &Shard,
        permit: &Permit,
        now: Nanos,
        outcome: Outcome,
    ) {
        shard.counters.finished(outcome);
        if permit.seat.holds {
            self.leave_after(shard, permit, now, outcome);
        }
        if self.is_picked() {
            self.front.load.end(now, now.since(permit.started), outcome);
            if outcome.sign() == Sign::Good {
                self.front.line.answered(permit.started, now);
            }
        }
        let found = permit.seat.place.is_some_and(|place| shard.leave(place));
        if let Outcome::Overload(hint) = outcome {
            self.turned_down(hint, now);
        }
        let took = self.learns(permit, now, outcome);
        let fact = self.weigh(permit, now, outcome, found);
        let record = self.record_of(permit.started, permit.seat.note, fact);
        self.keep(shard, permit.seat, record.filter(|_| !found), took);
        let (word, sign) = (self.word(), fact.sign());
        if outcome.sign() == Sign::Good {
            let late = found || sign == Sign::Bad;
            if late {
                self.answers_late(permit.started, now.since(permit.started));
            }
            if late || permit.generation != word.generation() {
                // Relaxed: it is read with the counters it corrects, which are no moment's truth either.
                self.discounted.fetch_add(1, Ordering::Relaxed);
            }
        }
        if found && !permit.probe {
            // Its age was evidence already; what is left is to say what it died of.
            match outcome {
                Outcome::Failure(cause) => self.update(|signs| {
                    signs.harden();
                    signs.lost(permit.generation, cause);
                }),
                // Given up unanswered, or so late that its age is proof.
                _ if self.is_lost(outcome) || self.is_proof(permit, now) => {
                    self.update(|signs| signs.harden());
                }
                _ => {}
            }
        } else if !word.unmoved_by(sign, permit) {
            let lost = self.is_lost(outcome);
            self.act(permit, now, (fact, lost), found);
        }
    }

    /// A fact that may change what is known. Apart from `record`, which most calls pass through unmoved.
    #[cold]
    fn act(&self, permit: &Permit, now: Nanos, (fact, lost): (Outcome, bool), found: bool) {
        if fact.sign() == Sign::Bad {
            self.found.failed(permit.started);
        }
        let change = self.update(|signs| signs.take(permit, now, (fact, lost), self.good(), self));
        self.tell(now, change);
        if permit.probe && (found || fact.sign() == Sign::Bad) {
            self.reconsider(now);
        }
        self.destination.observe(now);
    }
}
