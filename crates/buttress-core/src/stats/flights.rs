//! Calls under way, so that one can grow too old while nobody asks for it.

use std::sync::OnceLock;

use crate::{
    Nanos,
    sync::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence},
};

/// Calls under way that one lane remembers. More are counted when they end, as calls always were.
///
/// Evidence needs some ten calls that grow too old at the same time; 32 a lane leave room for those that do not.
const PLACES: usize = if cfg!(all(test, loom)) { 2 } else { 32 };

/// How many places a call tries before it goes unremembered: the first is that of the oldest call.
const TRIES: usize = 3;

/// The starts of calls under way. A place is taken when a call begins and left when it ends.
///
/// Of one endpoint of many there is mostly none under way: the first place lies beside what else a call writes.
#[derive(Debug)]
pub(crate) struct Flights(Place);

/// The other places, made when first two calls are under way.
#[derive(Debug)]
pub(crate) struct Far(OnceLock<Box<[Place; PLACES - 1]>>);

/// A place for one call: a fourth of a line of memory.
#[derive(Debug)]
struct Place {
    stamp: AtomicU64,
    note: AtomicU32,
    caller: AtomicU8,
}

impl Place {
    fn new() -> Self {
        Self {
            stamp: AtomicU64::new(0),
            note: AtomicU32::new(0),
            caller: AtomicU8::new(0),
        }
    }

    /// Takes it for the `number`th call, unless it is taken.
    #[inline]
    fn take(&self, number: u64, started: Nanos) -> bool {
        // SeqCst: a call that takes its place and finds nobody looking is found by whoever stops looking; see
        // `State::watch`.
        let taken = self.stamp.compare_exchange(
            0,
            Stamp::of(started).0,
            Ordering::SeqCst,
            Ordering::Relaxed,
        );
        if taken.is_ok() {
            self.note(Note {
                number: number as u16,
                ..Note::default()
            });
        }
        taken.is_ok()
    }

    fn note(&self, note: Note) {
        // Relaxed: whoever reads it a moment too early takes the call for one of no kind.
        self.note.store(note.pack(), Ordering::Relaxed);
        self.caller.store(note.caller, Ordering::Relaxed);
    }
}

/// What is known of a call under way, for its record if it is never answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Note {
    /// Which call of its lane, in its lower half.
    pub(crate) number: u16,
    /// What kind of call, by number of its name; 0 where nobody said.
    pub(crate) route: u8,
    pub(crate) method: u8,
    /// Who calls, hashed; 0 where nobody said.
    pub(crate) caller: u8,
}

impl Note {
    const fn pack(self) -> u32 {
        (self.number as u32) << 16 | (self.route as u32) << 8 | self.method as u32
    }

    const fn unpack(word: u32, caller: u8) -> Self {
        Self {
            caller,
            number: (word >> 16) as u16,
            route: (word >> 8) as u8,
            method: word as u8,
        }
    }
}

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

impl Far {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The same, made.
    pub(crate) fn made() -> Self {
        let far = Self::new();
        far.places();
        far
    }

    fn places(&self) -> &[Place; PLACES - 1] {
        let none = || Box::new(std::array::from_fn(|_| Place::new()));
        self.0.get_or_init(none)
    }
}

impl Flights {
    pub(crate) fn new() -> Self {
        Self(Place::new())
    }

    /// Takes a place for the `number`th call of the only lane of an endpoint: the first, if it is free, for others are mostly
    /// not needed, and not at hand. `None` when those tried are taken.
    #[inline]
    pub(crate) fn board_near(&self, far: &Far, number: u64, started: Nanos) -> Option<u8> {
        if self.0.take(number, started) {
            return Some(0);
        }
        far.places();
        // SeqCst: they may have just been made, and are to be seen by whoever stops looking; see `State::oldest`.
        fence(Ordering::SeqCst);
        self.board(far, number, started)
    }

    /// Takes a place for the `number`th call of one of several lanes. `None` when those tried are taken.
    #[inline]
    pub(crate) fn board(&self, far: &Far, number: u64, started: Nanos) -> Option<u8> {
        (0..TRIES).find_map(|more| {
            let index = ((number as usize).wrapping_add(more) % PLACES) as u8;
            let place = self.place(far, index)?;
            place.take(number, started).then_some(index)
        })
    }

    /// Says what kind of call holds a place.
    pub(crate) fn note(&self, far: &Far, place: u8, note: Note) {
        if let Some(place) = self.place(far, place) {
            place.note(note);
        }
    }

