//! The one policy, and those it is measured against.

use std::time::Duration;

use buttress::{Enforce, Policy, Ratio, Redundancy};

/// How long an attempt may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(1);

/// A call may be sent so often in all.
pub(crate) const ATTEMPTS: u32 = 4;

/// The default, and the facts: an attempt may take a second, and a call may be sent again.
pub(crate) fn policy() -> Policy {
    Policy::new()
        .attempt_timeout(TIMEOUT)
        .redundancy(Redundancy::failover(ATTEMPTS))
}

/// Nothing but a budget of extra sends, in percent: nothing is ever refused.
pub(crate) fn budget(percent: u32) -> Policy {
    policy()
        .extra_load(Ratio::percent(percent))
        .enforce(Enforce::OFF)
}

/// Those under which a cold replica comes back.
pub(crate) fn coming_back() -> [(&'static str, Policy); 1] {
    [("buttress", policy())]
}

/// All of them.
pub(crate) fn all() -> [(&'static str, Policy); 3] {
    [
        ("buttress", policy()),
        ("budget_10", budget(10)),
        ("budget_20", budget(20)),
    ]
}
