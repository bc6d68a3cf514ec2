//! Is it getting worse?

/// What the times of failures say of those to come.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Trend {
    /// Laplace's test statistic: standard normal if failures come at a constant rate. Above 1.96 they come more and more
    /// often (5 % wrong), below −1.96 more and more rarely.
    pub laplace: f64,
    /// The growth of the Crow–AMSAA model (Crow 1974), time-terminated: above 1 failures come more and more often.
    pub growth: f64,
    /// The same, without the bias of few failures.
    pub growth_unbiased: f64,
    /// The mean operating time between failures by now, in seconds, if it goes on like this.
    pub mtbf_now_s: f64,
    /// How unevenly failures come: the coefficient of variation of the times between them. 1 if at random.
    pub gap_variation: f64,
}

impl Trend {
    /// From the times of failures, rising, in seconds of operation, and how long was watched. Absent below three.
    pub(crate) fn of(failures: &[f64], watched: f64) -> Option<Self> {
        let n = failures.len() as f64;
        let inside = |time: &f64| *time > 0.0 && *time < watched;
        if failures.len() < 3 || !failures.iter().all(inside) {
            return None;
        }
        let mean = failures.iter().sum::<f64>() / n;
        let logs: f64 = failures.iter().map(|time| (watched / time).ln()).sum();
        let growth = n / logs;
        Some(Self {
            laplace: (mean - watched / 2.0) / (watched * (1.0 / (12.0 * n)).sqrt()),
            growth,
            growth_unbiased: growth * (n - 1.0) / n,
            mtbf_now_s: watched / (n * growth),
            gap_variation: variation(failures),
        })
    }

    /// Do failures come more and more often, by Laplace's test?
    #[must_use]
    pub fn worsening(&self) -> bool {
        self.laplace > 1.96
    }
}

/// The standard deviation of the gaps over their mean, from zero on.
fn variation(times: &[f64]) -> f64 {
    let gaps: Vec<f64> = times
        .iter()
        .scan(0.0, |last, time| {
            Some(*time - std::mem::replace(last, *time))
        })
        .collect();
    let n = gaps.len() as f64;
    let mean = gaps.iter().sum::<f64>() / n;
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / (n - 1.0);
    variance.sqrt() / mean
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn close(left: f64, right: f64) {
        assert!((left - right).abs() < 1e-8 * right.abs(), "{left} {right}");
    }

    #[test]
    fn the_vectors_of_the_textbook_methods() {
        let trend = Trend::of(&[50.0, 120.0, 300.0, 310.0, 560.0, 700.0], 720.0).unwrap();
        close(trend.laplace, -0.235_702_260_4);
        close(trend.growth, 0.929_278_695_6);
        close(trend.growth_unbiased, 0.774_398_913);
        close(trend.mtbf_now_s, 129.132_412_7);
        close(trend.gap_variation, 0.769_839_633_4);
        assert!(!trend.worsening());
        let worse = [400.0, 500.0, 560.0, 620.0, 660.0, 690.0, 705.0, 715.0];
        let trend = Trend::of(&worse, 720.0).unwrap();
        close(trend.laplace, 3.351_038_051);
        assert!(trend.worsening() && trend.growth > 1.0);
    }

    #[test]
    fn too_few_failures_and_nonsense_are_no_trend() {
        assert_eq!(Trend::of(&[], 10.0), None);
        assert_eq!(Trend::of(&[1.0, 2.0], 10.0), None);
        assert_eq!(Trend::of(&[1.0, 2.0, 11.0], 10.0), None);
        assert_eq!(Trend::of(&[0.0, 2.0, 3.0], 10.0), None);
        assert_eq!(Trend::of(&[1.0, 2.0, 3.0], f64::NAN), None);
    }
}
