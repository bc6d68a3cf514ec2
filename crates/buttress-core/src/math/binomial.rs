//! Counts out of counts: tails, estimates and intervals.

use super::beta::{cumulative, quantile};

/// The chance of `failures` or more in `calls` independent calls that each fail with chance `rate`.
pub(crate) fn at_least(failures: u64, calls: u64, rate: f64) -> f64 {
    if failures == 0 {
        return 1.0;
    }
    if failures > calls {
        return 0.0;
    }
    cumulative(failures as f64, (calls - failures) as f64 + 1.0, rate)
}

/// The rate that `failures` of `calls` speak for, by Jeffreys' prior Beta(½, ½): a half when nothing is known.
pub(crate) fn jeffreys_mean(failures: u64, calls: u64) -> f64 {
    let (failures, successes) = split(failures, calls);
    (failures + 0.5) / (failures + successes + 1.0)
}

/// Between which rates the true one lies with `confidence`; down to 0 when nothing failed, up to 1 when all did.
pub(crate) fn jeffreys_interval(failures: u64, calls: u64, confidence: f64) -> (f64, f64) {
    let tail = 0.5 * (1.0 - confidence.clamp(0.0, 1.0));
    let (failures, successes) = split(failures, calls);
    let at = |p| quantile(p, failures + 0.5, successes + 0.5);
    (
        if failures > 0.0 { at(tail) } else { 0.0 },
        if successes > 0.0 { at(1.0 - tail) } else { 1.0 },
    )
}

/// The rate that is not exceeded with `confidence`, exact for any true rate (Clopper and Pearson, 1934).
pub(crate) fn rate_at_most(failures: u64, calls: u64, confidence: f64) -> f64 {
    let (failures, successes) = split(failures, calls);
    if successes == 0.0 {
        return 1.0;
    }
    quantile(confidence, failures + 1.0, successes)
}

/// Failures and successes; more failures than calls are as many as calls.
fn split(failures: u64, calls: u64) -> (f64, f64) {
    let failures = failures.min(calls);
    (failures as f64, (calls - failures) as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tails_agree_with_exact_sums() {
        for (failures, calls, rate, expected) in [
            (1, 10, 0.1, 0.651_321_559_9),
            (5, 20, 0.05, 0.002_573_940_334_652_281_4),
            (10, 100, 0.02, 3.441_680_604_304_28e-5),
            (30, 100, 0.029_5, 4.820_177_216_593_127e-22),
            (50, 100, 0.5, 0.539_794_618_693_589_4),
            (3, 400, 0.01, 0.763_368_081_451_983),
            (100, 100, 0.9, 2.656_139_888_758_747_6e-5),
            (60, 2000, 0.01, 2.834_076_030_362_143e-13),
            (2, 2, 0.3, 0.09),
        ] {
            let error = (at_least(failures, calls, rate) / expected - 1.0).abs();
            assert!(error < 1e-10, "{failures} of {calls}: off by {error:e}");
        }
    }

    #[test]
    fn jeffreys_intervals_are_those_of_the_tables() {
        for (failures, calls, low, high) in [
            (0, 100, 0.0, 0.024_745_270),
            (1, 100, 0.001_081_102, 0.045_778_897),
            (5, 100, 0.019_331_812, 0.106_100_074),
            (3, 10_000, 0.000_084_500, 0.000_800_418),
            (50, 100, 0.403_173_951, 0.596_826_049),
            (0, 0, 0.0, 1.0),
        ] {
            let found = jeffreys_interval(failures, calls, 0.95);
            assert!(
                (found.0 - low).abs() < 6e-10 && (found.1 - high).abs() < 6e-10,
                "{failures} of {calls}: {found:?}"
            );
        }
        assert_eq!((jeffreys_mean(0, 0), jeffreys_mean(0, 999)), (0.5, 0.000_5));
    }

    #[test]
    fn upper_bounds_are_those_of_the_tables() {
        for (failures, calls, confidence, expected) in [
            (0, 100, 0.975, 0.036_216_693),
            (1, 100, 0.975, 0.054_459_385),
            (3, 10_000, 0.975, 0.000_876_475),
            (0, 1_000, 0.95, 0.002_991_249_545),
            (7, 7, 0.95, 1.0),
        ] {
            let found = rate_at_most(failures, calls, confidence);
            assert!(
                (found - expected).abs() < 6e-10,
                "{failures} of {calls}: {found}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_count_makes_it_panic_or_leave_the_unit_interval(failures: u64, calls: u64, rate: f64) {
            let unit = 0.0..=1.0;
            let (low, high) = jeffreys_interval(failures, calls, rate);
            prop_assert!(unit.contains(&low) && unit.contains(&high) && low <= high, "{} {}", low, high);
            prop_assert!(unit.contains(&at_least(failures, calls, rate)));
            prop_assert!(unit.contains(&jeffreys_mean(failures, calls)));
            prop_assert!(unit.contains(&rate_at_most(failures, calls, rate)));
        }

        #[test]
        fn agrees_with_a_sum_over_all_ways(calls in 1..60_u64, share in 0.0..=1.0_f64, rate in 0.001..0.999_f64) {
            let failures = (share * calls as f64) as u64;
            let mut term = (1.0 - rate).powi(calls as i32);
            let mut sum = 0.0;
            for k in 0..=calls {
                if k >= failures { sum += term; }
                term *= (calls - k) as f64 / (k + 1) as f64 * rate / (1.0 - rate);
            }
            prop_assert!((at_least(failures, calls, rate) - sum).abs() < 1e-11);
        }
    }
}
