//! What must fail, or the bench cannot tell good from bad.

use serde_json::Value;

use crate::targets::figure;

/// Did everything fail that must? What was not measured is not asked for.
pub(crate) fn believed(figures: &Value) -> bool {
    let must = |key: &str, fails: fn(f64) -> bool| figure(figures, key).is_none_or(fails);
    let held = [(
        "naive retries get their server back",
        must("dip.naive.80.goodput", |share| share < 0.05),
    )];
    for (what, _) in held.iter().filter(|(_, held)| !held) {
        eprintln!("recovery: the bench is not to be believed: {what}");
    }
    held.iter().all(|(_, held)| *held)
}
