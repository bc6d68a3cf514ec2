//! The state as one word.

use crate::{BreakerState, Permit, Sign, pick::Worth};

/// The published part of what the lock guards: the generation in the upper half; state and flags in the lower.
#[derive(Clone, Copy)]
pub(super) struct Word(u64);

impl Word {
    /// Calls may begin without asking further.
    const FLOWS: u64 = 1 << 2;
    /// Nothing is known against it, or nothing that a good call would change at once.
    const CALM: u64 = 1 << 3;
    /// Taken out by hand.
    const WITHDRAWN: u64 = 1 << 4;
    /// By hand: only counted.
    const DISABLED: u64 = 1 << 5;
    /// Something speaks against it, or did when that was last looked at.
    const SUSPECT: u64 = 1 << 6;
    /// Where the share of calls is that it gets, in eight bits.
    const SHARE_AT: u32 = 8;

    pub(super) const fn new(
        generation: u32,
        state: BreakerState,
        share: f64,
        flows: bool,
        calm: bool,
    ) -> Self {
        let flows = if flows { Self::FLOWS } else { 0 };
        let calm = if calm { Self::CALM } else { 0 };
        // 0 to 1 as 0 to 255; the cast saturates.
        let share = ((share * 255.0) as u8 as u64) << Self::SHARE_AT;
        Self((generation as u64) << 32 | share | calm | flows | state as u64)
    }

    /// The same, of one that something speaks against, or nothing.
    pub(super) const fn suspect(self, suspect: bool) -> Self {
        Self(if suspect {
            self.0 | Self::SUSPECT
        } else {
            self.0
        })
    }

    /// Does anything speak against it? A hint: what calls that went well have refuted since is looked at now and then.
    pub(super) const fn is_suspect(self) -> bool {
        self.0 & Self::SUSPECT != 0
    }

    /// The share of its calls that it gets, 0 to 1.
    pub(super) const fn share(self) -> f64 {
        (self.0 >> Self::SHARE_AT) as u8 as f64 / 255.0
    }

    /// What it is worth to whoever picks.
    pub(super) const fn worth(self) -> Worth {
        Worth {
            share: (self.0 >> Self::SHARE_AT) as u8,
            out: !matches!(self.state(), BreakerState::Closed | BreakerState::Ramping),
        }
    }

    pub(super) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(super) const fn bits(self) -> u64 {
        self.0
    }

    /// The same, taken out by hand.
    pub(super) const fn withdrawn(generation: u32) -> Self {
        Self((generation as u64) << 32 | Self::WITHDRAWN | BreakerState::Open as u64)
    }

    /// The same, only counted.
    pub(super) const fn disabled(generation: u32) -> Self {
        let word = Self::new(generation, BreakerState::Closed, 1.0, true, true);
        Self(word.0 | Self::DISABLED)
    }

    pub(super) const fn is_disabled(self) -> bool {
        self.0 & Self::DISABLED != 0
    }

    pub(super) const fn is_withdrawn(self) -> bool {
        self.0 & Self::WITHDRAWN != 0
    }

    pub(super) const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub(super) const fn flows(self) -> bool {
        self.0 & Self::FLOWS != 0
    }

    pub(super) const fn calm(self) -> bool {
        self.0 & Self::CALM != 0
    }

    pub(super) const fn state(self) -> BreakerState {
        match self.0 & 3 {
            0 => BreakerState::Closed,
            1 => BreakerState::Open,
            2 => BreakerState::HalfOpen,
            _ => BreakerState::Ramping,
        }
    }

    /// Would such an outcome change nothing at once? Then it needs no lock.
    pub(super) const fn unmoved_by(self, sign: Sign, permit: &Permit) -> bool {
        match sign {
            Sign::Bad => false,
            _ if permit.generation != self.generation() => true,
            Sign::Good => self.calm(),
            Sign::Silent => !permit.probe,
        }
    }
}
