//! Injected faults: by rate, by seed, by label, and off unless enabled.

mod error;
mod future;
mod handle;
mod layer;
mod plan;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use self::{
    error::{FaultKind, InjectedFault},
    future::FaultFuture,
    handle::FaultHandle,
    layer::{FaultLayer, FaultService},
    plan::FaultPlan,
};

/// Which faults, and how often. A rate is the part of calls hit, from 0 (none) to 1 (all).
///
/// Each call draws for each kind on its own, so that a changed rate does not move the calls hit by the other kinds. A call hit by more
/// than one ends by the first of hang, reset, error; latency and stall add up and come before the end.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    latency: Duration,
    stall: (Rate, Duration),
    error: Rate,
    hang: Rate,
    reset: Rate,
}

impl Faults {
    /// No faults.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Delays every call by this much.
    #[must_use]
    pub const fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Delays this part of the calls by this much.
    #[must_use]
    pub fn stall(mut self, rate: f64, stall: Duration) -> Self {
        self.stall = (Rate::new(rate), stall);
        self
    }

    /// Fails this part of the calls; the inner service is not called.
    #[must_use]
    pub fn error(mut self, rate: f64) -> Self {
        self.error = Rate::new(rate);
        self
    }

    /// Never answers this part of the calls; the inner service is not called.
    #[must_use]
    pub fn hang(mut self, rate: f64) -> Self {
        self.hang = Rate::new(rate);
        self
    }

    /// Fails this part of the calls with a `ConnectionReset` as the source; the inner service is not called.
    #[must_use]
    pub fn reset(mut self, rate: f64) -> Self {
        self.reset = Rate::new(rate);
        self
    }

    /// Always four draws, so that call *n* sees the same numbers whatever the rates are.
    fn draw(&self, rng: &mut fastrand::Rng) -> Hit {
        let (stalls, error, hang, reset) = (
            self.stall.0.hits(rng),
            self.error.hits(rng),
            self.hang.hits(rng),
            self.reset.hits(rng),
        );
        let stall = if stalls { self.stall.1 } else { Duration::ZERO };
        Hit {
            delay: self.latency.saturating_add(stall),
            end: match (hang, reset, error) {
                (true, _, _) => End::Hang,
                (_, true, _) => End::Fault(FaultKind::Reset),
                (_, _, true) => End::Fault(FaultKind::Error),
                _ => End::Inner,
            },
        }
    }
}

/// From 0 to 1, and never NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Rate(f64);

impl Rate {
    fn new(rate: f64) -> Self {
        if rate.is_nan() {
            return Self(0.0);
        }
        Self(rate.clamp(0.0, 1.0))
    }

    /// `Rng::f64` is below 1, so that a rate of 1 always hits and 0 never does.
    fn hits(self, rng: &mut fastrand::Rng) -> bool {
        rng.f64() < self.0
    }
}

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Hit {
    delay: Duration,
    end: End,
}

impl Hit {
    const NONE: Self = Self {
        delay: Duration::ZERO,
        end: End::Inner,
    };
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Inner,
    Fault(FaultKind),
    Hang,
}
