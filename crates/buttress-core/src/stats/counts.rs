//! How many attempts ended how.

use std::sync::OnceLock;

use crate::{
    Cause, Outcome,
    sync::{AtomicU64, Ordering},
};

/// How many attempts ended how, since the endpoint is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Counts {
    /// Permitted.
    pub started: u64,
    /// Ended well.
    pub successes: u64,
    /// Failed, by cause.
    pub failures: Causes,
    /// Given up unanswered, long after healthy calls are answered.
    pub late: u64,
    /// Answered with overload.
    pub overloads: u64,
    /// Answered that the caller is at fault.
    pub caller_faults: u64,
    /// Stopped by us before they were sent.
    pub refused: u64,
    /// Given up by their caller.
    pub cancelled: u64,
    /// Not permitted: the breaker was open.
    pub rejected: u64,
    /// Not permitted: as many calls were under way as may be, and no place came free in time.
    pub limited: u64,
    /// Not permitted: throttled, for it turned calls down.
    pub throttled: u64,
    /// Not permitted: turned away for those that matter more, while too many waited.
    pub shed: u64,
}

impl Counts {
    /// Attempts that ended.
    #[must_use]
    pub fn finished(&self) -> u64 {
        self.successes
            + self.failures.total()
            + self.late
            + self.overloads
            + self.caller_faults
            + self.refused
            + self.cancelled
    }

    /// Attempts under way.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.started.saturating_sub(self.finished())
    }
}

/// A count for each [`Cause`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Causes([u64; Cause::ALL.len()]);

impl Causes {
    /// How many failed of `cause`.
    #[must_use]
    pub const fn of(&self, cause: Cause) -> u64 {
        self.0[cause.index()]
    }

    /// How many failed.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Each cause that occurred, with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Cause, u64)> + '_ {
        Cause::ALL
            .into_iter()
            .map(|cause| (cause, self.of(cause)))
            .filter(|(_, count)| *count > 0)
    }

    pub(crate) const fn none() -> Self {
        Self([0; Cause::ALL.len()])
    }

    pub(crate) const fn add(&mut self, cause: Cause) {
        self.0[cause.index()] += 1;
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Causes {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.iter().map(|(cause, count)| (cause.name(), count)))
    }
}

/// Slots of a tally: the two that healthy calls write, the other outcomes, the causes, then our own refusals.
const STARTED: usize = 0;
const SUCCESS: usize = 1;
/// From here on.
const SELDOM: usize = 2;
const REJECTED: usize = 2;
const OVERLOAD: usize = 3;
const CALLER_FAULT: usize = 4;
const REFUSED: usize = 5;
const CANCELLED: usize = 6;
const LATE: usize = 7;
const FAILURE: usize = 8;
const LIMITED: usize = FAILURE + Cause::ALL.len();
const THROTTLED: usize = LIMITED + 1;
const SHED: usize = THROTTLED + 1;
const SLOTS: usize = SHED + 1;

