//! What a picker reads of one endpoint.

use super::{line::Line, word::Word};
use crate::{
    pick::Load,
    sync::{AtomicU64, Ordering},
};

/// What is looked at without calling.
#[derive(Debug)]
pub(crate) struct Front {
    /// What a healthy call needs to know of `signs`, in one load: see [`Word`].
    word: AtomicU64,
    /// What its calls are like now.
    pub(super) load: Load,
    pub(super) line: Line,
}

impl Front {
    pub(super) fn new(word: Word) -> Self {
        Self {
            word: AtomicU64::new(word.bits()),
            load: Load::default(),
            line: Line::default(),
        }
    }

    pub(super) fn word(&self) -> Word {
        // Acquire: pairs with the Release in `publish`; whoever sees a generation sees what made it.
        Word::from_bits(self.word.load(Ordering::Acquire))
    }

    pub(super) fn publish(&self, word: Word) {
        self.word.store(word.bits(), Ordering::Release);
    }
}
