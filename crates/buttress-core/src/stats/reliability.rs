//! MTBF, MTTR and their kin, as IEC 60050-192 defines them.

use std::time::Duration;

/// What an endpoint's outages say about it. What is not known is absent, never zero and never infinite.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Reliability {
    /// Time in operation.
    pub up: Duration,
    /// Time in outages, from when they began.
    pub down: Duration,
    /// Outages, the current one included.
    pub failures: u64,
    /// Mean operating time between failures: time up / failures. Absent without a failure.
    pub mtbf: Option<Duration>,
    /// The mean operating time between failures is at least this, with 95 % confidence, if failures come at random.
    pub mtbf_at_least: Duration,
    /// Mean time to restoration, over the outages that ended. Absent before the first ended.
    pub mttr: Option<Duration>,
    /// Mean time to detect: from when it began to when it was noticed.
    pub mttd: Option<Duration>,
    /// Failures per hour in operation.
    pub failure_rate_per_hour: Option<f64>,
    /// Time up / all time. Absent before any time has passed.
    pub availability: Option<f64>,
}

impl Reliability {
    pub(crate) fn of(
        age: Duration,
        down: Duration,
        failures: u64,
        (restored, restoring): (u64, Duration),
        detecting: Duration,
    ) -> Self {
        let up = age.saturating_sub(down);
        let hours = up.as_secs_f64() / 3600.0;
        Self {
            up,
            down,
            failures,
            mtbf: mean(up, failures),
            mtbf_at_least: up.div_f64(most_expected(failures)),
            mttr: mean(restoring, restored),
            mttd: mean(detecting, failures),
            failure_rate_per_hour: (hours > 0.0).then(|| failures as f64 / hours),
            availability: (!age.is_zero()).then(|| up.as_secs_f64() / age.as_secs_f64()),
        }
    }
}

fn mean(total: Duration, count: u64) -> Option<Duration> {
    (count > 0)
        .then(|| Duration::from_nanos(u64::try_from(total.as_nanos()).unwrap_or(u64::MAX) / count))
}

/// The largest expected number of failures under which seeing at most `seen` still has a chance of 5 %.
///
/// It solves `P(Poisson(m) ≤ seen) = 0.05`, which is χ²(0.95; 2·seen + 2) / 2: 3.00 for none seen, 4.74 for one.
fn most_expected(seen: u64) -> f64 {
    /// From here on the cube-root normal approximation (Wilson and Hilferty, 1931) is off by less than 1 in 100 000.
    const MANY: u64 = 100;
    if seen > MANY {
        let k = seen as f64 + 1.0;
        let root = 1.0 - 1.0 / (9.0 * k) + 1.644_853_627 / (3.0 * k.sqrt());
        return k * root.powi(3);
    }
    let (mut low, mut high) = (
        seen as f64,
        3.0 + 2.0 * seen as f64 + 3.0 * (seen as f64).sqrt(),
    );
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if poisson_at_most(seen, middle) > 0.05 {
            low = middle
        } else {
            high = middle
        }
    }
    high
}

fn poisson_at_most(seen: u64, mean: f64) -> f64 {
    let mut term = (-mean).exp();
    let mut sum = term;
    for k in 1..=seen {
        term *= mean / k as f64;
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn the_textbook_vector_of_720_hours() {
        let figures = Reliability::of(720 * HOUR, 2 * HOUR, 3, (3, 2 * HOUR), Duration::ZERO);
        let hours =
            |span: Option<Duration>| span.map_or(f64::NAN, |span| span.as_secs_f64() / 3600.0);
        assert!((hours(figures.mtbf) - 239.333_333_333_3).abs() < 1e-9);
        assert!((hours(figures.mttr) - 0.666_666_666_7).abs() < 1e-9);
        assert!((figures.failure_rate_per_hour.unwrap() - 0.004_178_272_981).abs() < 1e-12);
        assert!((figures.availability.unwrap() - 0.997_222_222_2).abs() < 1e-9);
    }

    #[test]
    fn without_a_failure_only_a_bound_is_known() {
        let figures = Reliability::of(
            1000 * HOUR,
            Duration::ZERO,
            0,
            (0, Duration::ZERO),
            Duration::ZERO,
        );
        assert_eq!(
            (figures.mtbf, figures.mttr, figures.mttd),
            (None, None, None)
        );
        assert!((figures.mtbf_at_least.as_secs_f64() / 3600.0 - 333.808_200_7).abs() < 1e-5);
        assert_eq!(
            Reliability::of(
                Duration::ZERO,
                Duration::ZERO,
                0,
                (0, Duration::ZERO),
                Duration::ZERO
            )
            .availability,
            None
        );
    }

    #[test]
    fn bounds_are_those_of_the_chi_square_tables() {
        for (seen, expected) in [
            (0, 2.9957),
            (1, 4.7439),
            (2, 6.2958),
            (5, 10.5130),
            (10, 16.9622),
            (99, 116.9971),
        ] {
            assert!(
                (most_expected(seen) - expected).abs() < 2e-3,
                "{seen}: {}",
                most_expected(seen)
            );
        }
        // The two methods meet.
        assert!((most_expected(101) - most_expected(100) - 1.0).abs() < 0.1);
    }
}
