//! The last gaps between signs of life.

use std::{collections::VecDeque, time::Duration};

use crate::value::LONGEST;

/// Mean and deviation of the last so many gaps, in nanoseconds.
///
/// Sums are exact integers and never drift: with 10 000 gaps of at most a day, n·Σx² stays below 2¹²⁰.
#[derive(Debug)]
pub(super) struct Gaps {
    most: usize,
    gaps: VecDeque<u64>,
    sum: u128,
    squares: u128,
}

impl Gaps {
    pub(super) const fn new(most: u32) -> Self {
        Self {
            // None at all would leave nothing to judge by.
            most: if most == 0 { 1 } else { most as usize },
            gaps: VecDeque::new(),
            sum: 0,
            squares: 0,
        }
    }

    pub(super) fn learn(&mut self, gap: Duration) {
        if self.gaps.len() >= self.most
            && let Some(oldest) = self.gaps.pop_front()
        {
            let oldest = u128::from(oldest);
            self.sum -= oldest;
            self.squares -= oldest * oldest;
        }
        let gap = u64::try_from(gap.min(LONGEST).as_nanos()).unwrap_or(u64::MAX);
        self.gaps.push_back(gap);
        self.sum += u128::from(gap);
        self.squares += u128::from(gap) * u128::from(gap);
    }

    pub(super) fn mean(&self) -> f64 {
        self.sum as f64 / self.count() as f64
    }

    pub(super) fn sigma(&self) -> f64 {
        let count = self.count();
        let spread = (count.saturating_mul(self.squares)).saturating_sub(self.sum * self.sum);
        (spread as f64).sqrt() / count as f64
    }

    fn count(&self) -> u128 {
        self.gaps.len().max(1) as u128
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sequences of Akka's and Pekko's own test of their heartbeat history.
    #[test]
    fn means_and_variances_are_those_of_the_last_gaps() {
        let mut gaps = Gaps::new(3);
        let mut feed = |nanos: &[u64]| {
            for gap in nanos {
                gaps.learn(Duration::from_nanos(*gap));
            }
            (gaps.mean(), gaps.sigma().powi(2), gaps.gaps.len())
        };
        for (fed, mean, variance, held) in [
            (&[1_000][..], 1_000.0, 0.0, 1),
            (&[100, 110, 90], 100.0, 66.666_666_7, 3),
            (&[140], 113.333_333_3, 422.222_222_2, 3),
            (&[80], 103.333_333_3, 688.888_888_9, 3),
        ] {
            let found = feed(fed);
            assert!((found.0 - mean).abs() < 1e-6, "{found:?}");
            assert!((found.1 - variance).abs() < 1e-6, "{found:?}");
            assert_eq!(found.2, held);
        }
    }

    #[test]
    fn ten_thousand_days_of_silence_do_not_overflow() {
        let mut gaps = Gaps::new(10_000);
        for _ in 0..20_000 {
            gaps.learn(Duration::MAX);
        }
        assert!((gaps.mean() - LONGEST.as_nanos() as f64).abs() < 1.0);
        assert!(gaps.sigma().abs() < 1.0);
    }
}
