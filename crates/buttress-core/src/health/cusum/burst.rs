//! Do failures come singly, or in bursts?

use crate::Nanos;

/// Calls to a slot. In calls and not in seconds, for calls are what the counters see, and traffic that comes in waves
/// makes no burst of failures that do not; long against a burst, short against the drift of a rate.
const SLOT: u64 = 100;

/// Seconds for which a slot is remembered, on average.
const MEMORY: f64 = 3_600.0;

/// The 99 % point of the normal distribution.
const SURE: f64 = 2.326_348;

/// How far thresholds go up for each unit of excess dispersion. Runs of geometric length, L on
/// average, have the dispersion 2L − 1. Under them, at 1 % failures in all, the bank designed for 1e8 calls between false
/// alarms runs for so many (simulated, 2e9 calls each):
///
/// | lift | L = 1.5 | L = 2 | L = 3 |
/// |-----:|--------:|------:|------:|
/// |  1   |   7.2e5 | 1.0e6 | 1.4e6 |
/// |  1.5 |   1.3e7 | 1.6e7 | 4.5e7 |
/// |  2   |   8.0e7 | 3.3e8 | 6.7e8 |
///
/// Raising them in proportion, as for sums of many bursts, falls short, for one long burst is enough.
const LIFT: f64 = 2.0;

/// Thresholds are not raised further: beyond, an outage had better be noticed.
const MOST: f64 = 10.0;

/// The dispersion (variance to mean) of failures per slot, learnt in about an hour from the time before any trouble.
///
/// At each failure, once it is known how many calls succeeded before it: [`failure`](Self::failure), then
/// [`scale`](Self::scale). After an alarm: [`discard`](Self::discard).
#[derive(Debug)]
pub(crate) struct Burst {
    learnt: Slots,
    /// Since the counters were last at zero; trouble, if an alarm follows.
    pending: Slots,
    /// The slot that is not over.
    calls: u64,
    failures: f64,
    latest: Nanos,
}

impl Burst {
    pub(crate) const fn new() -> Self {
        Self {
            learnt: Slots::NONE,
            pending: Slots::NONE,
            calls: 0,
            failures: 0.0,
            latest: Nanos::ZERO,
        }
    }

    /// A call failed at `now`, after so many that succeeded; `calm` if after these nothing was left against the endpoint.
    pub(crate) fn failure(&mut self, successes: u64, calm: bool, now: Nanos) {
        self.calls = self.calls.saturating_add(successes);
        self.close_slots();
        if calm {
            self.learn(now);
        }
        self.failures += 1.0;
        self.calls = self.calls.saturating_add(1);
    }

    /// What came since the counters were last at zero was trouble, and says nothing of failures in good times.
    pub(crate) const fn discard(&mut self) {
        self.pending = Slots::NONE;
        self.calls = 0;
        self.failures = 0.0;
    }

    /// How much further up thresholds belong, 1 to 10. More than 1 only once it is 99 % sure that failures come in bursts.
    pub(crate) fn scale(&self) -> f64 {
        let scale = 1.0 + LIFT * (self.learnt.dispersion_at_least() - 1.0);
        // Not a number before anything is known.
        if scale > 1.0 { scale.min(MOST) } else { 1.0 }
    }

    fn close_slots(&mut self) {
        let over = self.calls / SLOT;
        if over > 0 {
            self.pending.add(self.failures, over as f64);
            self.failures = 0.0;
            self.calls %= SLOT;
        }
    }

    fn learn(&mut self, now: Nanos) {
        let passed = now.since(self.latest).as_secs_f64();
        self.latest = self.latest.max(now);
        self.learnt.fade((-passed / MEMORY).exp());
        self.learnt.join(self.pending);
        self.pending = Slots::NONE;
    }
}

/// Sums over slots.
#[derive(Clone, Copy, Debug)]
struct Slots {
    number: f64,
    failures: f64,
    squares: f64,
}

impl Slots {
    const NONE: Self = Self {
        number: 0.0,
        failures: 0.0,
        squares: 0.0,
    };

    /// One slot with `failures`, the other `slots` without.
    fn add(&mut self, failures: f64, slots: f64) {
        self.number += slots;
        self.failures += failures;
        self.squares += failures * failures;
    }

    fn join(&mut self, other: Self) {
        self.number += other.number;
        self.failures += other.failures;
        self.squares += other.squares;
    }

    fn fade(&mut self, part: f64) {
        self.number *= part;
        self.failures *= part;
        self.squares *= part;
    }

    /// The lower 99 % confidence bound of the dispersion, in units of that of independent failures (1 − p, the
    /// binomial's). Its estimate has a relative variance of 2 / slots, if failures are independent (the χ² of the
    /// index of dispersion), and of some 1 / failures more when they are few. As for any scale the bound
    /// is taken of its logarithm: taken of the estimate itself, it is below zero for sixteen slots of one failure each on
    /// average, however these cluster, and a service has as many false alarms until it is not.
    fn dispersion_at_least(&self) -> f64 {
        let mean = self.failures / self.number;
        let variance = (self.squares - self.failures * mean) / (self.number - 1.0);
        let independent = mean * (1.0 - mean / SLOT as f64);
        let doubt = SURE * (2.0 / self.number + 1.0 / self.failures).sqrt();
        variance / independent * (-doubt).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_bursts_are_enough_to_tell() {
        let mut burst = Burst::new();
        for run in 1..=8 {
            let now = Nanos::ZERO.after(std::time::Duration::from_secs(run));
            burst.failure(194, true, now);
            (0..5).for_each(|_| burst.failure(0, false, now));
        }
        let scale = burst.scale();
        assert!((1.2..3.0).contains(&scale), "{scale}");
    }
}
