//! The one policy, and the layers it is compared with.

use std::time::Duration;

use buttress::{Buttress, LimitPolicy, Policy, Redundancy};

pub(crate) const NAME: &str = "wire";
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);
pub(crate) const LIMIT: usize = 1_000;

/// The default, a deadline and a limit: what tower's layers have, too.
pub(crate) fn policy() -> Policy {
    Policy::new()
        .deadline(DEADLINE)
        .limit(LimitPolicy::concurrency(LIMIT as u32))
}

pub(crate) fn guarded() -> Buttress {
    Buttress::new().policy(NAME, policy())
}

pub(crate) fn dispatched() -> Buttress {
    Buttress::new().policy(NAME, policy().redundancy(Redundancy::failover(3)))
}
