//! When to hedge, from how long calls take.
//!
//! SingleR (Kaler, He, Elnikety, SPAA 2017): one more copy after a delay d, with a chance q. Of all d and q that cost no more
//! than the share B of extra sends, those are best with which the fewest calls take longer than t: t is least under
//! (1 − F(t))·(1 − q·F(t − d)) ≤ 1 − k and q·(1 − F(d)) ≤ B, F being how calls take without copies.

use std::time::Duration;

use super::HedgeAfter;
use crate::stats::{BUCKETS, ceiling};

/// One call in a thousand may take longer than t.
const LEFT: f64 = 0.001;

/// So many calls beyond the delay make it known well enough.
const BEYOND: f64 = 6.0;

/// How calls take: those that were answered by bucket, and those given up when another had answered, of which nobody knows.
pub(crate) fn single_r(answered: &[f64], overtaken: f64, share: f64) -> Option<HedgeAfter> {
    let total: f64 = answered.iter().sum::<f64>() + overtaken;
    if share.is_nan() || share <= 0.0 || total * share.min(1.0) < BEYOND {
        return None;
    }
    let mut sum = 0.0;
    let by: Vec<f64> = answered
        .iter()
        .map(|count| {
            sum += count;
            sum / total
        })
        .collect();
    let candidates = (0..by.len().min(BUCKETS)).filter(|bucket| answered[*bucket] > 0.0);
    let judged = candidates.map(|bucket| {
        let chance = (share / (1.0 - by[bucket])).clamp(0.0, 1.0);
        (slowest(&by, bucket, chance), bucket, chance)
    });
    // The later of two that are as good costs less.
    let best = judged.min_by(|one, other| one.0.cmp(&other.0).then(other.1.cmp(&one.1)));
    best.map(|(_, bucket, chance)| HedgeAfter {
        delay: ceiling(bucket),
        chance,
    })
}

/// How long all but a thousandth of the calls take, copies being sent after `delay` with this chance.
fn slowest(by: &[f64], delay: usize, chance: f64) -> Duration {
    let wait = ceiling(delay);
    let beyond = |bucket: usize| {
        let copies = ceiling(bucket)
            .checked_sub(wait)
            .map_or(0.0, |left| answered_in(by, left));
        (1.0 - by[bucket]) * (1.0 - chance * copies)
    };
    // It falls as the time grows.
    let (mut low, mut high) = (0, by.len());
    while low < high {
        let middle = low.midpoint(high);
        if beyond(middle) <= LEFT {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    if low < by.len() {
        ceiling(low)
    } else {
        Duration::MAX
    }
}

fn answered_in(by: &[f64], span: Duration) -> f64 {
    match crate::stats::bucket(span).checked_sub(1) {
        Some(below) => by.get(below).copied().unwrap_or(1.0),
        None => 0.0,
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{random::Draws, stats::bucket};

    /// Calls of 5 ms in the median, log-normal with σ = 0.35; of them one in 200 stalls for 200 ms and more, if any.
    fn calls(stalls: bool) -> Vec<f64> {
        let mut draws = Draws::seeded(7);
        let mut unit = || crate::random::unit(draws.next());
        let mut counts = vec![0.0; BUCKETS];
        for _ in 0..100_000 {
            let normal = (0..12).map(|_| unit()).sum::<f64>() - 6.0;
            let stalled = stalls && unit() < 0.005;
            let millis = if stalled {
                200.0 + 800.0 * unit()
            } else {
                5.0 * (0.35 * normal).exp()
            };
            counts[bucket(Duration::from_secs_f64(millis / 1_000.0))] += 1.0;
        }
        counts
    }

    fn share_beyond(counts: &[f64], delay: Duration) -> f64 {
        let beyond: f64 = (0..BUCKETS)
            .filter(|bucket| ceiling(*bucket) > delay)
            .map(|bucket| counts[bucket])
            .sum();
        beyond / counts.iter().sum::<f64>()
    }

    #[test]
    fn it_costs_no_more_than_its_share() {
        for stalls in [false, true] {
            let counts = calls(stalls);
            for share in [0.1, 0.05, 0.02, 0.01, 0.002] {
                let hedge = single_r(&counts, 0.0, share).unwrap();
                let cost = hedge.chance * share_beyond(&counts, hedge.delay);
                assert!(cost <= share * 1.001, "{share}: {hedge:?} costs {cost}");
            }
        }
    }

    #[test]
    fn a_scarce_share_is_drawn_for_sooner_and_a_plentiful_one_is_not() {
        let counts = calls(true);
        let plenty = single_r(&counts, 0.0, 0.05).unwrap();
        assert!((plenty.chance - 1.0).abs() < 1e-9, "{plenty:?}");
        // What stalls is half a per cent: with a fifth of that there is too little for all of them.
        let scarce = single_r(&counts, 0.0, 0.001).unwrap();
        assert!(scarce.chance < 1.0, "{scarce:?}");
    }

    #[test]
    fn those_that_were_overtaken_are_slow_calls() {
        let counts = calls(true);
        let known = single_r(&counts, 0.0, 0.02).unwrap();
        // What was slower than 12 ms was given up at 17 ms, and nobody knows how slow it was.
        let limit = Duration::from_millis(12);
        let (mut left, mut overtaken) = (counts, 0.0);
        for (bucket, count) in left.iter_mut().enumerate() {
            if ceiling(bucket) > limit {
                overtaken += std::mem::take(count);
            }
        }
        let hidden = single_r(&left, overtaken, 0.02).unwrap();
        let ratio = hidden.delay.as_secs_f64() / known.delay.as_secs_f64();
        assert!((0.8..=1.25).contains(&ratio), "{hidden:?} {known:?}");
    }

    #[test]
    fn too_few_calls_and_nonsense_say_nothing() {
        let few = vec![1.0; 5];
        for share in [0.02, 0.0, -1.0, f64::NAN] {
            assert_eq!(single_r(&few, 0.0, share), None, "{share}");
        }
        assert_eq!(single_r(&[], 0.0, 0.5), None);
        assert_eq!(single_r(&[], 1e6, 0.5), None);
    }
}
