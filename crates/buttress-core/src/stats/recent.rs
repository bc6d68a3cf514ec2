//! The last calls of an endpoint of a large set.

use std::{sync::OnceLock, time::Duration};

use super::bucket;
use crate::{
    locate::{Call, Record},
    sync::{AtomicU64, Ordering},
};

/// Calls at hand: half a line of memory, beside what else a call writes. Of ten thousand endpoints a line more is one that no
/// near cache holds.
const AT_HAND: usize = if cfg!(all(test, loom)) { 2 } else { 4 };

/// Calls that are kept while something speaks against it. A fault of one call in five shows in some dozens.
const KEPT: usize = if cfg!(all(test, loom)) { 4 } else { 64 };

/// The last calls of the only lane of an endpoint.
///
/// Of endpoints that are well, each of many a few: together they show what is usual, and what each of them remembered beyond
/// that would lie in memory that no cache holds. Of one that is not, those before them too.
#[derive(Debug)]
pub(crate) struct Recent([AtomicU64; AT_HAND]);

/// Calls that are no longer at hand, made when the first of them is to be kept.
#[derive(Debug)]
pub(crate) struct Past(OnceLock<Box<Ring>>);

#[derive(Debug)]
struct Ring {
    /// How many were moved here.
    moved: AtomicU64,
    calls: [AtomicU64; KEPT],
}

/// One call: its record, and the bucket of what it took, which begins at one, in bits that a record leaves. Zero is an empty
/// place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept(u64);

const BUCKET_AT: u32 = Record::SPARE_AT;
const BUCKET: u64 = ((1 << Record::SPARE) - 1) << BUCKET_AT;

const _: () = assert!(super::BUCKETS < 1 << Record::SPARE);

impl Kept {
    /// Of a call there may be a record, and what it took may be worth knowing.
    pub(crate) fn new(record: Option<Record>, took: Option<Duration>) -> Self {
        let bucket = took.map_or(0, |took| 1 + bucket(took) as u64);
        Self(record.map_or(0, Record::to_bits) | bucket << BUCKET_AT)
    }

    fn bucket(self) -> Option<usize> {
        let bucket = ((self.0 & BUCKET) >> BUCKET_AT).checked_sub(1)?;
        usize::try_from(bucket).ok()
    }

    const fn record(self) -> Record {
        Record::from_bits(self.0 & !BUCKET)
    }
}

impl Recent {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    /// Writes the `number`th call. What gives way to it is forgotten.
    #[inline]
    pub(crate) fn write(&self, number: u16, kept: Kept) {
        let place = &self.0[usize::from(number) % AT_HAND];
        // Relaxed, here and below: a word stands for itself.
        if kept.record() == Record::default() {
            // It has its record, since it was found late.
            let known = Kept(place.load(Ordering::Relaxed));
            if known.bucket().is_none() {
                replace(place, known, Kept(known.0 | kept.0));
            }
        } else {
            place.store(kept.0, Ordering::Relaxed);
        }
    }

    /// Writes the `number`th call. What gives way to it belongs to the past.
    #[cold]
    pub(crate) fn write_before(&self, number: u16, kept: Kept, past: &Past) {
        let place = &self.0[usize::from(number) % AT_HAND];
        let before = Kept(place.swap(kept.0, Ordering::Relaxed));
        if before != Kept::default() {
            past.take_in(before);
        }
    }

    /// The kept calls, in no order.
    pub(crate) fn read<'a>(&'a self, past: &'a Past) -> impl Iterator<Item = Call> + 'a {
        let kept = self.places(past);
        kept.filter_map(|kept| Kept(kept.load(Ordering::Relaxed)).record().unpack())
    }

    /// What the kept calls took since this was last asked, each with how many it stands for, of so many `calls` that were
    /// answered since.
    pub(crate) fn learn(&self, past: &Past, calls: u64, mut each: impl FnMut(usize, u32)) {
        let heard = |place: &AtomicU64| {
            let seen = Kept(place.load(Ordering::Relaxed));
            let bucket = seen.bucket()?;
            // If another call has taken its place meanwhile, that one is for the next time.
            replace(place, seen, Kept(seen.0 & !BUCKET)).then_some(bucket)
        };
        let heard: Vec<usize> = self.places(past).filter_map(heard).collect();
        let count = heard.len().max(1) as u64;
        let (whole, rest) = (calls / count, calls % count);
        for (number, bucket) in (0..).zip(heard) {
            let stands_for = whole + u64::from(number < rest);
            each(bucket, u32::try_from(stands_for.max(1)).unwrap_or(u32::MAX));
        }
    }

    fn places<'a>(&'a self, past: &'a Past) -> impl Iterator<Item = &'a AtomicU64> {
        let ring = past.0.get().into_iter().flat_map(|ring| &ring.calls);
        self.0.iter().chain(ring)
    }
}

fn replace(place: &AtomicU64, seen: Kept, with: Kept) -> bool {
    place
        .compare_exchange(seen.0, with.0, Ordering::Relaxed, Ordering::Relaxed)
        .is_ok()
}

