//! The plain data inside an attempt.

use crate::{Nanos, stats::Note};

/// Permission for one attempt: when it began, under which generation of the breaker, and whether it is a probe.
///
/// A result is believed only under the generation that permitted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    pub(crate) started: Nanos,
    pub(crate) generation: u32,
    pub(crate) probe: bool,
    pub(crate) seat: Seat,
}

/// Where the call is written down while it is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seat {
    /// Whose counters.
    pub(crate) lane: u8,
    /// Which place among the calls under way, if one was free.
    pub(crate) place: Option<u8>,
    /// What is known of it.
    pub(crate) note: Note,
    /// Does it hold one of the places that there are under the limit?
    pub(crate) holds: bool,
}

impl Permit {
    /// When the attempt began.
    #[must_use]
    pub const fn started(&self) -> Nanos {
        self.started
    }

    /// Is this one of the few calls that find out whether the endpoint is well again?
    #[must_use]
    pub const fn is_probe(&self) -> bool {
        self.probe
    }
}
