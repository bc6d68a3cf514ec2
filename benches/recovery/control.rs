//! What must fail, or the bench cannot tell good from bad.

use serde_json::Value;

use crate::{dip::LOADS, targets::figure};

/// Did everything fail that must? What was not measured is not asked for.
pub(crate) fn believed(figures: &Value) -> bool {
    let must = |key: &str, fails: fn(f64) -> bool| figure(figures, key).is_none_or(fails);
    let never = |key: &str| must(key, |seconds| seconds < 0.0);
    let slow = |key: &str| must(key, |seconds| !(0.0..45.0).contains(&seconds));
    let held = [
        (
            "retries without a budget get their server back",
            LOADS.iter().all(|load| {
                must(&format!("dip.naive.{load}.goodput"), |share| share < 0.05)
                    && never(&format!("dip.naive.{load}.recovery_s"))
            }),
        ),
        (
            "a fifth of extra sends is bearable at a load of 90 %",
            never("dip.budget_20.90.recovery_s"),
        ),
        (
            "a minute's wait brings a replica back within 45 s of its repair",
            slow("cold.classic.30.seconds_to_full"),
        ),
        (
            "full weight at once costs a cold replica nothing",
            must("cold.classic.30.failed_calls", |calls| calls > 40.0)
                && must("cold.envoy.30.failed_calls", |calls| calls > 40.0),
        ),
        (
            "time alone brings a replica back within 45 s of its repair",
            slow("cold.envoy.120.seconds_to_full"),
        ),
        (
            "a server that was never slow has something to recover from",
            LOADS.iter().all(|load| {
                must(&format!("control.undisturbed.{load}.worst_s"), |seconds| {
                    seconds == 0.0
                })
            }),
        ),
    ];
    for (what, _) in held.iter().filter(|(_, held)| !held) {
        eprintln!("recovery: the bench is not to be believed: {what}");
    }
    held.iter().all(|(_, held)| *held)
}
