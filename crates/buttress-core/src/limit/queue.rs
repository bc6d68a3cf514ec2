//! Those who wait for a place.

use std::{
    collections::{BTreeMap, BTreeSet},
    task::Waker,
};

use super::Level;

/// The rank is in the upper byte of a number, and in the others who came first.
pub(super) const RANK_AT: u32 = 56;

/// Those who wait for a place, and what the pool of places owes.
///
/// Whoever matters most is served first, and of these the first who came.
#[derive(Debug)]
pub(super) struct Queue {
    next: u64,
    waiting: BTreeMap<u64, (Level, Option<Waker>)>,
    /// Those who were given a place and have not taken it yet.
    given: BTreeSet<u64>,
    /// Those who had to make room for somebody who matters more, and have not noticed yet.
    displaced: BTreeSet<u64>,
    /// Places that are to vanish as soon as they are given back, for there were more when they were taken.
    pub(super) debt: u64,
    /// How many places there are to be.
    pub(super) limit: u32,
}

/// How it stands with one who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It has to wait.
    Waits,
    /// It has a place now.
    Comes,
    /// It had to make room.
    Lost,
}

impl Queue {
    pub(super) const fn new(limit: u32) -> Self {
        Self {
            next: 0,
            waiting: BTreeMap::new(),
            given: BTreeSet::new(),
            displaced: BTreeSet::new(),
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

    /// Somebody comes, and is the last of those who matter as much.
    pub(super) fn push(&mut self, level: Level) -> u64 {
        let number = u64::from(level.rank()) << RANK_AT | self.next;
        // 56 bits: a thousand years at two million a second.
        self.next += 1;
        self.waiting.insert(number, (level, None));
        number
    }

    /// Does anybody wait who matters less?
    pub(super) fn displaces(&self, level: Level) -> bool {
        let rank = u64::from(level.rank());
        (self.waiting.last_key_value()).is_some_and(|(last, _)| last >> RANK_AT > rank)
    }

    /// Makes room for somebody, if one waits who matters less: the last of those who matter least.
    pub(super) fn displace(&mut self, level: Level) -> Option<Waker> {
        if !self.displaces(level) {
            return None;
        }
        let (number, (_, waker)) = self.waiting.pop_last()?;
        self.displaced.insert(number);
        waker
    }

    /// Turns away whoever waits below the threshold.
    pub(super) fn shed(&mut self, threshold: usize) -> Vec<Waker> {
        let mut woken = Vec::new();
        self.waiting.retain(|number, (level, waker)| {
            let stays = !level.is_below(threshold);
            if !stays {
                self.displaced.insert(*number);
                woken.extend(waker.take());
            }
            stays
        });
        woken
    }

    /// A place was given back: where does it go?
    pub(super) fn pay(&mut self) -> Paid {
        if self.debt > 0 {
            self.debt -= 1;
            return Paid::Debt;
        }
        let Some((number, (_, waker))) = self.waiting.pop_first() else {
            return Paid::Nobody;
        };
        self.given.insert(number);
        Paid::Waiting(waker)
    }

    /// How does it stand? If it has to wait, `waker` is told, in place of the one that is given back.
    pub(super) fn poll(&mut self, number: u64, waker: Waker) -> (Turn, Option<Waker>) {
        if let Some((_, known)) = self.waiting.get_mut(&number) {
            return (Turn::Waits, known.replace(waker));
        }
        let turn = if self.given.remove(&number) {
            Turn::Comes
        } else if self.displaced.remove(&number) {
            Turn::Lost
        } else {
            Turn::Waits
        };
        (turn, Some(waker))
    }

    /// It waits no longer. Was it given a place that it did not take?
    pub(super) fn step_out(&mut self, number: u64) -> (bool, Option<Waker>) {
        self.displaced.remove(&number);
        let waker = self.waiting.remove(&number).and_then(|(_, waker)| waker);
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
