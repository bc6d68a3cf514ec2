//! What many rounds say.

/// The middle of many measurements, and how far off it may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Median {
    pub(crate) value: f64,
    /// Standard error of the median, for rounds that are normal in their middle: 1.2533 σ/√n, with σ taken as
    /// 1.4826 times the median absolute deviation, so that a preempted round does not move it.
    pub(crate) error: f64,
}

impl Median {
    /// Of none there is none.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        let value = middle(&mut values)?;
        let count = values.len() as f64;
        let mut off: Vec<f64> = values.iter().map(|other| (other - value).abs()).collect();
        let error = middle(&mut off)? * 1.4826 * 1.2533 / count.sqrt();
        Some(Self { value, error })
    }
}

fn middle(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    let high = values.get(half)?;
    match values.len() % 2 {
        0 => Some(f64::midpoint(values[half - 1], *high)),
        _ => Some(*high),
    }
}
