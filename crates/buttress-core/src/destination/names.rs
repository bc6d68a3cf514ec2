//! Short numbers for the few names that calls are labelled with.

use std::{fmt, sync::OnceLock};

use crate::sync::{Arc, AtomicUsize, Mutex, Ordering, lock};

/// Names a destination tells apart. What comes later is one more: memory, and the labels of figures, stay bounded
/// whatever a caller sends.
const MOST: usize = 64;

/// Names are told apart by so many bytes, and kept no longer: some callers choose their own.
const LONGEST: usize = 256;

/// A table twice as large stays quick to search when full.
const PLACES: usize = 2 * MOST;

/// Stands for every name beyond the last that is told apart.
const OTHER: u8 = u8::MAX;

/// Names by number. Numbers are given once and for all, from 1 on; 0 is no name.
pub(crate) struct Names {
    places: Box<[OnceLock<Arc<str>>; PLACES]>,
    known: AtomicUsize,
    learning: Mutex<()>,
}

impl Names {
    pub(crate) fn new() -> Self {
        Self {
            places: Box::new(std::array::from_fn(|_| OnceLock::new())),
            known: AtomicUsize::new(0),
            learning: Mutex::default(),
        }
    }

    /// The number of `name`. Takes no lock for a name that is known, nor when nothing is to be learned any more.
    pub(crate) fn number(&self, name: &str) -> u8 {
        let name = shortened(name);
        // Acquire, and before the search: pairs with the Release in `learn`; whoever sees it full sees every name.
        let full = self.known.load(Ordering::Acquire) >= MOST;
        match self.find(name) {
            Found::Number(number) => number,
            Found::Place(_) if !full => self.learn(name),
            Found::Place(_) => OTHER,
        }
    }

    /// The name of `number`.
    pub(crate) fn name(&self, number: u8) -> Option<Arc<str>> {
        if number == OTHER {
            return Some("other".into());
        }
        let place = usize::from(number).checked_sub(1)?;
        self.places.get(place)?.get().map(Arc::clone)
    }

    fn find(&self, name: &str) -> Found {
        let start = hash(name);
        let places = (0..PLACES).map(|step| start.wrapping_add(step) % PLACES);
        for place in places {
            match self.places[place].get() {
                Some(known) if **known == *name => return Found::Number(place as u8 + 1),
                Some(_) => {}
                None => return Found::Place(place),
            }
        }
        Found::Number(OTHER)
    }

    /// One name at a time: whoever comes second with the same name finds it, even if it was the last to be told apart.
    fn learn(&self, name: &str) -> u8 {
        let _alone = lock(&self.learning);
        match self.find(name) {
            Found::Number(number) => number,
            Found::Place(place) if self.known.load(Ordering::Relaxed) < MOST => {
                self.places[place].get_or_init(|| name.into());
                self.known.fetch_add(1, Ordering::Release);
                place as u8 + 1
            }
            Found::Place(_) => OTHER,
        }
    }
}

/// Where a name is, or would be.
enum Found {
    Number(u8),
    Place(usize),
}

fn shortened(name: &str) -> &str {
    if name.len() <= LONGEST {
        return name;
    }
    let end = (0..=LONGEST).rfind(|end| name.is_char_boundary(*end));
    &name[..end.unwrap_or_default()]
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
    fn a_name_of_a_megabyte_is_not_kept() {
        let names = Names::new();
        for letter in ["a", "\u{1f980}"] {
            let number = names.number(&letter.repeat(1 << 20));
            assert!(names.name(number).unwrap().len() <= LONGEST);
            assert_eq!(names.number(&letter.repeat(1 << 19)), number);
        }
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

#[cfg(all(test, loom))]
mod loom {
    use ::loom::thread::spawn;

    use super::*;

    /// The numbers that three threads give to these names, `room` names being left to tell apart.
    fn numbers(room: usize, asked: [&'static str; 3]) -> [u8; 3] {
        let names = Arc::new(Names::new());
        (room..MOST).for_each(|n| _ = names.number(&n.to_string()));
        let ask = |name| {
            let names = Arc::clone(&names);
            spawn(move || names.number(name))
        };
        let threads = asked.map(ask);
        let numbers = threads.map(|thread| thread.join().unwrap());
        assert_eq!(
            asked.map(|name| names.number(name)),
            numbers,
            "for all time"
        );
        numbers
    }

    #[test]
    fn threads_that_learn_a_name_at_once_give_it_one_number() {
        ::loom::model(|| {
            let [first, second, other] = numbers(MOST, ["/pay", "/pay", "/ask"]);
            assert!(first == second && first != other);
            assert!(![first, other].contains(&OTHER));
        });
    }

    #[test]
    fn the_last_name_told_apart_has_one_number_too() {
        ::loom::model(|| {
            let [first, second, other] = numbers(1, ["/pay", "/pay", "/ask"]);
            assert_eq!(first, second);
            assert!(other != first && (other == OTHER || first == OTHER));
        });
    }
}
