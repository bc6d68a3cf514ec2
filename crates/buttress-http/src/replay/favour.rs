//! Who of two that read one body goes on, where not both can.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use buttress_core::Favoured;

use super::state::Side;

/// Which of the two sides of a tee is not to be cut, if either: by default whoever is ahead goes on. Shared by the tee and the copy of its
/// request, for a body in a box cannot be told anything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Favour(Arc<AtomicU8>);

impl Favour {
    pub(crate) fn give(&self, whom: Favoured) {
        let side = match whom {
            Favoured::Original => Side::First,
            Favoured::Copy => Side::Second,
        };
        // Relaxed: looked at by whoever reads next, under the lock of the tee.
        self.0.store(side as u8 + 1, Ordering::Relaxed);
    }

    pub(super) fn has(&self, side: Side) -> bool {
        self.0.load(Ordering::Relaxed) == side as u8 + 1
    }
}
