//! What must fail, or the bench cannot tell good from bad.

use serde_json::Value;

use crate::targets::figure;

/// Did everything fail that must? What was not measured did not pass either.
pub(crate) fn believed(figures: &Value) -> bool {
    let of = |key: &str| figure(figures, key);
    let must = |figure: Option<f64>, fails: fn(f64) -> bool| figure.is_none_or(fails);
    let ours = of("cusum.delay_10").unwrap_or(f64::INFINITY);
    let held = [
        (
            "a window of 100 at 50 % notices 10 % failures",
            of("window100.delay_10").is_none_or(|calls| calls > 100.0 * ours),
        ),
        (
            "five failures in a row notice 10 % as soon as twice the evidence",
            of("consecutive5.delay_10").is_none_or(|calls| !ours.is_finite() || calls > 2.0 * ours),
        ),
        (
            "without ages a hang is noticed before the timeout",
            must(of("control.completion.hang.ms"), |took| took > 1_000.0),
        ),
        (
            "without ages a slow-down is noticed",
            must(of("control.completion.slow10x.missed"), |missed| {
                missed > 0.5
            }),
        ),
        (
            "counters that know nothing of bursts keep quiet in them",
            must(of("control.unscaled.arl0"), |calls| calls < 1e7),
        ),
        (
            "mean and deviation leave a healthy set alone",
            must(of("control.deviation.false_ejections"), |share| {
                share > 1e-2
            }),
        ),
        (
            "the label with the highest rate is the culprit",
            must(of("control.max_rate.top1"), |share| share < 0.7),
        ),
    ];
    for (what, _) in held.iter().filter(|(_, held)| !held) {
        eprintln!("detection: the bench is not to be believed: {what}");
    }
    held.iter().all(|(_, held)| *held)
}
