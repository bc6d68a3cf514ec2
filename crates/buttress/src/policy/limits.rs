//! What a policy says about time.

use std::time::Duration;

use buttress_core::{Call, Nanos};

use crate::{ambient::Around, terms::Terms};

/// What a policy says about time, in nanoseconds: `u64::MAX` where it says nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) deadline: u64,
    pub(crate) attempt: u64,
    /// Is what requests ask for heeded, and what they are a part of?
    pub(super) heed: bool,
    /// Is the endpoint told how long is waited for it?
    pub(crate) tell: bool,
    /// How long a call waits for a place under the limit, if it does.
    pub(crate) wait: Option<Duration>,
}

impl Limits {
    /// What refuses nothing does not heed, unless its policy has limits of its own.
    pub(crate) const fn heeding(mut self, heed: bool) -> Self {
        self.heed = heed || self.deadline < u64::MAX || self.attempt < u64::MAX;
        self
    }

    /// What a call that begins at `now` is held to.
    #[inline]
    pub(crate) fn terms(&self, now: Nanos, call: impl FnOnce() -> Call) -> Terms {
        if self.heed {
            Terms::part_of(Around::here()).begun(self, &call(), now)
        } else {
            Terms::part_of(Around::NOTHING)
        }
    }
}
