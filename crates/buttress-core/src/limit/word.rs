//! The pool as one word.

/// The pool in one word: places in the lower half, flags in the upper.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word(pub(super) u64);

impl Word {
    /// Places are given back to the pool.
    const SCARCE: u64 = 1 << 32;
    /// Somebody gathers what lies in the tills, under the lock.
    const GATHERING: u64 = 1 << 33;
    /// Somebody is owed a place. Then the pool is empty, and places are scarce.
    const OWED: u64 = 1 << 34;

    pub(super) const fn new(free: u64, plenty: u64) -> Self {
        Self(Self::SCARCE).with(free, plenty)
    }

    pub(super) const fn free(self) -> u64 {
        self.0 & u32::MAX as u64
    }

    pub(super) const fn scarce(self) -> bool {
        self.0 & Self::SCARCE != 0
    }

    pub(super) const fn gathering(self) -> bool {
        self.0 & Self::GATHERING != 0
    }

    pub(super) const fn owed(self) -> bool {
        self.0 & Self::OWED != 0
    }

    /// With one place less.
    pub(super) const fn drawn(self) -> Option<Self> {
        match self.free() {
            0 => None,
            _ => Some(Self(self.0 - 1)),
        }
    }

    /// With so many places more: scarce → calm, if that is plenty.
    pub(super) const fn with(self, more: u64, plenty: u64) -> Self {
        let word = Self(self.0 + more);
        if word.free() < plenty || word.gathering() || word.owed() {
            return word;
        }
        Self(word.0 & !Self::SCARCE)
    }

    /// Calm → scarce.
    pub(super) const fn begin(self) -> Self {
        Self(self.0 | Self::SCARCE | Self::GATHERING)
    }

    pub(super) const fn end(self) -> Self {
        Self(self.0 & !Self::GATHERING)
    }

    /// Scarce ↔ owed.
    pub(super) const fn owing(self, owes: bool) -> Self {
        if owes {
            Self(self.0 | Self::OWED)
        } else {
            Self(self.0 & !Self::OWED)
        }
    }
}
