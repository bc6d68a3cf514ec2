//! Whether calls are answered, and in the order in which they came.

use std::time::Duration;

use crate::{
    Nanos,
    sync::{AtomicU64, Ordering},
};

/// Who stands in line is asked for again after this part of the time that nobody may have been answered for.
const PART: u32 = 4;

/// No sooner than timers tell apart.
const LEAST: Duration = Duration::from_millis(1);

/// Times are told apart by 2¹³ ns, 8 µs; they wrap after 9.8 hours, and what is longer ago than half of that looks like new.
const TICK: u32 = 13;

/// The last answer, in one word: when its call began, and when it came.
#[derive(Debug, Default)]
pub(crate) struct Line(AtomicU64);

impl Line {
    #[inline]
    pub(crate) fn answered(&self, began: Nanos, now: Nanos) {
        // Relaxed, here and below: the word stands for itself, and of two answers at once either may be the last.
        let word = u64::from(tick(began)) << 32 | u64::from(tick(now));
        self.0.store(word, Ordering::Relaxed);
    }

    /// For how long no call has been answered: what we gave up is no answer.
    pub(crate) fn quiet(&self, now: Nanos) -> Duration {
        ago(now, self.0.load(Ordering::Relaxed))
    }

    /// Does a call begun at `began` stand in a line that moves? Nobody who came after it was answered before it, and somebody was within
    /// `patience`. Tells after how long that is to be asked again.
    pub(crate) fn holds(&self, began: Nanos, now: Nanos, patience: Duration) -> Option<Duration> {
        let word = self.0.load(Ordering::Relaxed);
        let passed_by = since(tick(began), (word >> 32) as u32) < 0;
        let ago = ago(now, word);
        (!passed_by && ago < patience).then(|| (patience - ago).min(patience / PART).max(LEAST))
    }
}

/// How long ago the last answer came. As far ahead it was read from a clock that was set back since.
const fn ago(now: Nanos, word: u64) -> Duration {
    let ago = since(tick(now), word as u32).unsigned_abs();
    Duration::from_nanos((ago as u64) << TICK)
}

const fn tick(at: Nanos) -> u32 {
    (at.as_u64() >> TICK) as u32
}

/// From `then` to `now`; less than nothing, if that lies ahead.
const fn since(now: u32, then: u32) -> i32 {
    now.wrapping_sub(then).cast_signed()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(40);

    fn at(millis: u64) -> Nanos {
        Nanos::ZERO.after(Duration::from_millis(millis))
    }

    /// What becomes of a call begun at 100 that is looked after at 150, when the last answer was to one begun then and came then.
    fn last_answer(began: u64, came: u64) -> Option<Duration> {
        let line = Line::default();
        line.answered(at(began), at(came));
        line.holds(at(100), at(150), PATIENCE)
    }

    #[test]
    fn whoever_waits_for_others_before_it_to_be_answered_stands_in_line() {
        assert_eq!(last_answer(90, 149), Some(PATIENCE / 4));
        assert_eq!(last_answer(100, 149), Some(PATIENCE / 4));
        let soon = last_answer(90, 112).unwrap();
        assert!(
            soon.abs_diff(Duration::from_millis(2)) < Duration::from_micros(20),
            "{soon:?}"
        );
    }

    #[test]
    fn whoever_is_passed_by_does_not() {
        assert_eq!(last_answer(101, 149), None);
    }

    #[test]
    fn a_line_that_does_not_move_is_none() {
        assert_eq!(last_answer(90, 110), None);
        let none = Line::default().holds(at(100), at(150), PATIENCE);
        assert_eq!(none, None);
    }

    #[test]
    fn it_is_quiet_since_the_last_answer() {
        let line = Line::default();
        line.answered(at(90), at(110));
        let quiet = line.quiet(at(150));
        assert!(
            quiet.abs_diff(PATIENCE) < Duration::from_micros(20),
            "{quiet:?}"
        );
    }

    #[test]
    fn an_answer_of_a_time_that_is_yet_to_come_says_nothing() {
        assert_eq!(last_answer(90, 3_600_000), None);
        assert_eq!(last_answer(90, 151), Some(PATIENCE / 4));
    }

    #[test]
    fn times_may_wrap() {
        let line = Line::default();
        let [began, came, now] = [-10_000, -1, 5_000].map(|micros: i64| {
            let wraps = 1_u64 << (32 + TICK);
            Nanos::new(wraps.saturating_add_signed(micros * 1_000))
        });
        line.answered(began, came);
        assert!(line.holds(began, now, PATIENCE).is_some());
        line.answered(now, now);
        assert!(line.holds(came, now, PATIENCE).is_none());
    }
}
