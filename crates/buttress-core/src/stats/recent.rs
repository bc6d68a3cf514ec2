//! The last calls of one lane, and what they took.

use std::{sync::OnceLock, time::Duration};

use super::bucket;
use crate::{
    locate::{Call, Record},
    sync::{AtomicU64, Ordering},
};

/// Calls at hand: half a line of memory.
const AT_HAND: usize = if cfg!(all(test, loom)) { 2 } else { 4 };

/// Calls that an endpoint of a large set keeps. A fault of one call in five shows in some dozens.
const KEPT: usize = if cfg!(all(test, loom)) { 4 } else { 64 };

/// The last calls of the only lane of an endpoint, those that were not moved yet.
///
/// Where there are few calls for many endpoints, a line of memory that each call would write to for itself is a cold one:
/// so it is put at hand, and all of them are moved when that is full.
#[derive(Debug)]
pub(crate) struct AtHand([AtomicU64; AT_HAND]);

/// The last calls of the only lane of an endpoint, made when the first of them are moved.
#[derive(Debug)]
pub(crate) struct Past(OnceLock<Box<Ring>>);

#[derive(Debug)]
#[repr(C)]
struct Ring {
    /// How many were moved here.
    moved: AtomicU64,
    calls: [AtomicU64; KEPT],
    /// Of how many it was looked at what they took.
    learned: AtomicU64,
}

/// One call: its record, and the bucket of what it took, which begins at one, in bits that a record leaves. Zero is
/// an empty place.
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
        ((self.0 & BUCKET) >> BUCKET_AT)
            .checked_sub(1)
            .map(|bucket| bucket as usize)
    }

    const fn record(self) -> Record {
        Record::from_bits(self.0 & !BUCKET)
    }
}

impl AtHand {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    /// Puts the `number`th call at hand. May be said twice of a call: once of its record, once of what it took.
    #[inline]
    pub(crate) fn put(&self, number: u16, kept: Kept, past: &Past) {
        let place = number as usize % AT_HAND;
        // Relaxed, here and below: each word stands for itself, and whoever takes it out is the only one.
        let before = Kept(self.0[place].swap(kept.0, Ordering::Relaxed));
        // One that took long, or was left by those that moved the others.
        if before != Kept::default() {
            past.take_in([before]);
        }
        if place == AT_HAND - 1 {
            self.settle(past);
        }
    }

    /// Moves what is at hand to where it is kept.
    #[inline(never)]
    pub(crate) fn settle(&self, past: &Past) {
        let taken = self.0.each_ref().map(|place| {
            // Most places are empty where calls are few.
            Kept(match place.load(Ordering::Relaxed) {
                0 => 0,
                _ => place.swap(0, Ordering::Relaxed),
            })
        });
        if taken.iter().any(|kept| *kept != Kept::default()) {
            past.take_in(taken);
        }
    }
}

impl Past {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    fn take_in<const COUNT: usize>(&self, taken: [Kept; COUNT]) {
        let ring = self.ring();
        let taken = taken.into_iter().filter(|kept| *kept != Kept::default());
        let count = taken.clone().count() as u64;
        let number = ring.moved.fetch_add(count, Ordering::Relaxed);
        for (number, kept) in (number..).zip(taken) {
            ring.calls[number as usize % KEPT].store(kept.0, Ordering::Relaxed);
        }
    }

    /// The kept calls, in no order.
    pub(crate) fn read(&self) -> impl Iterator<Item = Call> + '_ {
        let kept = self.0.get().into_iter().flat_map(|ring| &ring.calls);
        kept.filter_map(|kept| Kept(kept.load(Ordering::Relaxed)).record().unpack())
    }

    /// What calls took since this was last asked, each with how many it stands for: itself, and those that were overwritten.
    pub(crate) fn learn(&self, mut each: impl FnMut(usize, u32)) {
        let Some(ring) = self.0.get() else { return };
        let moved = ring.moved.load(Ordering::Relaxed);
        let before = ring.learned.swap(moved, Ordering::Relaxed);
        let new = moved.saturating_sub(before);
        let (whole, rest) = (new / KEPT as u64, new % KEPT as u64);
        for (number, kept) in (0..).zip(&ring.calls) {
            let seen = Kept(kept.load(Ordering::Relaxed));
            let Some(bucket) = seen.bucket() else {
                continue;
            };
            let heard = seen.0 & !BUCKET;
            // Another call has taken its place meanwhile: that one is for the next time.
            if (kept.compare_exchange(seen.0, heard, Ordering::Relaxed, Ordering::Relaxed)).is_err()
            {
                continue;
            }
            let stands_for = whole + u64::from(number < rest);
            each(bucket, u32::try_from(stands_for.max(1)).unwrap_or(u32::MAX));
        }
    }

    fn ring(&self) -> &Ring {
        self.0.get_or_init(|| Box::new(Ring::new()))
    }
}

