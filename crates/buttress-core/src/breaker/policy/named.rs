//! Recovery as others have it, by their names and with their defaults.
//!
//! What differs on purpose: results of an older generation are ignored, a probe that is lost has failed after its
//! [`lease`](BreakerPolicy::lease), and one that says nothing gives its permit back. Nobody is woken when a wait is over: the
//! next call finds out.

use std::time::Duration;

use super::{BreakerPolicy, Growth, TrialPolicy};
use crate::Ratio;

impl BreakerPolicy {
    /// As resilience4j: 60 s, then ten probes, and closed if less than half of them fail.
    /// With [`HealthPolicy::resilience4j`](crate::HealthPolicy::resilience4j) the whole breaker.
    #[must_use]
    pub const fn resilience4j() -> Self {
        Self::always(Duration::from_secs(60)).trial(TrialPolicy::Rate {
            failures: Ratio::new(0.5),
            of: 10,
        })
    }

    /// As Polly 8: 5 s, then one probe. With [`HealthPolicy::polly`](crate::HealthPolicy::polly) the whole breaker.
    #[must_use]
    pub const fn polly() -> Self {
        Self::always(Duration::from_secs(5)).close_after(1)
    }

    /// As failsafe-go: 60 s, then one probe. For its k of n, set [`TrialPolicy::KOfN`].
    /// With [`HealthPolicy::consecutive`](crate::HealthPolicy::consecutive) of 1 the whole breaker.
    #[must_use]
    pub const fn failsafe() -> Self {
        Self::always(Duration::from_secs(60)).close_after(1)
    }

    /// As gobreaker: 60 s, then one probe. With [`HealthPolicy::consecutive`](crate::HealthPolicy::consecutive) of 6 the
    /// whole breaker.
    #[must_use]
    pub const fn gobreaker() -> Self {
        Self::always(Duration::from_secs(60)).close_after(1)
    }

    /// As Hystrix: 5 s, then one probe. With [`RatePolicy::new`](crate::RatePolicy::new), whose defaults are Hystrix's, the
    /// whole breaker.
    #[must_use]
    pub const fn hystrix() -> Self {
        Self::always(Duration::from_secs(5)).close_after(1)
    }

    /// As Envoy's outlier detection: out for 30 s the first time, 60 s the second, 300 s at most, back at full weight and
    /// untried; ten seconds in a row undo one step. Envoy looks every ten seconds, and this at each call.
    /// With [`HealthPolicy::consecutive_by_origin`](crate::HealthPolicy::consecutive_by_origin) of 5 its consecutive rules.
    #[must_use]
    pub const fn envoy() -> Self {
        Self::always(Duration::from_secs(30))
            .up_to(Duration::from_secs(300))
            .growth(Growth::Linear)
            .undone_in(Duration::from_secs(10))
            .trial(TrialPolicy::Untried)
    }

    /// Stops for this long each time, to the nanosecond.
    const fn always(span: Duration) -> Self {
        Self::new()
            .open_for(span)
            .up_to(span)
            .growth(Growth::Times(1.0))
            .jitter(Ratio::new(0.0))
    }
}
