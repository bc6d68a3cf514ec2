//! What the figures are to be.

use serde_json::Value;

enum Bound {
    AtLeast(f64),
    AtMost(f64),
}
use Bound::{AtLeast, AtMost};

/// Of every scenario.
const OF_EACH: [(&str, Bound); 3] = [
    ("success", AtLeast(0.9999)),
    ("p999_ratio", AtMost(1.5)),
    ("extra", AtMost(0.03)),
];

const TARGETS: [(&str, Bound); 11] = [
    ("load.80.p99_ratio", AtMost(1.02)),
    ("sink.avoided", AtLeast(0.97)),
    ("sink.p99_ratio", AtMost(0.63)),
    ("even.p99_ratio", AtMost(1.02)),
    ("even.false_alarms", AtMost(0.0)),
    ("even.in_turn.p99_ratio", AtMost(1.02)),
    ("even.in_turn.false_alarms", AtMost(0.0)),
    ("many.10000.ratio", AtMost(1.5)),
    ("many.10000.allocs", AtMost(0.0)),
    ("large.seconds", AtMost(1.0)),
    ("large.bytes", AtMost(1024.0)),
];

/// Each target of which the figure was measured, in words, and whether it is reached.
pub(crate) fn reached(figures: &Value) -> Vec<(String, bool)> {
    let scenarios = figures["tail"].as_object().into_iter().flatten();
    let of_each = scenarios.flat_map(|(scenario, _)| {
        OF_EACH
            .iter()
            .map(move |(name, bound)| (format!("tail.{scenario}.buttress.{name}"), bound))
    });
    let others = TARGETS
        .iter()
        .map(|(key, bound)| ((*key).to_owned(), bound));
    of_each
        .chain(others)
        .filter_map(|(key, bound)| {
            let found = figure(figures, &key)?;
            Some(match bound {
                AtLeast(least) => (format!("{key} >= {least}"), found >= *least),
                AtMost(most) => (format!("{key} <= {most}"), found <= *most),
            })
        })
        .collect()
}

/// The figure with a dotted name, if it is there.
pub(crate) fn figure(figures: &Value, key: &str) -> Option<f64> {
    figures
        .pointer(&format!("/{}", key.replace('.', "/")))?
        .as_f64()
}
