//! What a picker reads of one endpoint, in a place of its own.

use super::word::Word;
use crate::{
    Nanos, State,
    pick::{Glance, Load},
    sync::{AtomicU64, Ordering},
};

/// The few words that are looked at without calling: together, and apart from all else, so that a set of ten thousand fits
/// in a near cache.
#[derive(Debug)]
pub(crate) struct Front {
    /// What a healthy call needs to know of `signs`, in one load: see [`Word`].
    word: AtomicU64,
    /// From when on a call may be admitted, for pickers: a hint beside `word`, which decides.
    due: AtomicU64,
    /// What its calls are like now.
    pub(super) load: Load,
}

impl Front {
    pub(super) fn new(word: Word) -> Self {
        Self {
            word: AtomicU64::new(word.bits()),
            due: AtomicU64::new(0),
            load: Load::default(),
        }
    }

    pub(super) fn word(&self) -> Word {
        // Acquire: pairs with the Release in `publish`; whoever sees a generation sees what made it.
        Word::from_bits(self.word.load(Ordering::Acquire))
    }

    pub(super) fn publish(&self, word: Word) {
        self.word.store(word.bits(), Ordering::Release);
    }

    pub(super) fn due(&self) -> Nanos {
        Nanos::new(self.due.load(Ordering::Relaxed))
    }

    pub(super) fn set_due(&self, due: Nanos) {
        // Relaxed: a picker that reads an old hint asks in vain, or one call later.
        if self.due() != due {
            self.due.store(due.as_u64(), Ordering::Relaxed);
        }
    }

    pub(crate) fn state(&self) -> State {
        self.word().state()
    }

    pub(crate) fn is_withdrawn(&self) -> bool {
        self.word().is_withdrawn()
    }

    pub(crate) fn glance(&self) -> Glance {
        self.load.glance()
    }
}
