//! Whether an alarm is acted on: is it this endpoint that is ill, and can its set spare it?

use super::{Shared, scene::Scene};
use crate::{
    Nanos,
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
    /// We ourselves were asleep: what looks late was only read late.
    Ourselves,
    /// Most of the set fail together: the cause is shared, and nobody is better.
    CommonCause,
    /// Its peers fail as often in the same time.
    Peers,
    /// As many of the set are out as may be.
    Cap,
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
        if alarm.since < self.norm.resumed() {
            return Ruling::Hold(Hold::Ourselves);
        }
        let Some(endpoint) = accused.endpoint() else {
            return Ruling::Act;
        };
        let scene = Scene::of(accused, &self.members(), alarm.since, now);
        let tolerable = self.rules.tolerable.as_f64();
        if common_cause(scene.everyone(), tolerable) {
            return Ruling::Hold(Hold::CommonCause);
        }
        if explained(scene.own(), scene.others(), tolerable) {
            return Ruling::Hold(Hold::Peers);
        }
        if self.spares(endpoint.tier()) {
            Ruling::Act
        } else {
            Ruling::Hold(Hold::Cap)
        }
    }

    /// Takes one more of a priority out, if the set can bear it.
    fn spares(&self, priority: u32) -> bool {
        let members = self.members();
        let in_all = members.len();
        let priorities = members.iter().filter_map(|member| member.endpoint());
        let here = priorities.filter(|peer| peer.tier() == priority).count();
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
