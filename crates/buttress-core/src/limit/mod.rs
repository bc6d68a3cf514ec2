//! How many calls may be under way at once.

mod adaptive;
mod ask;
mod gradient;
mod line;
mod places;
mod policy;
mod queue;
mod resize;
mod samples;
mod shed;
mod throttle;
mod ticket;
mod till;
mod word;

use std::time::Duration;

pub use adaptive::AdaptivePolicy;
pub use ask::Ask;
use gradient::{Gradient, Seen};
pub(crate) use line::Lined;
pub(crate) use places::Places;
pub use policy::LimitPolicy;
pub(crate) use queue::Turn;
pub(crate) use samples::Samples;
pub use shed::ShedPolicy;
pub(crate) use shed::{Level, Shed};
pub use throttle::ThrottlePolicy;
pub(crate) use throttle::{Throttle, Totals};
pub use ticket::{Admission, Ticket};
pub(crate) use till::Till;

use crate::{
    Nanos,
    sync::{AtomicU64, Mutex, Ordering, lock},
};

/// The places of one service, or of one endpoint.
#[derive(Debug)]
pub(crate) struct Limit {
    pub(crate) places: Places,
    /// How many may wait for one.
    pub(crate) waiting: usize,
    /// Whom to turn away, where that is asked.
    pub(crate) shed: Option<Shedding>,
    current: AtomicU64,
    lanes: usize,
    adaptive: Option<Adaptive>,
}

/// What turns calls away.
#[derive(Debug)]
pub(crate) struct Shedding {
    /// The threshold, so that calls need no lock while there is none.
    threshold: AtomicU64,
    state: Mutex<Shed>,
    pub(crate) policy: ShedPolicy,
}

impl Shedding {
    fn new(policy: ShedPolicy, now: Nanos) -> Self {
        Self {
            threshold: AtomicU64::new(0),
            state: Mutex::new(Shed::new(policy, now)),
            policy,
        }
    }

    /// Are calls turned away now?
    pub(crate) fn acts(&self) -> bool {
        // Relaxed: one call too many or too few at the turn.
        self.threshold.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Shed) -> T) -> T {
        let mut state = lock(&self.state);
        let result = act(&mut state);
        let threshold = state.threshold() as u64;
        if self.threshold.load(Ordering::Relaxed) != threshold {
            self.threshold.store(threshold, Ordering::Relaxed);
        }
        result
    }
}

/// What finds out how many places there should be.
#[derive(Debug)]
struct Adaptive {
    /// When the window ends.
    ends: AtomicU64,
    state: Mutex<(Gradient, Opened)>,
}

/// Where the window began.
#[derive(Clone, Copy, Debug)]
struct Opened {
    at: Nanos,
    /// How many calls had failed in ways that mean overload.
    failed: u64,
}

/// The shortest window (Envoy).
const WINDOW: Duration = Duration::from_millis(100);

/// The fewest calls of one: the mean of so many is good to a fifth of their standard deviation.
const CALLS: u64 = 25;

impl Limit {
    pub(crate) fn new(policy: &LimitPolicy, lanes: usize, now: Nanos, seed: u64) -> Self {
        let gradient =
            (policy.adaptive).map(|adaptive| Gradient::new(adaptive, policy.most(), seed));
        let first = gradient.as_ref().map_or(policy.most(), Gradient::limit);
        let opened = Opened { at: now, failed: 0 };
        Self {
            places: Places::new(first, lanes),
            waiting: policy.waiting(),
            shed: policy.shed.map(|policy| Shedding::new(policy, now)),
            current: AtomicU64::new(u64::from(first)),
            lanes,
            adaptive: gradient.map(|gradient| Adaptive {
                ends: AtomicU64::new(now.after(WINDOW).as_u64()),
                state: Mutex::new((gradient, opened)),
            }),
        }
    }

    /// How many calls may be under way now.
    pub(crate) fn current(&self) -> u32 {
        self.current.load(Ordering::Relaxed) as u32
    }

    /// Is it found out, and is it time to look at what calls took?
    pub(crate) fn due(&self, now: Nanos) -> bool {
        // Relaxed: whoever sees an old time asks under the lock.
        (self.adaptive.as_ref())
            .is_some_and(|adaptive| now.as_u64() >= adaptive.ends.load(Ordering::Relaxed))
    }

    /// Is it found out?
    pub(crate) const fn adapts(&self) -> bool {
        self.adaptive.is_some()
    }

    /// Looks at what calls took since the window began, if there were enough; `failed` in all, in ways that mean overload.
    pub(crate) fn adapt<'a>(
        &self,
        now: Nanos,
        failed: u64,
        samples: &(impl Iterator<Item = &'a Samples> + Clone),
        tills: &(impl Iterator<Item = &'a Till> + Clone),
    ) {
        let Some(adaptive) = &self.adaptive else {
            return;
        };
        let mut state = lock(&adaptive.state);
        let (gradient, opened) = &mut *state;
        if now.as_u64() < adaptive.ends.load(Ordering::Relaxed) {
            // Somebody else has looked.
            return;
        }
        adaptive
            .ends
            .store(now.after(WINDOW).as_u64(), Ordering::Relaxed);
        let failed_now = failed.saturating_sub(opened.failed);
        let calls: u64 = samples.clone().map(Samples::count).sum();
        if calls + failed_now < CALLS {
            return;
        }
        let mut sum = (0, Duration::ZERO);
        for (calls, took) in samples.clone().map(Samples::take) {
            sum = (sum.0 + calls, sum.1.saturating_add(took));
        }
        let (calls, took) = sum;
        let lasted = now.since(opened.at).as_secs_f64();
        let seen = Seen {
            calls,
            took: took.checked_div(calls).unwrap_or_default(),
            failed: failed_now,
            // Little's law.
            in_flight: took.as_secs_f64() / lasted.max(WINDOW.as_secs_f64()),
        };
        *opened = Opened { at: now, failed };
        let before = gradient.limit();
        gradient.window(&seen, now);
        let limit = gradient.limit();
        if limit != before {
            self.current.store(u64::from(limit), Ordering::Relaxed);
            // Under the lock of the window: sizes are set in the order in which they were found.
            self.places.resize(limit, self.lanes, tills);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
mod loom;
