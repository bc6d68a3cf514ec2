//! Those who wait for a place.

use std::{
    collections::{BTreeMap, BTreeSet},
    task::Waker,
};

/// Those who wait for a place, first come first served, and what the pool of places owes.
#[derive(Debug)]
pub(super) struct Queue {
    next: u64,
    waiting: BTreeMap<u64, Option<Waker>>,
    /// Those who were given a place and have not taken it yet.
    given: BTreeSet<u64>,
    /// Places that are to vanish as soon as they are given back, for there were more when they were taken.
    pub(super) debt: u64,
    /// How many places there are to be.
    pub(super) limit: u32,
}

impl Queue {
    pub(super) const fn new(limit: u32) -> Self {
        Self {
            next: 0,
            waiting: BTreeMap::new(),
            given: BTreeSet::new(),
            debt: 0,
            limit,
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Is there anybody to whom a place that is given back belongs?
    pub(super) fn owes(&self) -> bool {
        self.debt > 0 || !self.waiting.is_empty()
    }

    /// Somebody comes, and is the last.
    pub(super) fn push(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        self.waiting.insert(number, None);
        number
    }

    /// A place was given back: where does it go?
    pub(super) fn pay(&mut self) -> Paid {
        if self.debt > 0 {
            self.debt -= 1;
            return Paid::Debt;
        }
        let Some((number, waker)) = self.waiting.pop_first() else {
            return Paid::Nobody;
        };
        self.given.insert(number);
        Paid::Waiting(waker)
    }

    /// Has it been given a place? Then it has it now; otherwise `waker` is told, in place of the one that is given back.
    pub(super) fn poll(&mut self, number: u64, waker: Waker) -> (bool, Option<Waker>) {
        let waiting = self.waiting.get_mut(&number);
        match waiting {
            Some(known) => (false, known.replace(waker)),
            None => (self.given.remove(&number), Some(waker)),
        }
    }

    /// It waits no longer. Was it given a place that it did not take?
    pub(super) fn step_out(&mut self, number: u64) -> (bool, Option<Waker>) {
        let waker = self.waiting.remove(&number).flatten();
        (self.given.remove(&number), waker)
    }
}

/// Where a place went.
pub(super) enum Paid {
    /// Nowhere: there were too many.
    Debt,
    /// To the first of those who wait.
    Waiting(Option<Waker>),
    /// Nobody wants it.
    Nobody,
}
