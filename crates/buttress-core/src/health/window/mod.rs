//! What a rule remembers of the calls that ended lately.

mod count;
mod time;

#[cfg(test)]
mod tests;

use crate::{Nanos, Origin, Outcome, Window};
use count::CountWindow;
use time::TimeWindow;

/// What may speak against a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It failed on our side of the wire.
    Local,
    /// It failed on theirs.
    Remote,
    /// It was slow, however it went.
    Slow,
}

/// One ended call, as windows take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) started: Nanos,
    pub(super) ended: Nanos,
    pub(super) flaws: Flaws,
}

/// What speaks against one call: a set of [`Flaw`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flaws([bool; 3]);

impl Flaws {
    pub(super) const fn of(outcome: Outcome, slow: bool) -> Self {
        let (local, remote) = match outcome.origin() {
            Some(Origin::Local) => (true, false),
            Some(Origin::Remote) => (false, true),
            None => (false, false),
        };
        Self([local, remote, slow])
    }

    pub(super) const fn has(self, flaw: Flaw) -> bool {
        self.0[flaw as usize]
    }

    pub(super) const fn none(self) -> bool {
        matches!(self.0, [false, false, false])
    }
}

/// How many calls a window holds, and how many with each flaw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) calls: u64,
    flawed: [u64; 3],
}

impl Tally {
    pub(super) const fn of(&self, flaw: Flaw) -> u64 {
        self.flawed[flaw as usize]
    }

    /// Failed calls, wherever they failed.
    pub(super) const fn failed(&self) -> u64 {
        self.of(Flaw::Local).saturating_add(self.of(Flaw::Remote))
    }

    /// Nothing speaks against any call.
    pub(super) const fn clean(&self) -> bool {
        matches!(self.flawed, [0, 0, 0])
    }

    fn add(&mut self, flaws: Flaws) {
        for (count, flawed) in self.flawed.iter_mut().zip(flaws.0) {
            *count = count.saturating_add(u64::from(flawed));
        }
    }

    fn remove(&mut self, flaws: Flaws) {
        for (count, flawed) in self.flawed.iter_mut().zip(flaws.0) {
            *count = count.saturating_sub(u64::from(flawed));
        }
    }
}

/// A sliding window over calls, in the order in which they ended.
#[derive(Debug)]
pub(super) enum Sliding {
    Count(CountWindow),
    Time(TimeWindow),
}

impl Sliding {
    pub(super) fn new(window: Window) -> Self {
        match window {
            Window::Calls(calls) => Self::Count(CountWindow::new(calls)),
            Window::Span(span) => Self::Time(TimeWindow::new(span)),
        }
    }

    /// Takes a call in, and lets go of those that are too old beside it.
    pub(super) fn push(&mut self, call: &Call) {
        match self {
            Self::Count(window) => window.push(call),
            Self::Time(window) => window.push(call),
        }
    }

    pub(super) const fn tally(&self) -> Tally {
        match self {
            Self::Count(window) => window.tally(),
            Self::Time(window) => window.tally(),
        }
    }

    /// When the earliest of the calls with this flaw began.
    pub(super) fn earliest(&self, flaw: Flaw) -> Option<Nanos> {
        match self {
            Self::Count(window) => window.earliest(flaw),
            Self::Time(window) => window.earliest(flaw),
        }
    }

    pub(super) fn clear(&mut self) {
        match self {
            Self::Count(window) => window.clear(),
            Self::Time(window) => window.clear(),
        }
    }
}
