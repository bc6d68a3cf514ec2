//! What it says of an endpoint that a call takes too long.

use std::time::Duration;

use super::State;
use crate::{Cause, Nanos, Outcome, Permit, sync::Ordering};

impl State {
    /// A call begun at `started` is given up, for another one was answered first. It is late if healthy calls would have been answered
    /// by now: else what another answers soon enough would hide who never does.
    pub(in crate::vitals) fn overtaken(&self, started: Nanos, now: Nanos) -> Outcome {
        // Late or not: whoever solves the delay of hedges must know of those that it is for. Relaxed: a counter orders nothing.
        self.overtaken.fetch_add(1, Ordering::Relaxed);
        self.dropped.count(now);
        if self.destination.rules.parts.health && self.destination.norm.is_late(started, now) {
            Outcome::Late
        } else {
            Outcome::Cancelled
        }
    }

    /// What a call's end says about the endpoint, its age considered, and our own pauses.
    pub(super) fn weigh(
        &self,
        permit: &Permit,
        now: Nanos,
        outcome: Outcome,
        found: bool,
    ) -> Outcome {
        if !self.destination.rules.parts.health {
            return outcome;
        }
        let norm = &self.destination.norm;
        match outcome {
            Outcome::Success | Outcome::CallerFault if norm.is_late(permit.started, now) => {
                self.weigh_late(permit, now, outcome, found)
            }
            Outcome::Failure(Cause::Timeout) => self.weigh_timeout(permit, now, outcome),
            _ => outcome,
        }
    }

    #[cold]
    fn weigh_late(&self, permit: &Permit, now: Nanos, outcome: Outcome, found: bool) -> Outcome {
        if self.must_bear(permit) {
            let norm = &self.destination.norm;
            self.answers_late(permit.started, now.since(permit.started));
            norm.bear(norm.waited(permit.started, now));
            return outcome;
        }
        // A probe found late is judged when it ends, for only then it decides.
        if found && !permit.probe {
            return outcome;
        }
        self.late.fetch_add(u64::from(!found), Ordering::Relaxed);
        Outcome::Late
    }

    /// We slept: our timer fired late, and their answer may lie unread.
    #[cold]
    fn weigh_timeout(&self, permit: &Permit, now: Nanos, outcome: Outcome) -> Outcome {
        self.destination.notice(now);
        let norm = &self.destination.norm;
        match self.destination.rules.timeout {
            // A pause that is a good part of the timeout. Many short ones are a busy machine, and no excuse for whoever
            // never answers.
            Some(timeout)
                if norm.slept() >= timeout / 4
                    && norm.waited(permit.started, now) < timeout.mul_f64(0.9) =>
            {
                Outcome::Cancelled
            }
            _ => outcome,
        }
    }

    /// Was it called on its way back, and is there nobody else? Then an answer is what matters, however slow: what is slower
    /// for good would never come back.
    fn must_bear(&self, permit: &Permit) -> bool {
        let word = self.word();
        self.endpoint.is_none()
            && permit.generation == word.generation()
            && matches!(
                word.state(),
                crate::BreakerState::HalfOpen | crate::BreakerState::Ramping
            )
    }

    /// So late a call has to be to prove now that late calls stand in no queue.
    pub(in crate::vitals) fn proof(&self, now: Nanos) -> Duration {
        self.destination.norm.proof(self.is_at_work(now))
    }

    /// Has it answered a call of late? Of one alone nobody knows.
    fn is_at_work(&self, now: Nanos) -> bool {
        self.endpoint.is_some() && !self.is_silent(now)
    }

    /// Has it answered nothing for so long that no queue explains it?
    fn is_silent(&self, now: Nanos) -> bool {
        self.front.line.quiet(now) >= self.destination.norm.idle()
    }

    /// Do calls to it hang while it is silent? Then all that lacks is as many of them as a detector needs: whoever picks must not shun it yet
    /// for those that hang.
    pub(crate) fn is_in_doubt(&self, now: Nanos) -> bool {
        self.word().is_suspect()
            && self.is_silent(now)
            && self.glance().tells_little()
            && self.hangs()
    }

    /// Was its last call lost, or is one under way that is late?
    fn hangs(&self) -> bool {
        self.glance().has_failed() || self.oldest_overdue().is_some()
    }

    /// Was it so late that no queue of calls that go well explains it?
    pub(super) fn is_proof(&self, permit: &Permit, now: Nanos) -> bool {
        let norm = &self.destination.norm;
        norm.waited(permit.started, now) >= self.proof(now)
    }

    /// Was a call given up as late that will not be answered? Of a server that has answered since it lost the last it may stand in a queue.
    pub(super) fn is_lost(&self, outcome: Outcome) -> bool {
        if outcome != Outcome::Late {
            return false;
        }
        let good = self.good();
        self.update(|signs| signs.answered_nothing_since(good))
    }

    /// What was asked at `asked` was answered, though too late: what is slow is not dead.
    pub(in crate::vitals) fn answers_late(&self, asked: Nanos, after: Duration) {
        let [started, took] = &self.late_answer;
        // Relaxed: two words that may belong to two calls, both of them late.
        took.store(after.as_nanos() as u64, Ordering::Relaxed);
        started.store(asked.as_u64(), Ordering::Relaxed);
    }

    /// How long a late call took that began at `since` or after and was answered.
    pub(crate) fn late_answer_since(&self, since: Nanos) -> Option<Duration> {
        let [started, took] = &self.late_answer;
        (started.load(Ordering::Relaxed) >= since.as_u64().max(1))
            .then(|| Duration::from_nanos(took.load(Ordering::Relaxed)))
    }
}
