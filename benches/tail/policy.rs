//! The one policy.

use std::time::Duration;

use buttress::{Policy, Ratio, Redundancy};

/// Whoever calls waits for so long at most; a call that fails counts as one that took it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(1);

/// How a call is made safe. While it does not hedge, there is no hedging to be measured.
pub(crate) const REDUNDANCY: Redundancy = Redundancy::hedge(3);
pub(crate) const HEDGES: bool = true;

/// The default, and the facts.
pub(crate) fn policy() -> Policy {
    Policy::new()
        .deadline(DEADLINE)
        .redundancy(REDUNDANCY)
        .extra_load(Ratio::percent(3))
}

/// The same, but one endpoint after another.
pub(crate) fn in_turn() -> Policy {
    policy().redundancy(Redundancy::failover(REDUNDANCY.attempts()))
}
