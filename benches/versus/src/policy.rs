//! What the peer is told: as much as our guard is.

use std::time::Duration;

use serde_json::{Value, json};

pub(crate) const DEADLINE: Duration = Duration::from_secs(5);
pub(crate) const LIMIT: usize = 1_000;

pub(crate) fn told() -> Result<Value, String> {
    Ok(json!({ "time_limiter": "5s", "circuit_breaker": "defaults", "bulkhead": LIMIT }))
}
