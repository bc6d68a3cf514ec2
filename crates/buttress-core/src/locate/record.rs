//! One call in one word, as an endpoint's flight recorder keeps it.

use crate::{Cause, Nanos, Outcome, Sign};

/// One call, packed: 32 bits of milliseconds, 8 of method, 8 of route, 4 of ending. Zero is an empty slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record(u64);

/// One call, as a record tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// When it began, in milliseconds that wrap after 49 days.
    pub(crate) started: u32,
    /// How it ended.
    pub(crate) ending: Ending,
    /// Which route; 0 if none was told.
    pub(crate) route: u8,
    /// Which method; 0 if none was told.
    pub(crate) method: u8,
}

/// How a call ended, as far as it says something of where a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The endpoint did its job.
    Success,
    /// The endpoint failed.
    Failure(Cause),
    /// It was given up, or is still awaited, when healthy calls have long been answered.
    Late,
    /// The endpoint had too much to do.
    Overload,
    /// The caller was at fault.
    CallerFault,
}

const ENDING_BITS: u32 = 4;
const ROUTE_AT: u32 = ENDING_BITS;
const METHOD_AT: u32 = ROUTE_AT + 8;
const STARTED_AT: u32 = 32;

/// Endings other than failures; those follow in the order of [`Cause::ALL`]. Zero stays free for the empty slot.
const SUCCESS: u64 = 1;
const LATE: u64 = 2;
const OVERLOAD: u64 = 3;
const CALLER_FAULT: u64 = 4;
const FAILURE: u64 = 5;

const _: () = assert!(FAILURE + Cause::ALL.len() as u64 <= 1 << ENDING_BITS);

impl Record {
    /// Bits that it leaves to whoever keeps it, and how many they are.
    pub(crate) const SPARE_AT: u32 = METHOD_AT + 8;
    pub(crate) const SPARE: u32 = STARTED_AT - Self::SPARE_AT;

    pub(crate) fn pack(call: Call) -> Self {
        Self(
            call.ending.code()
                | u64::from(call.route) << ROUTE_AT
                | u64::from(call.method) << METHOD_AT
                | u64::from(call.started) << STARTED_AT,
        )
    }

    /// The call, unless the slot is empty.
    pub(crate) fn unpack(self) -> Option<Call> {
        let byte = |at: u32| (self.0 >> at) as u8;
        Some(Call {
            started: (self.0 >> STARTED_AT) as u32,
            ending: Ending::of_code(self.0 & ((1 << ENDING_BITS) - 1))?,
            route: byte(ROUTE_AT),
            method: byte(METHOD_AT),
        })
    }

    /// As a word, for an atomic slot.
    pub(crate) const fn to_bits(self) -> u64 {
        self.0
    }

    /// From a word; one that was never packed is an empty slot or another call, and does no harm.
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl Call {
    /// The milliseconds of a point in time.
    pub(crate) const fn millis(at: Nanos) -> u32 {
        (at.as_u64() / 1_000_000) as u32
    }

    /// Did it begin at `since` or later, as seen at `now`? Wrong only about calls older than 49 days.
    ///
    /// Beware: whole milliseconds, rounded down on both sides, so that a call of the same millisecond counts.
    pub(crate) const fn began_since(&self, since: Nanos, now: Nanos) -> bool {
        let age = Self::millis(now).wrapping_sub(self.started);
        age <= Self::millis(now).wrapping_sub(Self::millis(since))
    }
}

impl Ending {
    /// The ending that an outcome is; none if it says nothing, or was no call at all.
    pub(crate) const fn of(outcome: Outcome) -> Option<Self> {
        Some(match outcome {
            Outcome::Success => Self::Success,
            Outcome::Failure(cause) => Self::Failure(cause),
            Outcome::Late => Self::Late,
            Outcome::Overload(_) => Self::Overload,
            Outcome::CallerFault => Self::CallerFault,
            Outcome::Refused | Outcome::Cancelled => return None,
        })
    }

    /// What it says of whoever answered.
    pub(crate) const fn sign(self) -> Sign {
        match self {
            Self::Success | Self::CallerFault => Sign::Good,
            Self::Failure(_) | Self::Late => Sign::Bad,
            Self::Overload => Sign::Silent,
        }
    }

    const fn code(self) -> u64 {
        match self {
            Self::Success => SUCCESS,
            Self::Late => LATE,
            Self::Overload => OVERLOAD,
            Self::CallerFault => CALLER_FAULT,
            Self::Failure(cause) => FAILURE + cause.index() as u64,
        }
    }

    fn of_code(code: u64) -> Option<Self> {
        Some(match code {
            SUCCESS => Self::Success,
            LATE => Self::Late,
            OVERLOAD => Self::Overload,
            CALLER_FAULT => Self::CallerFault,
            _ => {
                let index = usize::try_from(code.checked_sub(FAILURE)?).ok()?;
                Self::Failure(*Cause::ALL.get(index)?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn endings() -> impl Strategy<Value = Ending> {
        let mut all = vec![
            Ending::Success,
            Ending::Late,
            Ending::Overload,
            Ending::CallerFault,
        ];
        all.extend(Cause::ALL.map(Ending::Failure));
        prop::sample::select(all)
    }

    #[test]
    fn an_empty_slot_is_no_call() {
        assert_eq!(Record::default().unpack(), None);
    }

    #[test]
    fn endings_say_what_their_outcomes_say() {
        let mut outcomes = vec![
            Outcome::Success,
            Outcome::Late,
            Outcome::Overload(Some(Duration::from_secs(1))),
            Outcome::CallerFault,
        ];
        outcomes.extend(Cause::ALL.map(Outcome::Failure));
        for outcome in outcomes {
            assert_eq!(Ending::of(outcome).map(Ending::sign), Some(outcome.sign()));
        }
        for silent in [Outcome::Refused, Outcome::Cancelled] {
            assert_eq!(Ending::of(silent), None);
        }
    }

    #[test]
    fn ages_survive_the_wrap() {
        const WRAP: u64 = 1 << 32;
        let at = |millis: u64| Nanos::new(millis * 1_000_000);
        let call = Call {
            started: Call::millis(at(WRAP - 5)),
            ending: Ending::Late,
            route: 0,
            method: 0,
        };
        assert!(call.began_since(at(WRAP - 5), at(WRAP + 10)));
        assert!(call.began_since(at(WRAP - 9), at(WRAP + 10)));
        assert!(!call.began_since(at(WRAP - 4), at(WRAP + 10)));
        assert!(!call.began_since(at(WRAP + 3), at(WRAP + 10)));
    }

    proptest! {
        #[test]
        fn every_call_survives_its_word(started: u32, ending in endings(), route: u8, method: u8) {
            let call = Call { started, ending, route, method };
            let record = Record::from_bits(Record::pack(call).to_bits());
            prop_assert_eq!(record.unpack(), Some(call));
            prop_assert_ne!(record, Record::default());
        }

        #[test]
        fn no_word_makes_it_panic(bits: u64) {
            let _ = Record::from_bits(bits).unpack();
        }
    }
}
