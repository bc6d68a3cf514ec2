//! Monotonic time as data.

use std::time::Duration;

/// A point in monotonic time: nanoseconds since an origin that only the [`Clock`] knows.
///
/// Arithmetic saturates: no duration a caller can build makes it panic or wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Nanos(u64);

impl Nanos {
    /// The origin.
    pub const ZERO: Self = Self(0);
    /// The end of time: 584 years after the origin.
    pub const MAX: Self = Self(u64::MAX);

    /// The point `nanos` after the origin.
    #[must_use]
    pub const fn new(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The point `span` later.
    #[must_use]
    #[inline]
    pub fn after(self, span: Duration) -> Self {
        let span = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(span))
    }

    /// The time from `earlier` to here; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Where `now` comes from. The core is handed one and never makes one.
///
/// Only [`Attempt`](crate::Attempt) and [`Vitals::admit`](crate::Vitals::admit) call it: once when an attempt is born, once when it ends.
#[derive(Clone, Copy, Debug)]
pub struct Clock(pub fn() -> Nanos);

impl Clock {
    /// Reads the clock.
    #[must_use]
    #[inline]
    pub fn now(self) -> Nanos {
        (self.0)()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saturates_at_both_ends() {
        assert_eq!(Nanos::new(5).after(Duration::MAX), Nanos::MAX);
        assert_eq!(Nanos::ZERO.since(Nanos::MAX), Duration::ZERO);
        assert_eq!(Nanos::new(7).since(Nanos::new(3)), Duration::from_nanos(4));
    }
}
