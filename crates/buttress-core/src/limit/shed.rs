//! Whom to turn away while more comes than can be done.
//!
//! The sign is that of CoDel (Nichols, Jacobson, 2012): calls wait in the queue, every one of them for longer than the
//! target, and that for a whole interval. A queue that empties now and then is doing its work. What is done is that of DAGOR
//! (Zhou et al., `SoCC` 2018): calls have levels, by priority first and by caller within it, and a threshold moves between
//! them, so that all calls of the same caller fare alike, and what consists of many calls is done whole or not at all.
//! Whoever waits below the threshold is turned away with it, and need not wait until he is gone by himself.
//!
//! The queue stays first come, first served (within a priority). Serving the newest first under overload would hide the
//! sign, for the newest do not wait, and would win little: nobody waits for longer than the policy lets him, what is below
//! the threshold is gone from the queue within an interval, and what has passed its deadline is not begun.

use std::time::Duration;

use super::queue::RANK_AT;
use crate::{Nanos, PolicyError, Priority, value::check_span};

/// Whether and when calls that wait for a place are turned away by priority, and then by caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields, default)
)]
pub struct ShedPolicy {
    /// How long a call may wait in a queue that does its work; 20 ms by default (DAGOR).
    #[cfg_attr(feature = "serde", serde(with = "crate::duration_text"))]
    pub target: Duration,
    /// For so long every one must have waited longer; 100 ms by default (CoDel).
    #[cfg_attr(feature = "serde", serde(with = "crate::duration_text"))]
    pub interval: Duration,
}

impl ShedPolicy {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            target: Duration::from_millis(20),
            interval: Duration::from_millis(100),
        }
    }

    /// Sets how long a call may wait.
    #[must_use]
    pub const fn target(mut self, span: Duration) -> Self {
        self.target = span;
        self
    }

    /// Sets for how long every one must have waited longer.
    #[must_use]
    pub const fn interval(mut self, span: Duration) -> Self {
        self.interval = span;
        self
    }

    pub(super) fn check(&self) -> Result<(), PolicyError> {
        check_span("limit.shed.target", self.target)?;
        check_span("limit.shed.interval", self.interval)
    }
}

impl Default for ShedPolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// Callers of one priority are dealt into so many (DAGOR).
const BUCKETS: usize = 128;

const PRIORITIES: usize = Priority::ALL.len();

const LEVELS: usize = PRIORITIES * BUCKETS;

/// What is critical is never turned away for others that wait.
const HIGHEST: usize = LEVELS - BUCKETS;

/// By so much less is let in than was done, so that the queue gets shorter (DAGOR).
const LESS: f64 = 0.05;

/// The share of all that is let in again after an interval without (DAGOR).
const MORE: f64 = 0.01;

/// Only after so many intervals without is anybody let in again: a queue that has just emptied proves little, and what
/// matters least would come and go with it.
const CALM: u32 = 10;

/// How much a call matters: of the lowest levels calls are turned away first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Level(usize);

impl Level {
    /// `caller` is any number of whoever calls, the same for all calls of his.
    pub(crate) const fn new(priority: Priority, caller: u64) -> Self {
        Self(priority as usize * BUCKETS + (caller % BUCKETS as u64) as usize)
    }

    /// In which order it is served: whoever matters most is first.
    pub(super) const fn rank(self) -> u8 {
        (PRIORITIES - 1).saturating_sub(self.0 / BUCKETS) as u8
    }

    /// Is it turned away below this threshold?
    pub(super) const fn is_below(self, threshold: usize) -> bool {
        self.0 < threshold
    }
}

/// The threshold, and what moves it.
#[derive(Debug)]
pub(crate) struct Shed {
    policy: ShedPolicy,
    /// Calls below it are turned away.
    threshold: usize,
    /// Calls that came in the last intervals, by level; each interval counts for half of the next.
    came: Box<[u32; LEVELS]>,
    /// When the interval began.
    began: Nanos,
    /// Since when somebody has been in the queue.
    standing: Nanos,
    /// When more came than could be done, last.
    overloaded: Option<Nanos>,
    /// The shortest waits of the interval, by priority.
    shortest: [Option<Duration>; PRIORITIES],
    /// How many calls of the interval were let in.
    let_in: u32,
    /// How many calls had begun when it began.
    begun: u64,
}

