//! The beta function, its regularised incomplete form and that one's inverse.

use super::{
    gamma::{HALF_LN_TAU, STIRLING, ln_gamma, stirling_rest},
    normal::upper_tail,
};

/// `ln B(a, b)` for `a, b > 0`, without the cancellation of three large logarithms of Γ.
pub(crate) fn ln_beta(a: f64, b: f64) -> f64 {
    let (small, large) = (a.min(b), a.max(b));
    let sum = small + large;
    if small >= STIRLING {
        let rest = stirling_rest(small) + stirling_rest(large) - stirling_rest(sum);
        return (small - 0.5) * (small / sum).ln() - large * (small / large).ln_1p() + HALF_LN_TAU
            - 0.5 * large.ln()
            + rest;
    }
    if large >= STIRLING {
        let rest = stirling_rest(large) - stirling_rest(sum);
        return ln_gamma(small) + small
            - small * large.ln()
            - (sum - 0.5) * (small / large).ln_1p()
            + rest;
    }
    ln_gamma(a) + ln_gamma(b) - ln_gamma(sum)
}

/// `I_x(a, b)`: the chance that a Beta(a, b) variable is at most `x`.
pub(super) fn cumulative(a: f64, b: f64, x: f64) -> f64 {
    /// From here on Temme's expansion errs by less than the 1e-7 that a decision could ever notice.
    const LARGE: f64 = 20_000.0;
    if x.is_nan() || x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let (a, b) = (bounded(a), bounded(b));
    if a.min(b) > LARGE {
        return temme(a, b, x);
    }
    // The fraction converges fast on this side of the mean; on the other by I_x(a, b) = 1 − I_{1−x}(b, a).
    if x < (a + 1.0) / (a + b + 2.0) {
        fraction(a, b, x)
    } else {
        1.0 - fraction(b, a, 1.0 - x)
    }
}

/// The `x` at which [`cumulative`] reaches `p`.
pub(super) fn quantile(p: f64, a: f64, b: f64) -> f64 {
    /// Newton needs under ten steps; halving alone at most this many down to the smallest answers.
    const STEPS: u32 = 200;
    if p.is_nan() || p <= 0.0 {
        return 0.0;
    }
    if p >= 1.0 {
        return 1.0;
    }
    let (a, b) = (bounded(a), bounded(b));
    let (mut low, mut high) = (0.0, 1.0);
    let mut x = a / (a + b);
    for _ in 0..STEPS {
        let error = cumulative(a, b, x) - p;
        if error == 0.0 || high - low <= f64::EPSILON * high {
            break;
        }
        if error > 0.0 {
            high = x
        } else {
            low = x
        }
        let density = (ln_power(a, b, x) - x.ln() - (-x).ln_1p()).exp();
        let newton = x - error / density;
        let next = if newton >= low && newton <= high {
            newton
        } else if high > 4.0 * low {
            // Answers of 1e-12 are as near as those of a half.
            high * 0.25
        } else {
            f64::midpoint(low, high)
        };
        let settled = (next - x).abs() <= 1e-14 * x;
        x = next;
        if settled {
            break;
        }
    }
    x
}

/// A parameter within what counts can be, and far beyond: no power of it overflows.
fn bounded(parameter: f64) -> f64 {
    if parameter.is_nan() {
        return 1.0;
    }
    parameter.clamp(1e-12, 1e30)
}

/// `ln(xᵃ·(1−x)ᵇ / B(a, b))`, from the distance to the mean: exact where both powers are huge (Loader, 2000).
fn ln_power(a: f64, b: f64, x: f64) -> f64 {
    if a.min(b) < STIRLING {
        return a * x.ln() + b * (-x).ln_1p() - ln_beta(a, b);
    }
    let rest = stirling_rest(a) + stirling_rest(b) - stirling_rest(a + b);
    0.5 * (a / (a + b) * b).ln() - HALF_LN_TAU - rest - deviance(a, b, x)
}

/// `a·ln(m/x) + b·ln((1−m)/(1−x))` with the mean `m = a/(a+b)`: never negative, zero at the mean.
fn deviance(a: f64, b: f64, x: f64) -> f64 {
    let (mean, rest) = (a / (a + b), b / (a + b));
    let distance = x - mean;
    -(a * log_beyond_linear(x / mean, distance / mean)
        + b * log_beyond_linear((1.0 - x) / rest, -distance / rest))
}

