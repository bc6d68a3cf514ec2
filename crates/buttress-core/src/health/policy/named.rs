//! Rules as others have them, by their names and with their defaults.

use std::time::Duration;

use super::{HealthPolicy, RatePolicy, SlowPolicy, Window};
use crate::Ratio;

impl HealthPolicy {
    /// As resilience4j: half of the last hundred calls failed, or all of them took longer than a minute. Below a hundred
    /// calls nothing is known. With [`BreakerPolicy::resilience4j`](crate::BreakerPolicy::resilience4j) the whole breaker.
    #[must_use]
    pub fn resilience4j() -> Self {
        let rate = RatePolicy::new().window(Window::Calls(100)).at_least(100);
        Self::Rate(rate.slow(SlowPolicy::after(Duration::from_secs(60))))
    }

    /// As Polly 8: a tenth of at least a hundred calls within 30 s failed.
    /// With [`BreakerPolicy::polly`](crate::BreakerPolicy::polly) the whole breaker.
    #[must_use]
    pub fn polly() -> Self {
        let window = Window::Span(Duration::from_secs(30));
        let rate = RatePolicy::new().window(window).at_least(100);
        Self::Rate(rate.failures(Ratio::percent(10)))
    }
}
