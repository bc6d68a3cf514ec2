//! The last calls of one lane, and what they took.

use std::{hint::black_box, sync::OnceLock, time::Duration};

use super::{Latency, Recorder, bucket};
use crate::{
    locate::{Call, Record},
    sync::{AtomicU64, Ordering},
};

/// Calls at hand: a line of memory.
const AT_HAND: usize = if cfg!(all(test, loom)) { 2 } else { 8 };

/// Calls that an endpoint of a large set keeps. A fault of one call in five shows in some dozens.
const FEW: usize = if cfg!(all(test, loom)) { 4 } else { 64 };

/// The last calls of one lane.
///
/// Where there are few lanes for many calls, each call is written to where it is to be read. Where there are few calls for
/// many endpoints, that would be two lines of memory more for each call, and both of them cold: there a call is put at hand,
/// and all of them are moved when that is full.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Recent {
    past: OnceLock<Box<Past>>,
    at_hand: [AtomicU64; AT_HAND],
}

/// What is kept of calls.
#[derive(Debug)]
struct Past {
    calls: Recorder,
    /// How many were moved here.
    moved: AtomicU64,
    /// Only where calls are moved here.
    latencies: Option<Box<Latency>>,
}

/// One call at hand: its record, and the bucket of what it took, which begins at one, in bits that a record leaves. Zero is
/// an empty place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept(u64);

const BUCKET_AT: u32 = Record::SPARE_AT;

const _: () = assert!(super::BUCKETS < 1 << Record::SPARE);

impl Kept {
    /// Of a call there may be a record, and what it took may be worth knowing.
    pub(crate) fn new(record: Option<Record>, took: Option<Duration>) -> Self {
        let bucket = took.map_or(0, |took| 1 + bucket(took) as u64);
        Self(record.map_or(0, Record::to_bits) | bucket << BUCKET_AT)
    }

    fn bucket(self) -> Option<usize> {
        let bucket = (self.0 >> BUCKET_AT) as usize & ((1 << Record::SPARE) - 1);
        bucket.checked_sub(1)
    }

    fn record(self) -> Option<Record> {
        let record = Record::from_bits(self.0 & !(((1 << Record::SPARE) - 1) << BUCKET_AT));
        (record != Record::default()).then_some(record)
    }
}

impl Recent {
    pub(crate) fn new() -> Self {
        Self {
            past: OnceLock::new(),
            at_hand: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Writes the `number`th call to where so many are kept, made when the first of them ends.
    #[inline]
    pub(crate) fn write(&self, number: u16, record: Record, keeps: usize) {
        let past = self.past.get_or_init(|| Past::new(keeps, None));
        past.calls.write(number, record);
    }

    /// Puts the `number`th call at hand. May be said twice of a call: once of its record, once of what it took.
    #[inline]
    pub(crate) fn put(&self, number: u16, kept: Kept) {
        let place = number as usize % AT_HAND;
        // Relaxed, here and below: each word stands for itself, and whoever takes it out is the only one.
        let before = Kept(self.at_hand[place].swap(kept.0, Ordering::Relaxed));
        // One that took long, or was left by those that moved the others.
        if before != Kept::default() {
            self.past().take_in(&[before]);
        }
        if place == AT_HAND - 1 {
            self.settle();
        }
    }

    /// Moves what is at hand to where it is kept.
    #[cold]
    pub(crate) fn settle(&self) {
        let taken = self.at_hand.each_ref().map(|place| {
            // Most places are empty where calls are few.
            Kept(match place.load(Ordering::Relaxed) {
                0 => 0,
                _ => place.swap(0, Ordering::Relaxed),
            })
        });
        if taken.iter().any(|kept| *kept != Kept::default()) {
            self.past().take_in(&taken);
        }
    }

    /// The kept calls, in no order; not those at hand.
    pub(crate) fn read(&self) -> impl Iterator<Item = Call> + '_ {
        let past = self.past.get();
        past.into_iter().flat_map(|past| past.calls.read())
    }

    /// How long calls took that were moved.
    pub(crate) fn latencies(&self) -> Option<&Latency> {
        self.past.get().and_then(|past| past.latencies.as_deref())
    }

    fn past(&self) -> &Past {
        let made = || Past::new(FEW, Some(Box::new(Latency::new())));
        self.past.get_or_init(made)
    }
}

impl Past {
    fn new(keeps: usize, latencies: Option<Box<Latency>>) -> Box<Self> {
        Box::new(Self {
            calls: Recorder::new(keeps),
            moved: AtomicU64::new(0),
            latencies,
        })
    }