    /// Leaves a place. Was the call found overdue while it held it?
    #[inline]
    pub(crate) fn leave(&self, far: &Far, place: u8) -> bool {
        // Relaxed, and atomic with `find`: each call is found before it leaves, or never.
        self.place(far, place)
            .is_some_and(|place| Stamp(place.stamp.swap(0, Ordering::Relaxed)).is_overdue())
    }

    /// Leaves a place, unless the call was found overdue while it held it. Did it?
    pub(crate) fn leave_young(&self, far: &Far, place: u8) -> bool {
        let Some(place) = self.place(far, place) else {
            return false;
        };
        // Relaxed, as in `leave`: between the two either it is found, and stays, or it is not there to be found.
        let stamp = place.stamp.load(Ordering::Relaxed);
        !Stamp(stamp).is_overdue()
            && place
                .stamp
                .compare_exchange(stamp, 0, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// The start of the oldest call under way that was found overdue.
    pub(crate) fn oldest_overdue(&self, far: &Far) -> Option<Nanos> {
        let stamps = self
            .places(far)
            .map(|place| Stamp(place.stamp.load(Ordering::Relaxed)));
        let overdue = stamps.filter(|stamp| stamp.is_overdue());
        overdue.map(Stamp::started).min()
    }

    /// Finds every call begun at `limit` or before that was not found yet, once. Gives the start of the oldest younger one.
    pub(crate) fn find(
        &self,
        far: &Far,
        limit: Nanos,
        mut overdue: impl FnMut(Nanos, Note),
    ) -> Option<Nanos> {
        let mut oldest = None;
        for place in self.places(far) {
            // SeqCst: see `board`.
            let seen = Stamp(place.stamp.load(Ordering::SeqCst));
            if seen.0 == 0 || seen.is_overdue() {
                continue;
            }
            if seen.started() > limit {
                oldest = Some(oldest.map_or(seen.started(), |old: Nanos| old.min(seen.started())));
                continue;
            }
            let found = place.stamp.compare_exchange(
                seen.0,
                seen.overdue().0,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            if found.is_ok() {
                let note = place.note.load(Ordering::Relaxed);
                let note = Note::unpack(note, place.caller.load(Ordering::Relaxed));
                overdue(seen.started(), note);
            }
        }
        oldest
    }

    #[inline]
    fn place<'a>(&'a self, far: &'a Far, index: u8) -> Option<&'a Place> {
        match usize::from(index).checked_sub(1) {
            None => Some(&self.0),
            Some(index) => far.0.get()?.get(index),
        }
    }

    fn places<'a>(&'a self, far: &'a Far) -> impl Iterator<Item = &'a Place> {
        let others = far.0.get().into_iter().flat_map(|far| far.iter());
        std::iter::once(&self.0).chain(others)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// With all places.
    struct Boarded(Flights, Far);

    impl Boarded {
        fn new() -> Self {
            Self(Flights::new(), Far::made())
        }

        fn board(&self, number: u64, started: Nanos) -> Option<u8> {
            self.0.board(&self.1, number, started)
        }

        fn leave(&self, place: u8) -> bool {
            self.0.leave(&self.1, place)
        }

        fn find(&self, limit: Nanos, overdue: impl FnMut(Nanos, Note)) -> Option<Nanos> {
            self.0.find(&self.1, limit, overdue)
        }

        fn note(&self, place: u8, note: Note) {
            self.0.note(&self.1, place, note);
        }

        fn oldest_overdue(&self) -> Option<Nanos> {
            self.0.oldest_overdue(&self.1)
        }
    }

    fn found(flights: &Boarded, limit: u64) -> (Vec<u64>, Option<u64>) {
        let mut starts = Vec::new();
        let oldest = flights.find(Nanos::new(limit), |started, _| {
            starts.push(started.as_u64())
        });
        (starts, oldest.map(Nanos::as_u64))
    }

    #[test]
    fn a_call_is_found_overdue_once_and_knows_it_when_it_leaves() {
        let flights = Boarded::new();
        let old = flights.board(0, Nanos::new(10)).unwrap();
        let young = flights.board(1, Nanos::new(50)).unwrap();
        assert_eq!(found(&flights, 9), (vec![], Some(10)));
        assert_eq!(flights.oldest_overdue(), None);
        assert_eq!(found(&flights, 10), (vec![10], Some(50)));
        assert_eq!(flights.oldest_overdue(), Some(Nanos::new(10)));
        assert_eq!(found(&flights, 49), (vec![], Some(50)));
        assert!(flights.leave(old) && !flights.leave(young));
        assert_eq!(found(&flights, u64::MAX), (vec![], None));
    }

    #[test]
    fn on_the_only_lane_others_are_made_when_the_first_is_taken() {
        let (flights, far) = (Flights::new(), Far::new());
        let board = |number| flights.board_near(&far, number, Nanos::new(number + 1));
        for number in 0..100 {
            assert_eq!(board(number), Some(0));
            assert!(far.0.get().is_none() && !flights.leave(&far, 0));
        }
        // First in, first out.
        let mut under_way: std::collections::VecDeque<_> = (100..111).map(board).collect();
        for number in 111..1_000 {
            let oldest = under_way.pop_front().flatten().unwrap();
            flights.leave(&far, oldest);
            under_way.push_back(board(number));
        }
        assert!(under_way.iter().all(Option::is_some));
        let mut found = 0;
        flights.find(&far, Nanos::MAX, |_, _| found += 1);
        assert_eq!(found, 11);
    }

    #[test]
    fn a_place_left_is_taken_again_without_its_past() {
        let flights = Boarded::new();
        let place = flights.board(7, Nanos::new(1)).unwrap();
        found(&flights, 1);
        assert!(flights.leave(place));
        let again = flights.board(7, Nanos::new(5)).unwrap();
        assert_eq!(again, place);
        assert!(!flights.leave(again));
    }

    #[test]
    fn calls_beyond_the_places_go_unremembered_and_nothing_is_lost() {
        let flights = Boarded::new();
        let places: Vec<_> = (0..100)
            .map(|n| flights.board(n, Nanos::new(n + 1)))
            .collect();
        assert_eq!(places.iter().flatten().count(), PLACES);
        assert_eq!(found(&flights, u64::MAX).0.len(), PLACES);
        assert!(!flights.leave(u8::MAX));
    }

    #[test]
    fn a_call_is_found_with_what_is_known_of_it() {
        let flights = Boarded::new();
        let place = flights.board(70_000, Nanos::new(1)).unwrap();
        let note = Note {
            number: 70_000_u64 as u16,
            route: 3,
            method: 200,
            caller: 255,
        };
        flights.note(place, note);
        flights.find(Nanos::new(1), |_, found| assert_eq!(found, note));
    }

    #[test]
    fn a_call_begun_at_the_first_nanosecond_is_remembered() {
        let flights = Boarded::new();
        assert!(flights.board(0, Nanos::ZERO).is_some());
        assert_eq!(found(&flights, 1).0.len(), 1);
    }
}

#[cfg(all(test, loom))]
mod loom {
    use ::loom::thread::spawn;

    use super::*;
    use crate::sync::Arc;

    /// With all places.
    struct Boarded(Flights, Far);

    impl Boarded {
        fn new() -> Self {
            Self(Flights::new(), Far::made())
        }

        fn board(&self, number: u64, started: Nanos) -> Option<u8> {
            self.0.board(&self.1, number, started)
        }

        fn leave(&self, place: u8) -> bool {
            self.0.leave(&self.1, place)
        }

        fn find(&self, limit: Nanos, overdue: impl FnMut(Nanos, Note)) -> Option<Nanos> {
            self.0.find(&self.1, limit, overdue)
        }
    }

    /// How many calls are found at `limit`.
    fn found(flights: &Boarded, limit: u64) -> usize {
        let mut found = 0;
        flights.find(Nanos::new(limit), |_, _| found += 1);
        found
    }

    #[test]
    fn a_call_is_found_once_at_most_and_knows_it_when_it_leaves() {
        ::loom::model(|| {
            let flights = Arc::new(Boarded::new());
            let look = |flights: &Arc<Boarded>| {
                let flights = Arc::clone(flights);
                spawn(move || found(&flights, 10))
            };
            let lookers = [look(&flights), look(&flights)];
            let place = flights.board(0, Nanos::new(5)).unwrap();
            let knows = flights.leave(place);
            let times: usize = lookers.map(|looker| looker.join().unwrap()).iter().sum();
            assert_eq!(times, usize::from(knows));
            assert_eq!(found(&flights, u64::MAX), 0, "it left");
        });
    }

    #[test]
    fn a_call_is_not_found_for_the_age_of_the_one_that_held_its_place() {
        ::loom::model(|| {
            let flights = Arc::new(Boarded::new());
            let looked = Arc::clone(&flights);
            let looker = spawn(move || found(&looked, 10));
            let old = flights.board(0, Nanos::new(5)).unwrap();
            let old_knows = flights.leave(old);
            let young = flights.board(0, Nanos::new(20)).unwrap();
            assert_eq!(young, old);
            assert!(!flights.leave(young));
            assert_eq!(looker.join().unwrap(), usize::from(old_knows));
        });
    }
}
