//! Calls that grow too old while nobody asks for them.

use std::time::Duration;

use super::state::{IDLE, State};
use crate::{
    Nanos,
    sync::{Ordering, fence},
};

impl State {
    /// A call has begun: shall somebody look whether one has grown too old?
    pub(super) fn watch(&self, now: Nanos) {
        // SeqCst, after the call took its place (SeqCst too): whoever declares us idle looks at the places again
        // afterwards, so either it finds this call or we find its declaration.
        match self.look_at.load(Ordering::SeqCst) {
            IDLE => self.arm(now),
            at if now.as_u64() >= at => {
                self.look(now);
            }
            _ => {}
        }
    }

    pub(super) fn arm(&self, from: Nanos) {
        let patience = self.destination.norm.patience();
        if patience < Duration::MAX {
            self.look_at
                .store(from.after(patience).as_u64(), Ordering::SeqCst);
        }
    }

    /// Counts every call that has grown too old as evidence, once. Is there any call under way that may yet?
    pub(crate) fn look(&self, now: Nanos) -> bool {
        let at = self.look_at.load(Ordering::SeqCst);
        if at == IDLE {
            return false;
        }
        let norm = &self.destination.norm;
        let patience = norm.patience();
        // Beyond what could have been set: the clock was set back.
        let wrong = Nanos::new(at) > now.after(patience);
        if now.as_u64() < at && !wrong {
            return true;
        }
        let next = now.after(patience).as_u64();
        if self
            .look_at
            .compare_exchange(at, next, Ordering::SeqCst, Ordering::SeqCst)
            .is_err()
        {
            // Somebody else looks.
            return true;
        }
        self.destination.notice(now);
        if let Some(limit) = norm.limit(now) {
            self.find_overdue(limit, now);
        }
        if let Some(oldest) = self.presses(now) {
            let proven = oldest.max(norm.resumed()).after(self.proof(now));
            let soon = now.after(norm.interval());
            self.look_at
                .store(proven.clamp(now, soon).as_u64(), Ordering::SeqCst);
            return true;
        }
        if let Some(oldest) = self.oldest(now) {
            self.listen(oldest.max(norm.resumed()), now);
            self.arm(if patience < norm.age() {
                now
            } else {
                oldest.max(norm.resumed()).min(now)
            });
            return true;
        }
        self.look_at.store(IDLE, Ordering::SeqCst);
        // One that began meanwhile has not seen the declaration; see `watch`.
        match self.oldest(now) {
            Some(oldest) => {
                self.arm(oldest.min(now));
                true
            }
            None => false,
        }
    }

    /// Is there an alarm that lacks proof, and a call under way that may give it yet? Since when that is.
    fn presses(&self, now: Nanos) -> Option<Nanos> {
        if !self.pressing.load(Ordering::Relaxed) {
            return None;
        }
        let change = self.update(|signs| signs.press(now, self));
        self.tell(now, change);
        let lacks = self.pressing.load(Ordering::Relaxed);
        self.oldest_overdue().filter(|_| lacks)
    }

    /// The start of the oldest call under way that was found overdue.
    pub(super) fn oldest_overdue(&self) -> Option<Nanos> {
        let starts = self.shards();
        starts.filter_map(|shard| shard.oldest_overdue()).min()
    }

    /// Silence may be evidence, while somebody waits for an answer.
    pub(super) fn listen(&self, asked: Nanos, now: Nanos) {
        if self.word().flows() && !self.word().calm() {
            let change = self.update(|signs| signs.waits(asked, now, self));
            self.tell(now, change);
        }
    }

    /// Is there any call under way that may yet grow too old?
    pub(crate) fn is_waiting(&self, now: Nanos) -> bool {
        self.oldest(now).is_some()
    }

    pub(super) fn find_overdue(&self, limit: Nanos, now: Nanos) {
        for (lane, shard) in self.shards_by_lane() {
            shard.find(limit, |started, note| {
                self.write_late(shard, lane, started, note);
                self.late.fetch_add(1, Ordering::Relaxed);
                let word = self.word();
                // Whatever the rule: a call that was found is not judged again when it ends.
                if word.flows() || word.state() == crate::BreakerState::Ramping {
                    // What it waited for us before our pause ended is not held against it.
                    let started = started.max(self.destination.norm.resumed());
                    let change = self.update(|signs| {
                        signs.overdue((started, note.caller), now, self.good(), self)
                    });
                    self.tell(now, change);
                }
            });
        }
    }

    /// The start of the oldest call under way that was not found overdue.
    pub(super) fn oldest(&self, now: Nanos) -> Option<Nanos> {
        // SeqCst: between what was declared and the list of lanes, whose cells are not. Either we see a lane, or its first
        // call, which comes after the fence of `Lanes::lane`, finds the declaration.
        fence(Ordering::SeqCst);
        let starts = self
            .shards()
            .filter_map(|shard| shard.find(Nanos::ZERO, |_, _| {}));
        starts.min().map(|start| start.min(now))
    }
}
