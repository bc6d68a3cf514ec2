//! The last so many calls.

use std::collections::VecDeque;

use super::{Call, Flaw, Flaws, Tally};
use crate::Nanos;

/// A window over the last `size` calls.
///
/// Only flawed calls take room, each with its place in the sequence of all calls: a healthy endpoint's window is two
/// numbers, whatever its size, and no window holds more than `size` entries.
#[derive(Debug)]
pub(in super::super) struct CountWindow {
    size: u64,
    /// All calls ever taken in.
    taken: u64,
    flawed: VecDeque<Flawed>,
    tally: Tally,
}

#[derive(Debug)]
struct Flawed {
    /// Which of all calls it was, from 1.
    place: u64,
    started: Nanos,
    flaws: Flaws,
}

impl CountWindow {
    pub(super) fn new(size: u32) -> Self {
        Self {
            // A window of none would judge by nothing.
            size: u64::from(size.max(1)),
            taken: 0,
            flawed: VecDeque::new(),
            tally: Tally::default(),
        }
    }

    pub(super) fn push(&mut self, call: &Call) {
        self.taken = self.taken.saturating_add(1);
        let gone = self.taken.saturating_sub(self.size);
        while let Some(oldest) = self.flawed.front()
            && oldest.place <= gone
        {
            self.tally.remove(oldest.flaws);
            self.flawed.pop_front();
        }
        if !call.flaws.none() {
            self.tally.add(call.flaws);
            self.flawed.push_back(Flawed {
                place: self.taken,
                started: call.started,
                flaws: call.flaws,
            });
        }
        self.tally.calls = self.taken - gone;
    }

    pub(super) const fn tally(&self) -> Tally {
        self.tally
    }

    /// Looks at every flawed call: asked once per alarm, not per call.
    pub(super) fn earliest(&self, flaw: Flaw) -> Option<Nanos> {
        self.flawed
            .iter()
            .filter(|call| call.flaws.has(flaw))
            .map(|call| call.started)
            .min()
    }

    pub(super) fn clear(&mut self) {
        self.taken = 0;
        self.flawed.clear();
        self.tally = Tally::default();
    }
}

#[cfg(test)]
impl CountWindow {
    pub(super) fn room(&self) -> usize {
        self.flawed.capacity()
    }
}