impl Past {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    fn take_in(&self, kept: Kept) {
        let ring = self.ring();
        let number = ring.moved.fetch_add(1, Ordering::Relaxed);
        ring.calls[number as usize % KEPT].store(kept.0, Ordering::Relaxed);
    }

    fn ring(&self) -> &Ring {
        let none = || {
            Box::new(Ring {
                moved: AtomicU64::new(0),
                calls: std::array::from_fn(|_| AtomicU64::new(0)),
            })
        };
        self.0.get_or_init(none)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::locate::Ending;

    fn call(started: u32) -> Call {
        Call {
            started,
            ending: Ending::Success,
            route: 255,
            method: 255,
        }
    }

    fn kept(number: u32) -> Kept {
        Kept::new(Some(Record::pack(call(number))), Some(Duration::ZERO))
    }

    fn read(recent: &Recent, past: &Past) -> Vec<u32> {
        let mut started: Vec<u32> = recent.read(past).map(|call| call.started).collect();
        started.sort_unstable();
        started
    }

    /// How many calls were learned from, and how many they stand for.
    fn learned(recent: &Recent, past: &Past, calls: u64) -> (u32, u32) {
        let mut learned = (0, 0);
        recent.learn(past, calls, |bucket, calls| {
            assert_eq!(bucket, 0);
            learned = (learned.0 + 1, learned.1 + calls);
        });
        learned
    }

    #[test]
    fn a_call_is_kept_as_it_was_whatever_is_known_of_it() {
        let record = Record::pack(call(u32::MAX));
        for took in [None, Some(Duration::ZERO), Some(Duration::MAX)] {
            for record in [None, Some(record)] {
                let kept = Kept::new(record, took);
                assert_eq!(kept.record(), record.unwrap_or_default());
                assert_eq!(kept.bucket(), took.map(bucket));
            }
        }
        assert_eq!(Kept::new(None, None), Kept::default());
    }

    #[test]
    fn of_one_that_is_well_the_last_few_stand_for_all() {
        let (recent, past, few) = (Recent::new(), Past::new(), AT_HAND as u32);
        (0..1_000).for_each(|number| recent.write(number as u16, kept(number)));
        assert!(past.0.get().is_none());
        assert_eq!(
            read(&recent, &past),
            (1_000 - few..1_000).collect::<Vec<_>>()
        );
        assert_eq!(learned(&recent, &past, 1_000), (few, 1_000));
        assert_eq!(
            learned(&recent, &past, 0),
            (0, 0),
            "each is learned from once"
        );
    }

    #[test]
    fn what_a_call_took_joins_its_record() {
        let (recent, past) = (Recent::new(), Past::new());
        recent.write(7, Kept::new(Some(Record::pack(call(7))), None));
        assert_eq!(learned(&recent, &past, 0).0, 0);
        recent.write(7, Kept::new(None, Some(Duration::ZERO)));
        assert_eq!(
            (read(&recent, &past), learned(&recent, &past, 1)),
            (vec![7], (1, 1))
        );
    }

    proptest! {
        #[test]
        fn of_one_that_is_not_no_call_is_lost_in_whatever_order_they_end(
            order in Just((0..KEPT as u32).collect::<Vec<_>>()).prop_shuffle(),
            looks in 1_usize..40,
        ) {
            let (recent, past, mut calls) = (Recent::new(), Past::new(), 0);
            for (ended, number) in order.into_iter().enumerate() {
                recent.write_before(number as u16, kept(number), &past);
                if ended % looks == 0 {
                    calls += learned(&recent, &past, 0).0;
                }
            }
            calls += learned(&recent, &past, 0).0;
            prop_assert_eq!(read(&recent, &past), (0..KEPT as u32).collect::<Vec<_>>());
            prop_assert_eq!(calls as usize, KEPT);
        }
    }
}

#[cfg(all(test, loom))]
mod loom {
    use ::loom::thread::spawn;

    use super::*;
    use crate::{locate::Ending, sync::Arc};

    #[test]
    fn every_call_is_kept_and_learned_from_once() {
        ::loom::model(|| {
            let recent = Arc::new((Recent::new(), Past::new()));
            recent.1.ring();
            let write = |number: u16| {
                let recent = Arc::clone(&recent);
                let call = Call {
                    started: u32::from(number),
                    ending: Ending::Late,
                    route: 0,
                    method: 0,
                };
                let kept = Kept::new(Some(Record::pack(call)), Some(Duration::ZERO));
                spawn(move || recent.0.write_before(number, kept, &recent.1))
            };
            // Two share a place.
            let writers = [write(0), write(2)];
            let mut learned = 0;
            recent.0.learn(&recent.1, 0, |_, _| learned += 1);
            writers
                .into_iter()
                .for_each(|writer| writer.join().unwrap());
            recent.0.learn(&recent.1, 0, |_, _| learned += 1);
            let calls = recent.0.read(&recent.1);
            let mut kept: Vec<u32> = calls.map(|call| call.started).collect();
            kept.sort_unstable();
            assert_eq!((kept, learned), (vec![0, 2], 2));
        });
    }
}