impl Ring {
    fn new() -> Self {
        Self {
            moved: AtomicU64::new(0),
            calls: std::array::from_fn(|_| AtomicU64::new(0)),
            learned: AtomicU64::new(0),
        }
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

    /// Calls that were moved, and those that were not.
    struct Recent(AtHand, Past);

    fn recent() -> Recent {
        Recent(AtHand::new(), Past::new())
    }

    fn put(recent: &Recent, number: u32) {
        let record = Some(Record::pack(call(number)));
        let kept = Kept::new(record, Some(Duration::ZERO));
        recent.0.put(number as u16, kept, &recent.1);
    }

    fn read(Recent(at_hand, past): &Recent) -> Vec<u32> {
        at_hand.settle(past);
        let mut started: Vec<u32> = past.read().map(|call| call.started).collect();
        started.sort_unstable();
        started
    }

    fn learned(Recent(at_hand, past): &Recent) -> u32 {
        at_hand.settle(past);
        let mut learned = 0;
        past.learn(|bucket, calls| {
            assert_eq!(bucket, 0);
            learned += calls;
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

    proptest! {
        #[test]
        fn no_call_is_lost_in_whatever_order_they_end(
            order in Just((0..KEPT as u32).collect::<Vec<_>>()).prop_shuffle(),
            looks in 1_usize..40,
        ) {
            let (recent, mut calls) = (recent(), 0);
            for (ended, number) in order.into_iter().enumerate() {
                put(&recent, number);
                if ended % looks == 0 {
                    calls += learned(&recent);
                }
            }
            calls += learned(&recent);
            prop_assert_eq!(read(&recent), (0..KEPT as u32).collect::<Vec<_>>());
            prop_assert_eq!(calls as usize, KEPT);
        }
    }

    #[test]
    fn keeps_the_last_ones_which_stand_for_all() {
        let recent = recent();
        let count = KEPT as u32;
        for (from, to) in [(0, 10 * count + 7), (10 * count + 7, 10 * count + 12)] {
            (from..to).for_each(|number| put(&recent, number));
            assert_eq!(learned(&recent), to - from);
            assert_eq!(read(&recent), (to - count..to).collect::<Vec<_>>());
        }
        assert_eq!(learned(&recent), 0, "each is learned from once");
    }
}

#[cfg(all(test, loom))]
mod loom {
    use ::loom::thread::spawn;

    use super::*;
    use crate::{locate::Ending, sync::Arc};

    #[test]
    fn every_call_is_moved_once_whoever_moves_it() {
        ::loom::model(|| {
            let recent = Arc::new((AtHand::new(), Past::new()));
            recent.1.ring();
            let put = |number: u16| {
                let recent = Arc::clone(&recent);
                let call = Call {
                    started: u32::from(number),
                    ending: Ending::Late,
                    route: 0,
                    method: 0,
                };
                let kept = Kept::new(Some(Record::pack(call)), Some(Duration::ZERO));
                spawn(move || recent.0.put(number, kept, &recent.1))
            };
            // Two share a place; the third is of the last, and moves all.
            let puts = [put(0), put(2), put(1)];
            let mut learned = 0;
            recent.0.settle(&recent.1);
            recent.1.learn(|_, calls| learned += calls);
            puts.into_iter().for_each(|put| put.join().unwrap());
            recent.0.settle(&recent.1);
            recent.1.learn(|_, calls| learned += calls);
            let mut kept: Vec<u32> = recent.1.read().map(|call| call.started).collect();
            kept.sort_unstable();
            assert_eq!((kept, learned), (vec![0, 1, 2], 3));
        });
    }
}
