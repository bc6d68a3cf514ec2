//! What a picker reads of one endpoint.

use super::word::Word;
use crate::{
    pick::Load,
    sync::{AtomicU64, Ordering},
};

/// The two words that are looked at without calling.
#[derive(Debug)]
pub(crate) struct Front {
    /// What a healthy call needs to know of `signs`, in one load: see [`Word`].
    word: AtomicU64,
    /// What its calls are like now.
    pub(super) load: Load,
}

impl Front {
    pub(super) fn new(word: Word) -> Self {
        Self {
            word: AtomicU64::new(word.bits()),
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
}
