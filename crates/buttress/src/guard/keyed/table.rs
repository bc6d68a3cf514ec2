//! Records by key: bounded, and forgotten by turns.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, BuildHasherDefault, Hasher, RandomState},
    sync::{
        PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use buttress_core::{BreakerState, Destination, Entrance, Health, Key, Nanos, Vitals};

use crate::clock::CLOCK;

/// Parts that are locked by themselves: calls for different keys rarely meet. A power of two.
const PARTS: usize = 64;

/// The records of one layer's keys.
///
/// A key is its 64-bit hash, keyed by this process: among 10 000 keys a new one meets another's hash once in 2·10¹⁵, and
/// nobody outside can aim; they would share a record. So a key costs no memory for its length, and no allocation to find.
#[derive(Debug)]
pub(super) struct Table {
    destination: Destination,
    hasher: RandomState,
    most: usize,
    count: AtomicUsize,
    parts: Box<[RwLock<Part>]>,
    /// The part that last took a new key, which is well if any is: with all others ill, whoever makes up keys drives out
    /// his own, and nobody looks through ten thousand for it.
    newest: AtomicUsize,
}

/// Keys in a ring. Its hand goes round as in CLOCK (Corbató 1968): who was used since it last came by is passed over
/// once, which is nearly the order of last use and costs a use one store at most.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Part {
    places: HashMap<u64, usize, BuildHasherDefault<AsItIs>>,
    ring: Vec<Entry>,
    hand: usize,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    vitals: Vitals,
    used: AtomicBool,
}

/// Who may be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// Whoever is well and in nobody's hand.
    Well,
    Anybody,
}

impl Table {
    pub(super) fn new(destination: Destination, most: usize) -> Self {
        let most = most.max(1);
        // Few keys in one part: there the order of use is that of all of them.
        let parts = (most / PARTS).next_power_of_two().min(PARTS);
        Self {
            destination,
            hasher: RandomState::new(),
            most,
            count: AtomicUsize::new(0),
            parts: (0..parts).map(|_| RwLock::default()).collect(),
            newest: AtomicUsize::new(0),
        }
    }

    pub(super) const fn destination(&self) -> &Destination {
        &self.destination
    }

    /// The way into the record of `key`: into a new one if it is not known, or no longer.
    ///
    /// Where it is known, the lock of its part is all that threads share.
    pub(super) fn enter(&self, key: Key<'_>) -> Entrance {
        self.find(key, Vitals::entrance)
    }

    fn find<T>(&self, key: Key<'_>, take: impl Fn(&Vitals) -> T) -> T {
        let number = self.hasher.hash_one(key);
        let known = read(self.part(number)).find(number).map(&take);
        known.unwrap_or_else(|| take(&self.make(number, key)))
    }

    fn part(&self, number: u64) -> &RwLock<Part> {
        &self.parts[self.index(number)]
    }

    const fn index(&self, number: u64) -> usize {
        // The upper half: the map within takes the lower. The mask holds, for their number is a power of two.
        (number >> 32) as usize & (self.parts.len() - 1)
    }

    fn make(&self, number: u64, key: Key<'_>) -> Vitals {
        let now = CLOCK.now();
        for who in [Who::Well, Who::Anybody] {
            // Somebody else may take the place that was made; then another is made.
            loop {
                if let Some(vitals) = self.settle(number, key, who, now) {
                    return vitals;
                }
                if !self.make_room(number, who, now) {
                    break;
                }
            }
        }
        // Every place is taken by a key that is about to be there: this call's record is its own.
        self.destination.key(key.name(number))
    }

    /// Gives `number` a place in its part, if there is one or somebody there may be forgotten.
    fn settle(&self, number: u64, key: Key<'_>, who: Who, now: Nanos) -> Option<Vitals> {
        let mut part = write(self.part(number));
        if let Some(vitals) = part.find(number) {
            return Some(vitals.clone());
        }
        let vacant = self.take_place();
        let victim = if vacant { None } else { part.victim(who) };
        if !vacant && victim.is_none() {
            return None;
        }
        let vitals = self.destination.key(key.name(number));
        let entry = Entry {
            number,
            vitals: vitals.clone(),
            used: AtomicBool::new(false),
        };
        let forgotten = part.put(entry, victim);
        drop(part);
        // Relaxed: where to look first, and no more.
        self.newest.store(self.index(number), Ordering::Relaxed);
        if forgotten.is_some() {
            self.destination.forget(now);
        }
        Some(vitals)
    }

    /// Forgets somebody in another part.
    fn make_room(&self, number: u64, who: Who, now: Nanos) -> bool {
        let newest = self.newest.load(Ordering::Relaxed);
        let others = (0..self.parts.len())
            .map(|step| newest.wrapping_add(step) & (self.parts.len() - 1))
            .filter(|other| *other != self.index(number));
        for other in others {
            let mut part = write(&self.parts[other]);
            if let Some(victim) = part.victim(who) {
                let forgotten = part.remove(victim);
                // Release would say nothing: the lock orders the ring, and the count only bounds it.
                self.count.fetch_sub(1, Ordering::Relaxed);
                drop(part);
                drop(forgotten);
                self.destination.forget(now);
                return true;
            }
        }
        false
    }

    fn take_place(&self) -> bool {
        let more = |count: usize| (count < self.most).then_some(count + 1);
        self.count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .is_ok()
    }
}

impl Part {
    fn find(&self, number: u64) -> Option<&Vitals> {
        let entry = self.ring.get(*self.places.get(&number)?)?;
        // A load where it is set already: the line stays shared. Relaxed: a hint.
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        Some(&entry.vitals)
    }

    /// Whose turn it is to be forgotten: in the second round at the latest, for the first has passed over whoever was used.
    fn victim(&mut self, who: Who) -> Option<usize> {
        let count = self.ring.len();
        for _ in 0..2 * count {
            let place = self.hand % count;
            self.hand = place + 1;
            let entry = self.ring.get_mut(place)?;
            if who == Who::Well && is_held(&entry.vitals) {
                continue;
            }
            if !std::mem::take(entry.used.get_mut()) {
                return Some(place);
            }
        }
        None
    }

    /// In the place of `victim`, just behind the hand: it has a whole round before it; else at the end.
    fn put(&mut self, entry: Entry, victim: Option<usize>) -> Option<Entry> {
        let place = victim.unwrap_or(self.ring.len());
        self.places.insert(entry.number, place);
        let Some(old) = self.ring.get_mut(place) else {
            self.ring.push(entry);
            return None;
        };
        let forgotten = std::mem::replace(old, entry);
        self.places.remove(&forgotten.number);
        Some(forgotten)
    }

    fn remove(&mut self, place: usize) -> Entry {
        let forgotten = self.ring.swap_remove(place);
        self.places.remove(&forgotten.number);
        if let Some(moved) = self.ring.get(place) {
            self.places.insert(moved.number, place);
        }
        forgotten
    }
}

/// Is it ill, on its way back, in somebody's hand, or at work under a limit? Forgotten, that would begin anew.
fn is_held(vitals: &Vitals) -> bool {
    vitals.state() != BreakerState::Closed
        || vitals.health() == Health::Down
        || vitals.forced().is_some()
        || vitals.holds_places()
}

fn read(part: &RwLock<Part>) -> RwLockReadGuard<'_, Part> {
    // Whole even after a panic: no user's code runs under the lock.
    part.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(part: &RwLock<Part>) -> RwLockWriteGuard<'_, Part> {
    part.write().unwrap_or_else(PoisonError::into_inner)
}

/// What is hashed already.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[cfg(test)]
mod tests;