/// The counters of one lane.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Counters {
    often: [AtomicU64; SELDOM],
    /// Made when first there is something to count.
    seldom: OnceLock<Box<[AtomicU64; SLOTS - SELDOM]>>,
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self {
            often: [AtomicU64::new(0), AtomicU64::new(0)],
            seldom: OnceLock::new(),
        }
    }

    /// The same, with a place for all that is counted.
    pub(crate) fn whole() -> Self {
        let counters = Self::new();
        counters.seldom();
        counters
    }

    /// Counts a call that begins, and gives its number.
    pub(crate) fn started(&self) -> u64 {
        self.bump(STARTED, Ordering::Relaxed)
    }

    pub(crate) fn rejected(&self) {
        self.bump(REJECTED, Ordering::Relaxed);
    }

    pub(crate) fn limited(&self) {
        self.bump(LIMITED, Ordering::Relaxed);
    }

    pub(crate) fn shed(&self) {
        self.bump(SHED, Ordering::Relaxed);
    }

    pub(crate) fn throttled(&self) {
        self.bump(THROTTLED, Ordering::Relaxed);
    }

    pub(crate) fn finished(&self, outcome: Outcome) {
        let slot = match outcome {
            Outcome::Success => SUCCESS,
            Outcome::Late => LATE,
            Outcome::Overload(_) => OVERLOAD,
            Outcome::CallerFault => CALLER_FAULT,
            Outcome::Refused => REFUSED,
            Outcome::Cancelled => CANCELLED,
            Outcome::Failure(cause) => FAILURE + cause.index(),
        };
        // Release: pairs with the Acquire in `read`; whoever counts an end counts its beginning.
        self.bump(slot, Ordering::Release);
    }

    /// Calls that ended with a sign of health.
    pub(crate) fn good(&self) -> u64 {
        self.read(SUCCESS) + self.read(CALLER_FAULT)
    }

    /// Calls that began.
    pub(crate) fn begun(&self) -> u64 {
        self.read(STARTED)
    }

    /// Calls that failed.
    pub(crate) fn failures(&self) -> u64 {
        (FAILURE..LIMITED).map(|slot| self.read(slot)).sum()
    }

    /// Calls that ended as calls to somebody overloaded do: turned down, or unanswered.
    pub(crate) fn overloaded(&self) -> u64 {
        self.read(OVERLOAD) + self.read(FAILURE + Cause::Timeout.index())
    }

    /// Calls that were answered with overload.
    pub(crate) fn turned_down(&self) -> u64 {
        self.read(OVERLOAD)
    }

    /// Calls that were throttled.
    pub(crate) fn throttled_so_far(&self) -> u64 {
        self.read(THROTTLED)
    }

    /// Calls that began or were throttled: a number for the next of them.
    pub(crate) fn asked(&self) -> u64 {
        self.read(STARTED) + self.read(THROTTLED)
    }

    fn read(&self, slot: usize) -> u64 {
        let counter = match slot.checked_sub(SELDOM) {
            None => self.often.get(slot),
            Some(slot) => self.seldom.get().and_then(|seldom| seldom.get(slot)),
        };
        counter.map_or(0, |counter| counter.load(Ordering::Acquire))
    }

    #[inline]
    fn bump(&self, slot: usize, order: Ordering) -> u64 {
        let counter = match slot.checked_sub(SELDOM) {
            None => self.often.get(slot),
            Some(slot) => self.seldom().get(slot),
        };
        // Relaxed would do for sums: readers want no moments.
        counter.map_or(0, |counter| counter.fetch_add(1, order))
    }

    fn seldom(&self) -> &[AtomicU64; SLOTS - SELDOM] {
        let none = || Box::new(std::array::from_fn(|_| AtomicU64::new(0)));
        self.seldom.get_or_init(none)
    }
}

impl Counts {
    pub(crate) fn sum(counters: &[&Counters]) -> Self {
        let sum = |slot: usize| counters.iter().map(|tally| tally.read(slot)).sum();
        Self {
            // Read before what is started, which is then never less than what has ended; see `Counters::finished`.
            failures: Causes(std::array::from_fn(|cause| sum(FAILURE + cause))),
            cancelled: sum(CANCELLED),
            refused: sum(REFUSED),
            caller_faults: sum(CALLER_FAULT),
            overloads: sum(OVERLOAD),
            late: sum(LATE),
            successes: sum(SUCCESS),
            rejected: sum(REJECTED),
            limited: sum(LIMITED),
            throttled: sum(THROTTLED),
            shed: sum(SHED),
            started: sum(STARTED),
        }
    }
}

#[cfg(all(test, loom))]
mod loom {
    use ::loom::thread::spawn;

    use super::*;
    use crate::sync::Arc;

    #[test]
    fn sums_are_exact_and_calls_of_one_lane_have_numbers_of_their_own() {
        ::loom::model(|| {
            let counters = Arc::new(Counters::whole());
            let call = |outcome| {
                let counters = Arc::clone(&counters);
                spawn(move || {
                    let number = counters.started();
                    counters.finished(outcome);
                    number
                })
            };
            let calls = [Outcome::Success, Outcome::Success].map(call);
            let mut numbers = calls.map(|call| call.join().unwrap());
            numbers.sort_unstable();
            assert_eq!(numbers, [0, 1]);
            let sum = Counts::sum(&[&counters]);
            assert_eq!((sum.started, sum.successes, sum.finished()), (2, 2, 2));
        });
    }

    #[test]
    fn no_reader_sees_an_end_without_its_beginning() {
        ::loom::model(|| {
            let counters = Arc::new(Counters::whole());
            let call = |outcome| {
                let counters = Arc::clone(&counters);
                spawn(move || {
                    counters.started();
                    counters.finished(outcome);
                })
            };
            let calls = [Outcome::Success, Outcome::Cancelled].map(call);
            let sum = Counts::sum(&[&counters]);
            assert!(sum.finished() <= sum.started, "{sum:?}");
            calls.into_iter().for_each(|call| call.join().unwrap());
        });
    }
}
