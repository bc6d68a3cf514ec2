//! Whether an alarm about calls that are only late is proven.

use super::{Set, Signs};
use crate::{EventKind, Nanos, Rule, health::Alarm};

impl Signs {
    /// One more failed call; `soft` if it is only late.
    pub(super) fn weigh(&mut self, soft: bool) {
        let count = if soft { &mut self.soft } else { &mut self.hard };
        *count = count.saturating_add(1);
    }

    /// One more call is given up as late, and so many have gone well. As many as when the last was?
    pub(in crate::vitals) const fn answered_nothing_since(&mut self, good: u64) -> bool {
        std::mem::replace(&mut self.good_at_loss, good) == good
    }

    /// A call that was found late was lost in the end.
    pub(in crate::vitals) const fn harden(&mut self) {
        self.hard = self.hard.saturating_add(1);
    }

    /// An alarm that is about late calls has to be proven: one long call makes those late that stand in line behind it, ten of
    /// them at once perhaps, and says nothing.
    pub(super) fn proven(&mut self, alarm: Alarm, now: Nanos, set: &impl Set) -> Option<Alarm> {
        if self.soft <= self.hard || set.proves_late(alarm.since, now) {
            self.pressing = None;
            return Some(alarm);
        }
        self.pressing = Some(alarm);
        None
    }

    /// Is there an alarm that lacks proof?
    pub(in crate::vitals) const fn is_pressing(&self) -> bool {
        self.pressing.is_some()
    }

    /// Time has passed, and calls are still under way. Is it proven now?
    pub(in crate::vitals) fn press(&mut self, now: Nanos, set: &impl Set) -> Option<EventKind> {
        let alarm = self.pressing.take()?;
        if self.detector.calm() || self.breaker.is_down() {
            return None;
        }
        let alarm = self.proven(alarm, now, set)?;
        self.accuse(alarm, Rule::Health, now, set)
    }

    pub(in crate::vitals) const fn forget_proof(&mut self) {
        (self.soft, self.hard, self.pressing) = (0, 0, None);
    }
}
