//! Calls that are refused because others were turned down.

use std::time::Duration;

use super::{shard::Shard, state::State, word::Word};
use crate::{
    Nanos, Refusal,
    limit::{Throttle, Totals},
    refusal::Limiter,
    stats::Counters,
    sync::{AtomicU64, Mutex, Ordering, lock},
};

/// How often it is looked at what is turned down.
const EVERY: Duration = Duration::from_millis(100);

/// Once in so long a call is sent, whatever share is refused: somebody has to find out.
const AT_LEAST_EVERY: Duration = Duration::from_secs(1);

/// 2³² over the golden ratio: multiples of it spread evenly over the circle (Weyl), so that of any n calls in turn n times
/// the share are refused, give or take one or two. A draw would do it less evenly, and would have to be drawn.
const GOLDEN: u64 = 0x9e37_79b9;

/// The part of a throttle that calls read. Nothing in it is written before a call is turned down.
#[derive(Debug)]
pub(super) struct Throttled {
    /// When to look again.
    look_at: AtomicU64,
    /// When one was last sent that was to be refused.
    spared: AtomicU64,
    /// Until when the service said that it wants to be left alone.
    until: AtomicU64,
    /// Made when a call is first turned down.
    state: Mutex<Option<Box<Throttle>>>,
}

impl Throttled {
    pub(super) fn new() -> Self {
        Self {
            look_at: AtomicU64::new(0),
            spared: AtomicU64::new(0),
            until: AtomicU64::new(0),
            state: Mutex::new(None),
        }
    }
}

impl State {
    /// Refuses its share of calls, while calls are turned down.
    pub(super) fn throttle(&self, word: Word, shard: &Shard, now: Nanos) -> Result<(), Refusal> {
        // Relaxed: with an old share one call more is refused, or less.
        if self.throttled_share.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        self.throttle_more(word, shard, now)
    }

    #[cold]
    fn throttle_more(&self, word: Word, shard: &Shard, now: Nanos) -> Result<(), Refusal> {
        let throttled = &self.throttled;
        self.look_at_throttle(now);
        let share = u64::from(self.throttled_share.load(Ordering::Relaxed));
        let place = (shard.counters.asked().wrapping_mul(GOLDEN)) & u64::from(u32::MAX);
        // A probe finds out whether it is well, which is another question.
        if place >= share || !word.flows() || word.is_disabled() || self.spares_one(now) {
            return Ok(());
        }
        shard.counters.throttled();
        let wait = Nanos::new(throttled.until.load(Ordering::Relaxed)).since(now);
        Err(Refusal::Overloaded {
            by: Limiter::Throttle,
            retry_after: (!wait.is_zero()).then_some(wait),
        })
    }

    fn spares_one(&self, now: Nanos) -> bool {
        let spared = &self.throttled.spared;
        let before = spared.load(Ordering::Relaxed);
        now.since(Nanos::new(before)) >= AT_LEAST_EVERY
            && spared
                .compare_exchange(before, now.as_u64(), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// A call was turned down; perhaps it was said for how long to stay away.
    #[cold]
    pub(super) fn turned_down(&self, hint: Option<Duration>, now: Nanos) {
        if self.destination.rules.throttled().is_off() {
            return;
        }
        // How long it is busy is not said by whoever only forbids the same call.
        if let Some(hint) = hint.filter(|hint| *hint < Duration::MAX) {
            let until = now.after(hint).as_u64();
            self.throttled.until.store(until, Ordering::Relaxed);
        }
        self.look_at_throttle(now);
    }

    fn look_at_throttle(&self, now: Nanos) {
        let throttled = &self.throttled;
        // Farther off than it can be, it was set by a clock that was set back since.
        let at = Nanos::new(throttled.look_at.load(Ordering::Relaxed));
        if now < at && at <= now.after(EVERY) {
            return;
        }
        let mut state = lock(&throttled.state);
        let next = now.after(EVERY).as_u64();
        if throttled.look_at.swap(next, Ordering::Relaxed) != at.as_u64() {
            // Somebody else has looked.
            return;
        }
        let sum =
            |count: fn(&Counters) -> u64| self.shards().map(|shard| count(&shard.counters)).sum();
        // Turned down first: of what has ended then, the beginning is counted.
        let totals = Totals {
            turned_down: sum(Counters::turned_down),
            throttled: sum(Counters::throttled_so_far),
            sent: sum(Counters::begun),
        };
        let policy = self.destination.rules.throttled();
        let throttle = state.get_or_insert_with(|| Box::new(Throttle::new(policy, self.born())));
        // Between 0 and 2³²; the cast saturates.
        let share = (throttle.look(totals, now) * (1_u64 << 32) as f64) as u32;
        self.throttled_share.store(share, Ordering::Relaxed);
    }

    /// The share of calls that are refused because others were turned down.
    pub(super) fn throttled_share(&self) -> f64 {
        f64::from(self.throttled_share.load(Ordering::Relaxed)) / (1_u64 << 32) as f64
    }
}