/// `ln(1 + d) − d`, where `ratio = 1 + d`.
fn log_beyond_linear(ratio: f64, d: f64) -> f64 {
    if d.abs() > 0.5 {
        return ratio.ln() - d;
    }
    // ln(1 + d) = 2·(r + r³/3 + r⁵/5 + …) with r = d/(2 + d).
    let r = d / (2.0 + d);
    let (mut power, mut sum, mut odd) = (r, 0.0, 1.0);
    for _ in 0..18 {
        power *= r * r;
        odd += 2.0;
        sum += power / odd;
    }
    2.0 * sum - d * r
}

/// The continued fraction of `I_x(a, b)`, by the modified method of Lentz.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    /// It takes about the root of the smaller parameter; this bounds the rest.
    const STEPS: u32 = 3_000;
    const TINY: f64 = 1e-300;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = away(1.0 - (a + b) * x / (a + 1.0)).recip();
    let mut value = d;
    for step in 1..=STEPS {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = away(1.0 + term * d).recip();
            c = away(1.0 + term / c);
            change = c * d;
            value *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    (ln_power(a, b, x).exp() / a * value).clamp(0.0, 1.0)
}

/// Temme's uniform expansion (1982), to its first correction, for large parameters.
fn temme(a: f64, b: f64, x: f64) -> f64 {
    let n = a + b;
    let (mean, rest) = (a / n, b / n);
    let spread = (mean * rest).sqrt();
    let eta = (2.0 * deviance(a, b, x).max(0.0) / n)
        .sqrt()
        .copysign(x - mean);
    // The two poles cancel at the mean; nearby, their difference is what is left there.
    let correction = if eta.abs() < 1e-5 {
        (1.0 - 2.0 * mean) / (3.0 * spread)
    } else {
        eta.recip() - spread / (x - mean)
    };
    let density = (-0.5 * n * eta * eta).exp() / (std::f64::consts::TAU * n).sqrt();
    (upper_tail(-eta * n.sqrt()) + density * correction).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn has_its_closed_forms() {
        // B(1, b) = 1/b and B(2, 3) = 1/12; I_x(1, 1) = x; I_x(2, 2) = x²(3 − 2x).
        for (a, b, expected) in [
            (1.0, 7.0, 1.0 / 7.0),
            (2.0, 3.0, 1.0 / 12.0),
            (1.0, 1e15, 1e-15),
        ] {
            assert!((ln_beta(a, b) - f64::ln(expected)).abs() < 1e-13, "{a} {b}");
        }
        for x in [1e-9, 0.1, 0.5, 0.999] {
            assert!((cumulative(1.0, 1.0, x) - x).abs() < 1e-14);
            assert!((cumulative(2.0, 2.0, x) - x * x * (3.0 - 2.0 * x)).abs() < 1e-14);
        }
    }

    #[test]
    fn the_expansion_for_large_parameters_meets_the_fraction() {
        let tight = |a: f64, b: f64, x: f64| {
            if x < a / (a + b) {
                fraction(a, b, x)
            } else {
                1.0 - fraction(b, a, 1.0 - x)
            }
        };
        for (a, b) in [
            (20_000.0, 20_000.0),
            (20_000.0, 180_000.0),
            (90_000.0, 20_000.0),
        ] {
            let (mean, spread) = (a / (a + b), f64::sqrt(a * b / (a + b) / (a + b) / (a + b)));
            for z in [-6.0, -3.0, -1.0, -0.01, 0.0, 0.5, 2.0, 4.0] {
                let x = mean + z * spread;
                let (exact, near) = (tight(a, b, x), temme(a, b, x));
                let error = (near / exact - 1.0).abs();
                assert!(
                    error < 2e-5 && (near - exact).abs() < 1e-7,
                    "{a} {b} {z}: {exact} {near}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic_or_leave_the_unit_interval(a: f64, b: f64, x: f64) {
            prop_assert!((0.0..=1.0).contains(&cumulative(a, b, x)));
            prop_assert!((0.0..=1.0).contains(&quantile(x, a, b)));
        }

        #[test]
        fn the_quantile_undoes_the_distribution(a in 0.5..3e4_f64, b in 0.5..3e4_f64, p in 1e-4..0.9999_f64) {
            let back = cumulative(a, b, quantile(p, a, b));
            prop_assert!((back - p).abs() < 1e-9, "{} {}", back, p);
        }

        #[test]
        fn both_tails_make_one(a in 0.1..1e5_f64, b in 0.1..1e5_f64, x in 0.0..1.0_f64) {
            let sum = cumulative(a, b, x) + cumulative(b, a, 1.0 - x);
            prop_assert!((sum - 1.0).abs() < 1e-9, "{}", sum);
        }
    }
}
