//! So few of a set usable that its health no longer says whom to ask: Envoy's panic mode.

use super::Shared;
use crate::{BreakerState, EventKind, Nanos, sync::Ordering};

/// A set of which too few are usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PanicMode {
    /// How many take calls.
    pub usable: usize,
    /// Of how many.
    pub known: usize,
}

impl Shared {
    /// Is some priority of the set in panic? Counts its members; not for every call.
    pub(crate) fn panic(&self) -> Option<PanicMode> {
        let members = self.members();
        let mut priorities: Vec<u32> = members.iter().filter_map(|member| member.tier()).collect();
        priorities.sort_unstable();
        priorities.dedup();
        priorities.into_iter().find_map(|priority| {
            let here = members
                .iter()
                .filter(|member| member.tier() == Some(priority));
            let known = here.clone().count();
            let usable = here
                .filter(|member| {
                    matches!(member.state(), BreakerState::Closed | BreakerState::Ramping)
                })
                .count();
            (known > 1 && self.rules.ejection.panics(known, usable))
                .then_some(PanicMode { usable, known })
        })
    }

    /// Says when panic begins and when it is over.
    pub(crate) fn look_for_panic(&self, now: Nanos) {
        let panic = self.panic();
        // Relaxed: two that change at once may both say so, the last of them rightly.
        let before = self.panicking.swap(panic.is_some(), Ordering::Relaxed);
        match panic {
            Some(PanicMode { usable, known }) if !before => {
                self.say(now, EventKind::Panic { usable, known });
            }
            None if before => self.say(now, EventKind::PanicOver),
            _ => {}
        }
    }
}
