//! What the figures are to be.

use serde_json::Value;

enum Bound {
    AtLeast(f64),
    AtMost(f64),
}
use Bound::{AtLeast, AtMost};

const TARGETS: &[(&str, Bound)] = &[
    ("cusum.arl0", AtLeast(1e8)),
    ("cusum.delay_10", AtMost(130.0)),
    ("cusum.delay_50", AtMost(12.0)),
    ("cusum.trips_1e9", AtMost(20.0)),
    ("healthy.false_trips", AtMost(0.0)),
    ("hang.ms", AtMost(110.0)),
    ("slow10x.ms", AtMost(125.0)),
    ("crash.ms", AtMost(80.0)),
    ("half.ms", AtMost(150.0)),
    ("onsets.false_trips", AtMost(0.0)),
    ("healthy.judging_ns", AtMost(5.0)),
    ("burst.arl0", AtLeast(1e7)),
    ("day.false_trips", AtMost(0.0)),
    ("burst.iid_10", AtMost(1.02)),
    ("burst.iid_50", AtMost(1.02)),
    ("peers.false_ejections", AtMost(1e-4)),
    ("locate.top1", AtLeast(0.95)),
    ("locate.calibration", AtLeast(0.98)),
    ("locate.sure", AtLeast(0.85)),
    ("locate.kind.route_endpoint", AtLeast(0.8)),
    ("locate.kind.route_version", AtLeast(0.8)),
    ("locate.top1_base1", AtLeast(0.92)),
];

/// Each target of which the figure was measured, in words, and whether it is reached.
pub(crate) fn reached(figures: &Value) -> Vec<(String, bool)> {
    let reached = |(key, bound): &(&str, Bound)| {
        let figure = figure(figures, key)?;
        Some(match bound {
            AtLeast(least) => (format!("{key} >= {least}"), figure >= *least),
            AtMost(most) => (format!("{key} <= {most}"), figure <= *most),
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
