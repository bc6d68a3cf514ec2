//! Whether an alarm is acted on: is it this endpoint that is ill, and can its set spare it?

use super::{Shared, scene::Scene};
use crate::{
    Nanos, Place, Rule, Verdict,
    health::Alarm,
    peers::{common_cause, explained},
    sync::lock,
    vitals::VitalState,
};

/// Why an alarm is not acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Hold {
    /// Somebody has said by hand that nothing is to be done.
    ByHand,
    /// The rule that raised it is not enforced.
    DryRun(Rule),
    /// We ourselves were asleep: what looks late was only read late.
    Ourselves,
    /// One route or method fails, wherever it is called: no endpoint is to blame.
    Route,
    /// Most of the set fail together: the cause is shared, and nobody is better.
    CommonCause,
    /// Its peers fail as often in the same time.
    Peers,
    /// As many of the set are out as may be.
    Cap,
}

/// From this probability on a fault is a route's: what the verdict calls probable.
const PROBABLE: f64 = 0.75;

/// Slowness that is everybody's is a load that is too much for all of them: whoever is taken out for it leaves the others with more.
fn of_all(verdict: &Verdict) -> bool {
    verdict.probability >= PROBABLE && verdict.place == Place::Everything
}

fn of_a_route(verdict: &Verdict) -> bool {
    verdict.probability >= PROBABLE && matches!(verdict.place, Place::Route(_) | Place::Method(_))
}

/// What becomes of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    Act,
    Hold(Hold),
}

impl Shared {
    /// Rules on an alarm of `accused`. An endpoint that is acted on is out until [`back`](Self::back) is called.
    pub(crate) fn rule(&self, accused: &VitalState, alarm: &Alarm, now: Nanos) -> Ruling {
        // A pause that is a good part of the trouble. Short ones come again and again on a busy machine, or where a runtime
        // runs only now and then, and would excuse whoever fails in between for ever.
        let trouble = now.since(alarm.since);
        if alarm.since < self.norm.resumed() && self.norm.slept() >= trouble / 2 {
            return Ruling::Hold(Hold::Ourselves);
        }
        let members = self.members();
        let scene = Scene::of(self, Some(accused), &members, alarm.since, now);
        let verdict = scene.verdict();
        let of_a_route = verdict.as_ref().is_some_and(of_a_route);
        let of_all = verdict.as_ref().is_some_and(of_all);
        accused.judged(verdict);
        if of_a_route {
            return Ruling::Hold(Hold::Route);
        }
        let Some(tier) = accused.tier() else {
            return Ruling::Act;
        };
        let tolerable = self.rules.tolerable.as_f64();
        let tallies = scene.tallies();
        let (own, others) = tallies
            .split_first()
            .map_or_else(Default::default, |(own, others)| (*own, others));
        if common_cause(&tallies, tolerable) || of_all && scene.first_is_only_slow() {
            return Ruling::Hold(Hold::CommonCause);
        }
        if explained(own, others, tolerable) {
            return Ruling::Hold(Hold::Peers);
        }
        if self.spares(tier) {
            accused.goes_out();
            Ruling::Act
        } else {
            Ruling::Hold(Hold::Cap)
        }
    }

    /// Takes one more of a priority out, if the set can bear it.
    pub(crate) fn spares(&self, priority: u32) -> bool {
        let members = self.members();
        let tiers = || members.iter().filter_map(|member| member.tier());
        let in_all = tiers().count();
        let here = tiers().filter(|tier| *tier == priority).count();
        // One lock for counting and taking: two that fail at once are not both spared on the same count.
        let mut out = lock(&self.out);
        let out_here = out.iter().filter(|tier| **tier == priority).count();
        let usable_elsewhere = (in_all - here).saturating_sub(out.len() - out_here);
        let spared = self.rules.ejection.admits(here, out_here, usable_elsewhere);
        if spared {
            out.push(priority);
        }
        spared
    }

    /// One that is out is of this priority now.
    pub(crate) fn out_too(&self, priority: u32) {
        lock(&self.out).push(priority);
    }

    /// One that was out is back, or gone.
    pub(crate) fn back(&self, priority: u32) {
        let mut out = lock(&self.out);
        if let Some(index) = out.iter().position(|tier| *tier == priority) {
            out.swap_remove(index);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
mod loom;
