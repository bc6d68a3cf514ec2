//! Envoy's success-rate rule, for those who ask for it by name.
//!
//! Beware: on a healthy set it ejects somebody in every second sweep, and once 22 % of a set are dead it sees none of
//! them, because they widen the deviation they are measured by. The peer test in `outlier` has neither fault.

use super::Tally;

/// Success rate below `mean − factor · σ` of the set, as in Envoy and gRPC (proposal A50).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Deviation {
    /// Fewer endpoints with enough calls, and nobody is judged.
    pub(crate) hosts: usize,
    /// An endpoint with fewer calls neither counts nor is judged.
    pub(crate) volume: u64,
    /// Standard deviations below the mean.
    pub(crate) factor: f64,
}

impl Deviation {
    /// Envoy's defaults.
    pub(crate) const ENVOY: Self = Self {
        hosts: 5,
        volume: 100,
        factor: 1.9,
    };

    /// Which of a set stand out, over one sweep.
    pub(crate) fn outliers(&self, set: &[Tally]) -> Vec<bool> {
        let threshold = self.threshold(set);
        set.iter()
            .map(|tally| {
                threshold.is_some_and(|least| self.success(*tally).is_some_and(|rate| rate < least))
            })
            .collect()
    }

    /// The least success rate that passes; none where too few have enough calls.
    fn threshold(&self, set: &[Tally]) -> Option<f64> {
        let rates: Vec<f64> = set
            .iter()
            .filter_map(|tally| self.success(*tally))
            .collect();
        if rates.len() < self.hosts.max(1) {
            return None;
        }
        let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / rates.len() as f64;
        let center = mean(&mut rates.iter().copied());
        // Of the population, as the references have it.
        let variance = mean(&mut rates.iter().map(|rate| (rate - center).powi(2)));
        Some(center - self.factor * variance.sqrt())
    }

    /// Its success rate, if it has calls enough to count.
    fn success(&self, tally: Tally) -> Option<f64> {
        if tally.calls < self.volume {
            return None;
        }
        tally.rate().map(|rate| 1.0 - rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Indices that stand out of endpoints with `calls` each and these success rates in percent.
    fn found(calls: u64, percent: &[u64]) -> Vec<usize> {
        let set: Vec<Tally> = percent
            .iter()
            .map(|percent| Tally::new(calls * (100 - percent) / 100, calls))
            .collect();
        let outliers = Deviation::ENVOY.outliers(&set);
        (0..set.len()).filter(|index| outliers[*index]).collect()
    }

    #[test]
    fn ejects_and_is_masked_as_envoy_is() {
        for (percent, expected) in [
            (&[50, 100, 100, 100, 100][..], &[0][..]),
            (&[0, 100, 100, 100, 100], &[0]),
            (&[0, 0, 100, 100, 100], &[]),
            (&[0, 100, 100, 100], &[]),
            (&[97, 98, 96, 99, 95], &[]),
            (&[100, 100, 100, 100, 100], &[]),
        ] {
            assert_eq!(found(100, percent), expected, "{percent:?}");
            assert_eq!(found(99, percent), [0_usize; 0], "{percent:?}");
        }
    }

    #[test]
    fn thresholds_are_envoys() {
        let threshold = |rates: [u64; 5]| {
            Deviation::ENVOY
                .threshold(&rates.map(|percent| Tally::new(100 - percent, 100)))
                .unwrap()
        };
        assert!((threshold([50, 100, 100, 100, 100]) - 0.52).abs() < 1e-12);
        assert!((threshold([0, 100, 100, 100, 100]) - 0.04).abs() < 1e-12);
        assert!((threshold([0, 0, 100, 100, 100]) + 0.330_806).abs() < 1e-6);
    }

    #[test]
    fn four_hosts_are_too_few_whatever_they_show() {
        let strict = Deviation {
            factor: 1.0,
            ..Deviation::ENVOY
        };
        let set = |hosts| {
            let mut set = vec![Tally::new(0, 100); hosts];
            set[0] = Tally::new(100, 100);
            set
        };
        assert_eq!(strict.outliers(&set(4)), [false; 4]);
        assert_eq!(strict.outliers(&set(5)), [true, false, false, false, false]);
    }

    #[test]
    fn an_empty_set_has_no_outliers() {
        let anything = Deviation {
            hosts: 0,
            volume: 0,
            factor: 0.0,
        };
        assert!(anything.outliers(&[]).is_empty());
        assert_eq!(anything.outliers(&[Tally::default(); 3]), [false; 3]);
    }
}
