//! The one policy, and the layers it is compared with.

use std::time::Duration;

use buttress::{Buttress, LimitPolicy, Policy, Redundancy};
use serde_json::Value;

pub(crate) const NAME: &str = "wire";
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);
pub(crate) const LIMIT: usize = 1_000;

/// The default, a deadline and a limit: what tower's layers have, too.
fn policy() -> Policy {
    Policy::new()
        .deadline(DEADLINE)
        .limit(LimitPolicy::concurrency(LIMIT as u32))
}

pub(crate) fn told() -> Result<Value, String> {
    serde_json::to_value(policy()).map_err(|error| error.to_string())
}

pub(crate) fn guarded() -> Buttress {
    Buttress::new().policy(NAME, policy())
}

pub(crate) fn dispatched() -> Buttress {
    Buttress::new().policy(NAME, policy().redundancy(Redundancy::failover(3)))
}
