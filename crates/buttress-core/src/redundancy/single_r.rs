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

/// Where the share does not bear so much, half as many again may as it cannot help at all, however late.
const OUT_OF_REACH: f64 = 1.5;

/// Times are kept by the thirty-second part: what differs by less is as good.
const AS_GOOD: f64 = 1.0 + 1.0 / 32.0;

/// And what leaves more calls slow by a tenth, or by a single one of those that were seen, is as good too: where about as many
/// stall as may be left, the least of gains would else be worth any delay.
const AS_FEW: f64 = 1.1;

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
    let last = by.len().checked_sub(1)?;
    let candidates: Vec<(usize, f64)> = (0..by.len().min(BUCKETS))
        .filter(|bucket| answered[*bucket] > 0.0)
        .map(|bucket| (bucket, (share / (1.0 - by[bucket])).clamp(0.0, 1.0)))
        .collect();
    let out_of_reach = candidates
        .iter()
        .map(|(bucket, chance)| beyond(&by, *bucket, *chance, last))
        .fold(1.0, f64::min);
    let left = LEFT.max(out_of_reach * OUT_OF_REACH);
    // One later than what it is to shorten shortens nothing: where none helps, it would be the latest of all, and what begins
    // to stall would wait for it.
    let judged: Vec<Judged> = candidates
        .into_iter()
        .filter_map(|(bucket, chance)| {
            let slowest = |left| slowest(&by, bucket, chance, left);
            Some(Judged {
                bucket,
                chance,
                slowest: slowest(left).filter(|slowest| seconds(bucket) <= slowest * AS_GOOD)?,
                at_best: slowest(left * AS_FEW + 1.0 / total)?,
            })
        })
        .collect();
    let least = judged
        .iter()
        .map(|judged| judged.slowest)
        .fold(f64::MAX, f64::min);
    let as_good = judged
        .iter()
        .filter(|judged| judged.at_best <= least * AS_GOOD);
    // Of those that are as good, the one that leaves the fewest calls that begin to stall without a copy; of these the better;
    // and the later of two, which costs less.
    let best = as_good.max_by(|one, other| {
        let by_chance = one.chance.total_cmp(&other.chance);
        by_chance
            .then(other.slowest.total_cmp(&one.slowest))
            .then(one.bucket.cmp(&other.bucket))
    });
    best.map(|judged| HedgeAfter {
        delay: ceiling(judged.bucket),
        chance: judged.chance,
    })
}

/// A delay and a chance, and how long all calls take but those that may be left, in seconds: as seen, and as it may be.
struct Judged {
    bucket: usize,
    chance: f64,
    slowest: f64,
    at_best: f64,
}

/// How long all but a part `left` of the calls take, in seconds, copies being sent after `delay` with this chance. Within a
/// bucket it is drawn straight: buckets are wider than what a good delay gains on one that gains nothing.
fn slowest(by: &[f64], delay: usize, chance: f64, left: f64) -> Option<f64> {
    let beyond = |bucket| beyond(by, delay, chance, bucket);
    // It falls as the time grows.
    let (mut low, mut high) = (0, by.len());
    while low < high {
        let middle = low.midpoint(high);
        if beyond(middle) <= left {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    if low == by.len() {
        return None;
    }
    let (start, before) = match low.checked_sub(1) {
        Some(below) => (seconds(below), beyond(below)),
        None => (0.0, 1.0),
    };
    let part = (before - left) / (before - beyond(low));
    Some(start + (seconds(low) - start) * part)
}

/// The part of the calls that take longer than all of `bucket`, copies being sent after `delay` with this chance.
fn beyond(by: &[f64], delay: usize, chance: f64, bucket: usize) -> f64 {
    let copies = ceiling(bucket)
        .checked_sub(ceiling(delay))
        .map_or(0.0, |rest| answered_in(by, rest));
    (1.0 - by[bucket]) * (1.0 - chance * copies)
}

fn seconds(bucket: usize) -> f64 {
    ceiling(bucket).as_secs_f64()
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

    /// To the whole millisecond, as timers have it: a whole bucket is empty beside one with many calls.
    fn few_calls(seed: u64) -> Vec<f64> {
        let mut draws = Draws::seeded(seed);
        let mut unit = || crate::random::unit(draws.next());
        let mut counts = vec![0.0; BUCKETS];
        for _ in 0..1_000 {
            let normal = (0..12).map(|_| unit()).sum::<f64>() - 6.0;
            let millis = (5.0 * (0.35 * normal).exp()).ceil();
            counts[bucket(Duration::from_secs_f64(millis / 1_000.0))] += 1.0;
        }
        counts
    }

    #[test]
    fn a_gain_of_less_than_a_bucket_is_not_given_up_for_a_delay_that_helps_nobody() {
        for seed in 0..50 {
            let counts = few_calls(seed);
            let hedge = single_r(&counts, 0.0, 0.02).unwrap();
            let cost = hedge.chance * share_beyond(&counts, hedge.delay);
            assert!(cost >= 0.005, "{seed}: {hedge:?} costs {cost}");
        }
    }

    #[test]
    fn where_no_delay_helps_it_is_not_that_of_the_slowest_call() {
        // All take 6 to 9 ms, but one in ten thousand.
        let mut counts = vec![0.0; BUCKETS];
        for millis in 6..=9 {
            counts[bucket(Duration::from_millis(millis))] = 2_500.0;
        }
        counts[bucket(Duration::from_millis(800))] = 1.0;
        let hedge = single_r(&counts, 0.0, 0.02).unwrap();
        assert!(hedge.delay < Duration::from_millis(10), "{hedge:?}");
        assert!(hedge.chance > 0.99, "{hedge:?}");
    }

    #[test]
    fn where_as_many_stall_as_may_be_left_it_is_not_the_least_of_chances() {
        // Evenly 5 to 9 ms; one of 60 ms and some that were overtaken make one in a thousand, and a little more.
        for overtaken in 0..12 {
            let mut counts = vec![0.0; BUCKETS];
            for millis in 5..=9 {
                counts[bucket(Duration::from_millis(millis))] = 798.0;
            }
            counts[bucket(Duration::from_millis(60))] = 1.0;
            let hedge = single_r(&counts, f64::from(overtaken), 0.03).unwrap();
            assert!(hedge.delay < Duration::from_millis(10), "{hedge:?}");
            assert!(hedge.chance > 0.99, "{overtaken} overtaken: {hedge:?}");
        }
    }

    #[test]
    fn what_its_share_cannot_bear_is_borne_in_part_and_not_at_the_very_end() {
        // Four in a hundred are overtaken, half of them at most can be helped: one in a thousand is out of reach.
        let counts = calls(false);
        let hedge = single_r(&counts, 4_000.0, 0.02).unwrap();
        assert!(hedge.delay < Duration::from_millis(20), "{hedge:?}");
        assert!(hedge.chance > 0.3, "{hedge:?}");
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