impl Shed {
    pub(crate) fn new(policy: ShedPolicy, now: Nanos) -> Self {
        Self {
            policy,
            threshold: 0,
            came: Box::new([0; LEVELS]),
            began: now,
            standing: now,
            overloaded: None,
            shortest: [None; PRIORITIES],
            let_in: 0,
            begun: 0,
        }
    }

    /// Below which level calls are turned away.
    pub(crate) const fn threshold(&self) -> usize {
        self.threshold
    }

    /// A call comes. May it ask for a place?
    pub(crate) fn lets_in(&mut self, level: Level) -> bool {
        let came = &mut self.came[level.0 % LEVELS];
        *came = came.saturating_add(1);
        let lets_in = !level.is_below(self.threshold);
        self.let_in = self.let_in.saturating_add(u32::from(lets_in));
        lets_in
    }

    /// Somebody waits, and nobody did before.
    pub(crate) const fn stands(&mut self, now: Nanos) {
        self.standing = now;
    }

    /// One who waited under `number` got a place after so long.
    pub(crate) fn waited(&mut self, number: u64, span: Duration) {
        let rank = (number >> RANK_AT) as usize;
        if let Some(shortest) = self.shortest.get_mut((PRIORITIES - 1).saturating_sub(rank)) {
            *shortest = Some(shortest.map_or(span, |shortest| shortest.min(span)));
        }
    }

    pub(crate) fn is_due(&self, now: Nanos) -> bool {
        now.since(self.began) >= self.policy.interval
    }

    /// An interval is over; somebody waits, or nobody, and so many calls have begun in all. Has the threshold risen?
    pub(crate) fn look(&mut self, waits: bool, begun: u64, now: Nanos) -> bool {
        let before = self.threshold;
        if waits && self.standing <= self.began && self.wait_is_long() {
            self.overloaded = Some(now);
            let done = begun.saturating_sub(self.begun) as f64 / f64::from(self.let_in.max(1));
            // Where more are begun than let in, the queue is getting shorter already.
            if done < 1.0 + LESS {
                self.rise(done.min(1.0) * (1.0 - LESS));
            }
        } else if self.is_calm(now) {
            let intervals =
                now.since(self.began).as_secs_f64() / self.policy.interval.as_secs_f64();
            self.fall(MORE * intervals);
        }
        (self.began, self.let_in, self.begun) = (now, 0, begun);
        self.shortest = [None; PRIORITIES];
        self.came.iter_mut().for_each(|came| *came /= 2);
        self.threshold > before
    }

    /// Did all of the least important that are let in wait for long? Those before them in the queue may not wait at all.
    fn wait_is_long(&self) -> bool {
        let let_in = &self.came[self.threshold..];
        let Some(least) = let_in.iter().position(|came| *came > 0) else {
            return false;
        };
        let shortest = self.shortest[(self.threshold + least) / BUCKETS];
        shortest.is_none_or(|shortest| shortest > self.policy.target)
    }

    fn is_calm(&self, now: Nanos) -> bool {
        let calm = self.policy.interval.saturating_mul(CALM);
        (self.overloaded).is_none_or(|overloaded| now.since(overloaded) >= calm)
    }

    /// Lets in no less than this share of what is let in, and no level more than that takes: what can be done is to be done.
    fn rise(&mut self, enough: f64) {
        let mut let_in = count(&self.came[self.threshold..]);
        let enough = enough * let_in;
        while self.threshold < HIGHEST {
            let_in -= f64::from(self.came[self.threshold]);
            if let_in < enough {
                return;
            }
            self.threshold += 1;
        }
    }

    /// Lets in this share of all again.
    fn fall(&mut self, share: f64) {
        let share = share * count(&*self.came);
        let mut let_in = 0.0;
        while self.threshold > 0 && (let_in < share || let_in <= 0.0) {
            self.threshold -= 1;
            let_in += f64::from(self.came[self.threshold]);
        }
    }
}

fn count(came: &[u32]) -> f64 {
    came.iter().map(|came| f64::from(*came)).sum()
}

#[cfg(all(test, not(loom)))]
mod tests;
