//! What is learned of all endpoints together, and what follows from it.

use std::time::Duration;

use super::{Shared, learn, scene::Scene};
use crate::{
    EventKind, Nanos, PeersPolicy, Ratio, Rule, Tally, Verdict,
    peers::slower,
    sync::{Arc, Ordering, lock},
    vitals::VitalState,
};

/// A rate is suggested once an hour.
const SUGGEST_AGAIN: Duration = Duration::from_secs(3600);

/// A common cause that has not been seen for so long is over.
const COMMON_CAUSE_OVER: Duration = Duration::from_secs(10);

impl Shared {
    /// Learns what there is to learn. One load, most of the time. Nobody may hold an endpoint's lock meanwhile.
    pub(crate) fn observe(&self, now: Nanos) {
        // Relaxed: a hint. Beyond a day it was set by a clock that was set back.
        let at = Nanos::new(self.learn_at.load(Ordering::Relaxed));
        if now < at && at.since(now) < Duration::from_secs(86_400) {
            return;
        }
        self.callers.forget(now);
        let members = self.members();
        let Some(learned) = lock(&self.learn).observe(&members, now) else {
            return;
        };
        self.learn_at
            .store(now.after(learn::PERIOD).as_u64(), Ordering::Relaxed);
        if let (Some(usual), true) = (learned.usual, self.rules.parts.health) {
            let most = self
                .rules
                .timeout
                .map_or(Duration::MAX, |timeout| timeout / 2);
            self.norm.learned(usual, most);
        }
        if let Some(median) = learned.median {
            self.norm.set_median(median);
        }
        if let Some(failing) = learned.failing {
            self.suggest(failing, now);
        }
        if let Some(base) = learned.base {
            self.norm.set_base(base);
        }
        members.iter().for_each(|member| member.look_again(now));
        // Nobody tells when those that are out leave the set.
        if self.panicking.load(Ordering::Relaxed) {
            self.look_for_panic(now);
        }
        if learned.sweep && !members.iter().any(|member| member.is_keyed()) {
            self.compare(&members, learned.late, now);
        }
        let (Some(vigilance), Some(rate)) = (&self.vigilance, learned.rate) else {
            return;
        };
        let count = members.len().max(1);
        let bank = lock(vigilance).adapt(rate / count as f64, count, learned.late);
        if let Some(bank) = bank {
            // Asked for again: one may have been born meanwhile, under the thresholds of before.
            let members = self.members();
            members.iter().for_each(|member| member.retarget(bank));
        }
    }

    /// Were we asleep? Said once, of us and not of every endpoint.
    pub(crate) fn notice(&self, now: Nanos) {
        if let Some(pause) = self.norm.notice(now) {
            self.say(now, EventKind::Asleep(pause));
        }
    }

    /// A common cause is said once, and again when it has not been seen for a while.
    pub(crate) fn first_to_say_common_cause(&self, now: Nanos) -> bool {
        // Relaxed: two that say it at the same instant may both be first.
        let last = self
            .common_cause
            .swap(now.as_u64().max(1), Ordering::Relaxed);
        last == 0 || now.since(Nanos::new(last)) > COMMON_CAUSE_OVER
    }

    /// Where the fault is that was noticed at `detected`, on all that is known by now.
    pub(crate) fn look_at(
        &self,
        accused: &VitalState,
        since: Nanos,
        detected: Nanos,
        now: Nanos,
    ) -> Option<Verdict> {
        let members = self.members();
        let scene = Scene::of(self, Some(accused), &members, since, now);
        scene.noticed(detected).verdict()
    }

    /// Where a whole set lives above the tolerable rate, nobody is ejected for it, and nothing is detected either: says
    /// which rate to declare.
    fn suggest(&self, failing: f64, now: Nanos) {
        let common = self.common_cause.load(Ordering::Relaxed);
        let lasts = common > 0 && now.since(Nanos::new(common)) <= COMMON_CAUSE_OVER;
        let tolerable = self.rules.tolerable.as_f64();
        // Above a half it is an outage, and no rate to live with.
        if !lasts || failing <= tolerable || failing > 0.5 {
            return;
        }
        let last = self.suggested.load(Ordering::Relaxed);
        if last == 0 || now.since(Nanos::new(last)) > SUGGEST_AGAIN {
            self.suggested.store(now.as_u64().max(1), Ordering::Relaxed);
            // Half as much again, in tenths of a per cent: at the rate itself every other hour would be an alarm.
            let declare = Ratio::new(((failing * 1_500.0).ceil() / 1_000.0).min(0.5));
            let failing = Ratio::new(failing);
            self.say(now, EventKind::Intolerable { failing, declare });
        }
    }

    /// Compares its endpoints, and accuses those that stand out.
    fn compare(&self, members: &[Arc<VitalState>], late: f64, now: Nanos) {
        let (tallies, spreads): (Vec<Tally>, Vec<_>) =
            members.iter().map(|member| member.sweep()).unzip();
        let since = Nanos::new(now.as_u64().saturating_sub(learn::SWEEP.as_nanos() as u64));
        let tolerable = self.rules.tolerable.as_f64() + late;
        for index in self.rules.peers.outliers(&tallies, tolerable) {
            members[index].nominate(since, Rule::Peers, now);
        }
        if self.rules.peers != PeersPolicy::Off {
            for index in slower(&spreads) {
                members[index].nominate(since, Rule::Latency, now);
            }
        }
    }
}
