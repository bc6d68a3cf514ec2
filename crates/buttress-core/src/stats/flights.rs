//! Calls under way, so that one can grow too old while nobody asks for it.

use crate::{
    Nanos,
    sync::{AtomicU64, Ordering},
};

/// Calls under way that one lane remembers. More are counted when they end, as calls always were.
///
/// Evidence needs some ten calls that grow too old at the same time; 32 a lane leave room for those that do not.
const PLACES: usize = 32;

/// How many places a call tries before it goes unremembered: the first is that of the oldest call.
const TRIES: usize = 3;

/// The starts of calls under way. A place is taken when a call begins and left when it ends.
#[derive(Debug)]
pub(crate) struct Flights([AtomicU64; PLACES]);

/// The start of a call, and whether it was found overdue; zero is an empty place.
#[derive(Clone, Copy)]
struct Stamp(u64);

impl Stamp {
    const fn of(started: Nanos) -> Self {
        // The first nanosecond of all time is none: it would look like an empty place.
        let nanos = started.as_u64();
        Self(if nanos == 0 { 1 } else { nanos } << 1)
    }

    const fn overdue(self) -> Self {
        Self(self.0 | 1)
    }

    const fn is_overdue(self) -> bool {
        self.0 & 1 != 0
    }

    const fn started(self) -> Nanos {
        Nanos::new(self.0 >> 1)
    }
}

impl Flights {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    /// Takes a place for the `number`th call of this lane. `None` when those tried are taken.
    pub(crate) fn board(&self, number: u64, started: Nanos) -> Option<u8> {
        (number..number.saturating_add(TRIES as u64)).find_map(|number| {
            let place = number as usize % PLACES;
            // Relaxed: the start is all there is to see; whoever finds it a moment later looks again.
            self.0[place]
                .compare_exchange(
                    0,
                    Stamp::of(started).0,
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                )
                .is_ok()
                .then_some(place as u8)
        })
    }

    /// Leaves a place. Was the call found overdue while it held it?
    pub(crate) fn leave(&self, place: u8) -> bool {
        // Relaxed, and atomic with `find`: each call is found before it leaves, or never.
        self.0
            .get(usize::from(place))
            .is_some_and(|place| Stamp(place.swap(0, Ordering::Relaxed)).is_overdue())
    }

    /// Finds every call begun at `limit` or before that was not found yet, once. Gives the start of the oldest younger one.
    pub(crate) fn find(&self, limit: Nanos, mut overdue: impl FnMut(Nanos)) -> Option<Nanos> {
        let mut oldest = None;
        for place in &self.0 {
            let seen = Stamp(place.load(Ordering::Relaxed));
            if seen.0 == 0 || seen.is_overdue() {
                continue;
            }
            if seen.started() > limit {
                oldest = Some(oldest.map_or(seen.started(), |old: Nanos| old.min(seen.started())));
                continue;
            }
            let found = place.compare_exchange(
                seen.0,
                seen.overdue().0,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            if found.is_ok() {
                overdue(seen.started());
            }
        }
        oldest
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn found(flights: &Flights, limit: u64) -> (Vec<u64>, Option<u64>) {
        let mut starts = Vec::new();
        let oldest = flights.find(Nanos::new(limit), |started| starts.push(started.as_u64()));
        (starts, oldest.map(Nanos::as_u64))
    }

    #[test]
    fn a_call_is_found_overdue_once_and_knows_it_when_it_leaves() {
        let flights = Flights::new();
        let old = flights.board(0, Nanos::new(10)).unwrap();
        let young = flights.board(1, Nanos::new(50)).unwrap();
        assert_eq!(found(&flights, 9), (vec![], Some(10)));
        assert_eq!(found(&flights, 10), (vec![10], Some(50)));
        assert_eq!(found(&flights, 49), (vec![], Some(50)));
        assert!(flights.leave(old) && !flights.leave(young));
        assert_eq!(found(&flights, u64::MAX), (vec![], None));
    }

    #[test]
    fn a_place_left_is_taken_again_without_its_past() {
        let flights = Flights::new();
        let place = flights.board(7, Nanos::new(1)).unwrap();
        found(&flights, 1);
        assert!(flights.leave(place));
        let again = flights.board(7, Nanos::new(5)).unwrap();
        assert_eq!(again, place);
        assert!(!flights.leave(again));
    }

    #[test]
    fn calls_beyond_the_places_go_unremembered_and_nothing_is_lost() {
        let flights = Flights::new();
        let places: Vec<_> = (0..100)
            .map(|n| flights.board(n, Nanos::new(n + 1)))
            .collect();
        assert_eq!(places.iter().flatten().count(), PLACES);
        assert_eq!(found(&flights, u64::MAX).0.len(), PLACES);
        assert!(!flights.leave(u8::MAX));
    }

    #[test]
    fn a_call_begun_at_the_first_nanosecond_is_remembered() {
        let flights = Flights::new();
        assert!(flights.board(0, Nanos::ZERO).is_some());
        assert_eq!(found(&flights, 1).0.len(), 1);
    }
}
