//! What the figures are to be.

use serde_json::Value;

enum Bound {
    AtLeast(f64),
    /// And not never.
    AtMost(f64),
}
use Bound::{AtLeast, AtMost};

const TARGETS: &[(&str, Bound)] = &[
    ("cold.buttress.30.seconds_to_full", AtMost(30.0)),
    ("cold.buttress.30.failed_calls", AtMost(20.0)),
    ("cold.buttress.120.seconds_to_full", AtMost(30.0)),
    ("cold.buttress.120.failed_calls", AtMost(20.0)),
    ("dip.buttress.80.recovery_s", AtMost(5.0)),
    ("dip.buttress.80.worst_s", AtMost(15.0)),
    ("dip.buttress.90.recovery_s", AtMost(15.0)),
    ("dip.buttress.90.before", AtLeast(0.99)),
    ("flap.episodes", AtMost(50.0)),
    ("flap.slow.episodes", AtMost(50.0)),
    ("herd.rounds_off", AtMost(0.0)),
    ("herd.classic.rounds_off", AtMost(0.0)),
    ("calm.buttress.80.goodput", AtLeast(0.99)),
    ("calm.buttress.90.goodput", AtLeast(0.99)),
];

/// Each target of which the figure was measured, in words, and whether it is reached.
pub(crate) fn reached(figures: &Value) -> Vec<(String, bool)> {
    let reached = |(key, bound): &(&str, Bound)| {
        let figure = figure(figures, key)?;
        Some(match bound {
            AtLeast(least) => (format!("{key} >= {least}"), figure >= *least),
            AtMost(most) => (format!("{key} <= {most}"), (0.0..=*most).contains(&figure)),
        })
    };
    TARGETS.iter().filter_map(reached).collect()
}

/// The figure with a dotted name, if it is there.
pub(crate) fn figure(figures: &Value, key: &str) -> Option<f64> {
    figures
        .pointer(&format!("/{}", key.replace('.', "/")))?
        .as_f64()
}
