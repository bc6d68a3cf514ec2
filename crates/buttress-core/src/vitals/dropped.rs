//! How many calls were dropped of late, for others were answered first.

use std::time::Duration;

use crate::{
    Nanos,
    sync::{AtomicU64, Ordering},
};

/// What servers that count dropped calls count them over: Netty's `decoderEnforceMaxRstFramesPerWindow`.
const WINDOW: Duration = Duration::from_secs(30);

/// In one word: which window it is, how many were dropped in the one before, and in this one.
#[derive(Debug, Default)]
pub(crate) struct Dropped(AtomicU64);

#[derive(Clone, Copy)]
struct Windows {
    number: u32,
    before: u16,
    now: u16,
}

impl Dropped {
    pub(crate) fn count(&self, now: Nanos) {
        // Relaxed, here and below: the word stands for itself.
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
                let windows = Windows::of(word).at(now);
                Some(
                    Windows {
                        now: windows.now.saturating_add(1),
                        ..windows
                    }
                    .word(),
                )
            });
    }

    /// At least as many as in any half minute that ends at `now`; at most as in the last whole one.
    pub(crate) fn of_late(&self, now: Nanos) -> u32 {
        let windows = Windows::of(self.0.load(Ordering::Relaxed)).at(now);
        u32::from(windows.before) + u32::from(windows.now)
    }
}

impl Windows {
    const fn of(word: u64) -> Self {
        Self {
            number: (word >> 32) as u32,
            before: (word >> 16) as u16,
            now: word as u16,
        }
    }

    const fn word(self) -> u64 {
        (self.number as u64) << 32 | (self.before as u64) << 16 | self.now as u64
    }

    /// The same, looked at then.
    fn at(self, now: Nanos) -> Self {
        let number = (now.as_u64() / WINDOW.as_nanos() as u64) as u32;
        match number.checked_sub(self.number) {
            Some(0) => self,
            Some(1) => Self {
                number,
                before: self.now,
                now: 0,
            },
            // Long ago; or counted by a clock that was set back since.
            _ => Self {
                number,
                before: 0,
                now: 0,
            },
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Nanos {
        Nanos::ZERO.after(Duration::from_secs(seconds))
    }

    #[test]
    fn none_of_the_last_half_minute_is_forgotten_and_none_is_kept_for_more_than_a_minute() {
        let dropped = Dropped::default();
        (0..200).for_each(|_| dropped.count(at(29)));
        assert_eq!([29, 30, 59].map(|now| dropped.of_late(at(now))), [200; 3]);
        dropped.count(at(59));
        assert_eq!(dropped.of_late(at(59)), 201);
        assert_eq!([60, 89, 90].map(|now| dropped.of_late(at(now))), [1, 1, 0]);
    }

    #[test]
    fn a_clock_that_is_set_back_forgets() {
        let dropped = Dropped::default();
        dropped.count(at(3_600));
        assert_eq!(dropped.of_late(at(1)), 0);
        dropped.count(at(1));
        assert_eq!(dropped.of_late(at(2)), 1);
    }

    #[test]
    fn too_many_are_as_many_as_there_is_room_for() {
        let dropped = Dropped::default();
        (0..70_000).for_each(|_| dropped.count(at(1)));
        assert_eq!(dropped.of_late(at(1)), u32::from(u16::MAX));
        assert_eq!(dropped.of_late(at(31)), u32::from(u16::MAX));
    }
}
