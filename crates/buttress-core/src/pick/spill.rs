//! Which priority is asked, and when the next one has to help.

/// A priority is sent as much as it can bear, reckoned generously: with 72 % of it well it still takes all. Envoy's
/// overprovisioning factor.
const GENEROUS: f64 = 1.4;

/// The parts of the load that priorities of such health get, before they are scaled to one: in order, each what it can
/// bear of what is left.
fn parts(healths: impl Iterator<Item = f64>) -> impl Iterator<Item = f64> {
    healths.scan(1.0, |left, health| {
        let part = (GENEROUS * health).max(0.0).min(*left);
        *left -= part;
        Some(part)
    })
}

/// A priority by a draw from 0 to 1; and whether all together cannot bear the load.
pub(super) fn priority(draw: f64, healths: impl Iterator<Item = f64> + Clone) -> (usize, bool) {
    // Rounding must not make a panic of three thirds.
    const WHOLE: f64 = 1.0 - 1e-9;
    let total: f64 = parts(healths.clone()).sum();
    let mut left = draw * total;
    let drawn = parts(healths).position(|part| {
        left -= part;
        left < 0.0
    });
    (drawn.unwrap_or(0), total < WHOLE)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::random::{Draws, unit};

    /// Envoy's documentation of priorities; where its page on panic disagrees, the formula holds.
    #[test]
    fn spills_over_as_envoy_does() {
        for (healths, shares, short) in [
            (&[100, 0][..], &[100, 0][..], false),
            (&[100, 100], &[100, 0], false),
            (&[72, 100], &[100, 0], false),
            (&[71, 100], &[99, 1], false),
            (&[50, 100], &[70, 30], false),
            (&[25, 100], &[35, 65], false),
            (&[0, 100], &[0, 100], false),
            (&[25, 25], &[50, 50], true),
            (&[5, 65], &[7, 93], true),
            (&[25, 25, 100], &[35, 35, 30], false),
            (&[25, 25, 20], &[36, 36, 28], true),
            (&[0, 0], &[100, 0], true),
        ] {
            let mut hits = vec![0.0; healths.len()];
            let mut draws = Draws::seeded(7);
            let fractions = healths.iter().map(|health| f64::from(*health) / 100.0);
            for _ in 0..10_000 {
                let (drawn, lacks) = priority(unit(draws.next()), fractions.clone());
                assert_eq!(lacks, short, "{healths:?}");
                hits[drawn] += 0.01;
            }
            for (share, hits) in shares.iter().zip(&hits) {
                assert!(
                    (f64::from(*share) - hits).abs() < 1.5,
                    "{healths:?}: {hits}"
                );
            }
        }
    }

    #[test]
    fn no_health_at_all_is_the_first() {
        assert_eq!(priority(0.5, std::iter::empty()), (0, true));
        assert_eq!(priority(0.5, [f64::NAN, 1.0].into_iter()).0, 1);
    }
}
