//! What must fail, or the bench cannot tell good from bad.

use serde_json::Value;

use crate::targets::figure;

/// Did everything fail that must? What was not measured is not asked for.
pub(crate) fn believed(figures: &Value) -> bool {
    let must = |key: &str, fails: fn(f64) -> bool| figure(figures, key).is_none_or(fails);
    let held = [
        (
            "latency and load alone keep away from a replica that fails fast",
            must("tail.failfast.p2c.success", |share| share < 0.6),
        ),
        (
            "taking turns answers every call of a set with one that hangs",
            must("tail.hung.round_robin.success", |share| share < 0.7),
        ),
        (
            "taking turns is not held up by one that is slow",
            must("tail.slow.round_robin.p999_ms", |millis| millis > 50.0),
        ),
        (
            "latency and load alone leave two that fail to their part",
            must("sink.p2c.to_failing", |share| share > 0.1),
        ),
    ];
    for (what, _) in held.iter().filter(|(_, held)| !held) {
        eprintln!("tail: the bench is not to be believed: {what}");
    }
    held.iter().all(|(_, held)| *held)
}
