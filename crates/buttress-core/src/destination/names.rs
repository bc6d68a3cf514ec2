//! Short numbers for the few names that calls are labelled with.

use std::{
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::sync::Arc;

/// Names a destination tells apart. What comes later is one more: memory, and the labels of figures, stay bounded
/// whatever a caller sends.
const MOST: usize = 64;

/// A table twice as large stays quick to search when full.
const PLACES: usize = 2 * MOST;

/// Stands for every name beyond the last that is told apart.
const OTHER: u8 = u8::MAX;

/// Names by number. Numbers are given once and for all, from 1 on; 0 is no name.
pub(crate) struct Names {
    places: Box<[OnceLock<Arc<str>>; PLACES]>,
    known: AtomicUsize,
}

impl Names {
    pub(crate) fn new() -> Self {
        Self {
            places: Box::new(std::array::from_fn(|_| OnceLock::new())),
            known: AtomicUsize::new(0),
        }
    }

    /// The number of `name`. Takes no lock for a name that is known.
    pub(crate) fn number(&self, name: &str) -> u8 {
        let start = hash(name);
        for step in 0..PLACES {
            let place = start.wrapping_add(step) % PLACES;
            let Some(known) = self.places[place].get() else {
                match self.learn(place, name) {
                    Some(number) => return number,
                    None => continue,
                }
            };
            if **known == *name {
                return place as u8 + 1;
            }
        }
        OTHER
    }

    /// The name of `number`.
    pub(crate) fn name(&self, number: u8) -> Option<Arc<str>> {
        if number == OTHER {
            return Some("other".into());
        }
        let place = usize::from(number).checked_sub(1)?;
        self.places.get(place)?.get().map(Arc::clone)
    }

    /// Puts a name in an empty place. `None` if another name was put there meanwhile.
    fn learn(&self, place: usize, name: &str) -> Option<u8> {
        // Relaxed: it bounds the table, and orders nothing.
        if self.known.fetch_add(1, Ordering::Relaxed) >= MOST {
            self.known.fetch_sub(1, Ordering::Relaxed);
            return Some(OTHER);
        }
        let taken = self.places[place].set(name.into()).is_err();
        if taken {
            self.known.fetch_sub(1, Ordering::Relaxed);
        }
        (!taken
            || self.places[place]
                .get()
                .is_some_and(|known| **known == *name))
        .then_some(place as u8 + 1)
    }
}

/// Both ends and the length: routes of one service differ there, and long ones cost no more than short ones.
fn hash(name: &str) -> usize {
    let bytes = name.as_bytes();
    let end = |part: &[u8]| {
        part.iter()
            .fold(0_u64, |word, byte| word << 8 | u64::from(*byte))
    };
    let (head, tail) = (
        &bytes[..bytes.len().min(8)],
        &bytes[bytes.len().saturating_sub(8)..],
    );
    let mixed = (end(head) ^ end(tail).rotate_left(29) ^ bytes.len() as u64)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 48) as usize
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.places.iter().filter_map(OnceLock::get))
            .finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number() {
        let names = Names::new();
        let numbers: Vec<u8> = (0..MOST)
            .map(|n| names.number(&format!("/route/{n}/of/many")))
            .collect();
        for (n, number) in numbers.iter().enumerate() {
            let name = format!("/route/{n}/of/many");
            assert_eq!(
                (names.number(&name), names.name(*number).as_deref()),
                (*number, Some(&*name))
            );
        }
        let distinct: std::collections::BTreeSet<_> = numbers.iter().collect();
        assert_eq!(distinct.len(), MOST);
    }

    #[test]
    fn a_caller_that_makes_up_names_makes_one_more() {
        let names = Names::new();
        (0..100_000).for_each(|n| _ = names.number(&n.to_string()));
        assert_eq!(names.number("yet another"), OTHER);
        assert_eq!(names.name(OTHER).as_deref(), Some("other"));
        assert_eq!(
            names
                .places
                .iter()
                .filter(|place| place.get().is_some())
                .count(),
            MOST
        );
    }

    #[test]
    fn no_name_has_no_number_and_no_number_has_no_name() {
        let names = Names::new();
        assert_eq!(names.name(0), None);
        assert_eq!(names.name(7), None);
        let empty = names.number("");
        assert_eq!(names.name(empty).as_deref(), Some(""));
    }

    #[test]
    fn threads_that_learn_a_name_at_once_give_it_one_number() {
        let names = Names::new();
        let numbers: Vec<Vec<u8>> = std::thread::scope(|scope| {
            let ask = || (0..40).map(|n| names.number(&format!("r{n}"))).collect();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert!(numbers.iter().all(|row| *row == numbers[0]));
    }
}