    fn take_in(&self, taken: &[Kept]) {
        if let Some(latencies) = &self.latencies {
            let buckets = || taken.iter().filter_map(|kept| kept.bucket());
            // Read before they are counted, for reads are waited for together, and counts one by one.
            buckets().for_each(|bucket| _ = black_box(latencies.of(bucket)));
            buckets().for_each(|bucket| latencies.count(bucket));
        }
        let records = || taken.iter().filter_map(|kept| kept.record());
        let number = self
            .moved
            .fetch_add(records().count() as u64, Ordering::Relaxed);
        for (number, record) in (number..).zip(records()) {
            self.calls.write(number as u16, record);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
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

    fn latencies(recent: &Recent) -> Vec<(usize, u32)> {
        let mut known = Vec::new();
        if let Some(latencies) = recent.latencies() {
            latencies.drain(|bucket, count| known.push((bucket, count)));
        }
        known
    }

    #[test]
    fn a_call_is_kept_as_it_was_whatever_is_known_of_it() {
        let record = Record::pack(call(u32::MAX));
        for took in [None, Some(Duration::ZERO), Some(Duration::MAX)] {
            for record in [None, Some(record)] {
                let kept = Kept::new(record, took);
                assert_eq!((kept.record(), kept.bucket()), (record, took.map(bucket)));
            }
        }
        assert_eq!(Kept::new(None, None), Kept::default());
    }

    #[test]
    fn no_call_is_lost_in_whatever_order_they_end() {
        let recent = Recent::new();
        // Every third is overtaken by the dozen after it.
        let (late, soon): (Vec<u16>, Vec<u16>) = (0..48).partition(|number| number % 3 == 0);
        for number in soon.into_iter().chain(late) {
            let kept = Kept::new(
                Some(Record::pack(call(u32::from(number)))),
                Some(Duration::ZERO),
            );
            recent.put(number, kept);
        }
        recent.settle();
        let mut started: Vec<u32> = recent.read().map(|call| call.started).collect();
        started.sort_unstable();
        assert_eq!(started, (0..48).collect::<Vec<_>>());
        assert_eq!(latencies(&recent), [(0, 48)]);
    }

    #[test]
    fn keeps_the_last_ones_and_counts_all() {
        let recent = Recent::new();
        for number in 0..1_000_u32 {
            let kept = Kept::new(
                Some(Record::pack(call(number))),
                Some(Duration::from_millis(3)),
            );
            recent.put(number as u16, kept);
        }
        assert_eq!(recent.read().count(), FEW);
        assert!(recent.read().all(|call| call.started >= 1_000 - FEW as u32));
        assert_eq!(
            latencies(&recent),
            [(bucket(Duration::from_millis(3)), 1_000)]
        );
    }

    #[test]
    fn nothing_is_made_for_fewer_than_are_at_hand() {
        let counted = allocation_counter::measure(|| {
            let recent = Recent::new();
            (0..AT_HAND as u16 - 1)
                .for_each(|number| recent.put(number, Kept::new(None, Some(Duration::ZERO))));
        });
        assert_eq!(counted.count_total, 0);
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
            let recent = Arc::new(Recent::new());
            recent.past();
            let put = |number: u16| {
                let recent = Arc::clone(&recent);
                let call = Call {
                    started: u32::from(number),
                    ending: Ending::Late,
                    route: 0,
                    method: 0,
                };
                let kept = Kept::new(Some(Record::pack(call)), Some(Duration::ZERO));
                spawn(move || recent.put(number, kept))
            };
            // The first and the third share a place; the second moves all.
            let puts = [put(0), put(1), put(2)];
            recent.settle();
            puts.into_iter().for_each(|put| put.join().unwrap());
            recent.settle();
            let mut kept: Vec<u32> = recent.read().map(|call| call.started).collect();
            kept.sort_unstable();
            assert_eq!(kept, [0, 1, 2]);
            assert_eq!(recent.latencies().unwrap().of(0), 3);
        });
    }
}
