//! The one policy, and those it is measured against.

use std::time::Duration;

use buttress::{BreakerPolicy, Enforce, LimitPolicy, Policy, Ratio, Redundancy};

/// How long an attempt may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(1);

/// A call may be sent so often in all.
pub(crate) const ATTEMPTS: u32 = 4;

/// The default, and the facts: an attempt may take a second, a call may be sent again, and no endpoint bears more than a hundred at
/// once.
pub(crate) fn policy() -> Policy {
    again().limit(LimitPolicy::concurrency(100))
}

fn again() -> Policy {
    Policy::new()
        .attempt_timeout(TIMEOUT)
        .redundancy(Redundancy::failover(ATTEMPTS))
}

/// Nothing but a budget of extra sends, in percent: nothing is ever refused.
pub(crate) fn budget(percent: u32) -> Policy {
    again()
        .extra_load(Ratio::percent(percent))
        .enforce(Enforce::OFF)
}

/// The same for a guard, which asks once.
pub(crate) fn alone() -> Policy {
    Policy::new().attempt_timeout(TIMEOUT)
}

/// Those under which a cold replica comes back. They differ in the way back alone: all notice the same.
pub(crate) fn coming_back() -> [(&'static str, Policy); 3] {
    [
        ("buttress", policy()),
        ("classic", policy().breaker(BreakerPolicy::resilience4j())),
        ("envoy", policy().breaker(BreakerPolicy::envoy())),
    ]
}

/// Those under which a herd asks, and how many probes each permits at once. All wait for less time than the default, so that
/// there are many rounds.
pub(crate) fn asked_again() -> [(&'static str, Policy, u64); 2] {
    let soon = |breaker: BreakerPolicy| {
        let soon = Duration::from_millis(40);
        alone().breaker(breaker.open_for(soon).up_to(soon))
    };
    [
        ("herd", soon(BreakerPolicy::new()), 1),
        ("herd.classic", soon(BreakerPolicy::resilience4j()), 10),
    ]
}

/// All of them.
pub(crate) fn all() -> Vec<(&'static str, Policy)> {
    let mut all = vec![
        ("alone", alone()),
        ("budget_10", budget(10)),
        ("budget_20", budget(20)),
    ];
    all.extend(coming_back());
    all.extend(asked_again().map(|(key, policy, _)| (key, policy)));
    all
}
