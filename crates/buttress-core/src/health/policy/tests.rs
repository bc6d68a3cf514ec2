use super::*;
use crate::Ratio;

#[test]
fn the_named_defaults_can_be() {
    for policy in [
        HealthPolicy::default(),
        HealthPolicy::consecutive_by_origin(5),
        HealthPolicy::rate(RatePolicy::new()),
        HealthPolicy::ewma(EwmaPolicy::new()),
        HealthPolicy::phi(PhiPolicy::new()),
        HealthPolicy::rate(RatePolicy::new().window(Window::Calls(10))),
        HealthPolicy::ewma(EwmaPolicy::new().window(Window::Calls(2))),
    ] {
        assert_eq!(policy.check(), Ok(()));
    }
}

#[test]
fn what_cannot_be_names_its_field_its_value_and_what_would_do() {
    let rate = RatePolicy::new();
    let slow = SlowPolicy::after(Duration::from_secs(1));
    let day = Duration::from_secs(86_401);
    let (ewma, phi) = (EwmaPolicy::new(), PhiPolicy::new());
    for (policy, text) in [
        (
            HealthPolicy::consecutive(0),
            "health.consecutive = 0: needs at least 1 failure",
        ),
        (
            HealthPolicy::consecutive_by_origin(0),
            "health.consecutive_by_origin = 0: needs at least 1 failure",
        ),
        (
            HealthPolicy::rate(rate.window(Window::Calls(10_001))),
            "health.rate.window.calls = 10001: needs 1 to 10000 calls",
        ),
        (
            HealthPolicy::rate(rate.window(Window::Span(day))),
            "health.rate.window.span = 86401s: needs 1ms to 24h",
        ),
        (
            HealthPolicy::rate(rate.window(Window::Calls(10)).at_least(11)),
            "health.rate.at_least = 11: needs at most health.rate.window.calls, 10",
        ),
        (
            HealthPolicy::rate(rate.at_least(0)),
            "health.rate.at_least = 0: needs 1 to 10000 calls",
        ),
        (
            HealthPolicy::rate(rate.failures(Ratio::new(f64::NAN))),
            "health.rate.failures = NaN: needs a ratio above 0 and up to 1",
        ),
        (
            HealthPolicy::rate(rate.slow(slow.over(Ratio::new(0.0)))),
            "health.rate.slow.over = 0: needs a ratio above 0 and up to 1",
        ),
        (
            HealthPolicy::rate(rate.slow(SlowPolicy::after(Duration::ZERO))),
            "health.rate.slow.after = 0s: needs 1ms to 24h",
        ),
        (
            HealthPolicy::ewma(ewma.required(Ratio::percent(101))),
            "health.ewma.required = 1.01: needs a ratio above 0 and up to 1",
        ),
        (
            HealthPolicy::ewma(ewma.window(Window::Span(Duration::ZERO))),
            "health.ewma.window.span = 0s: needs 1ms to 24h",
        ),
        (
            HealthPolicy::phi(phi.threshold(f64::INFINITY)),
            "health.phi.threshold = inf: needs 0.1 to 100",
        ),
        (
            HealthPolicy::phi(phi.samples(0)),
            "health.phi.samples = 0: needs 1 to 10000 gaps",
        ),
        (
            HealthPolicy::phi(phi.min_sigma(Duration::ZERO)),
            "health.phi.min_sigma = 0s: needs 1ms to 24h",
        ),
        (
            HealthPolicy::phi(phi.first_gap(day)),
            "health.phi.first_gap = 86401s: needs 1ms to 24h",
        ),
        (
            HealthPolicy::phi(phi.pause(day)),
            "health.phi.pause = 86401s: needs 0s to 24h",
        ),
    ] {
        assert_eq!(policy.check().unwrap_err().to_string(), text);
    }
}
