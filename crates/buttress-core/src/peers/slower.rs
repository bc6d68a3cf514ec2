//! Is one endpoint slower than its peers?
//!
//! By ranks, so that no unit and no shape of latencies matters: one is slower if most of its calls take longer than 95 of
//! 100 calls of its peers, of which the middle one stands for all, so that fewer than half of them can hide it.

use crate::{math::at_least, stats::BUCKETS};

/// Latencies an eighth apart are one here.
const COARSE: usize = 4;

/// A peer with fewer calls knows too little of its slowest ones.
const ENOUGH: u64 = 100;

/// Of a peer's calls, so many of a hundred are faster.
const QUANTILE: u64 = 95;

/// At most one comparison in so many may be wrong of an endpoint that half of the time is as fast.
const FALSE_ALARM: f64 = 1e-4;

/// How long the calls of one endpoint took since it was last compared. 352 bytes, made for its first call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spread(Box<[u16]>);

impl Spread {
    /// Takes in `count` calls of a bucket of the histogram of latencies.
    pub(crate) fn add(&mut self, bucket: usize, count: u32) {
        if self.0.is_empty() {
            self.0 = vec![0; BUCKETS.div_ceil(COARSE)].into();
        }
        let count = u16::try_from(count).unwrap_or(u16::MAX);
        if let Some(known) = self.0.get_mut(bucket / COARSE) {
            *known = known.saturating_add(count);
        }
    }

    /// Are there enough calls to tell how long its slowest take?
    pub(crate) fn is_enough(&self) -> bool {
        self.calls() >= ENOUGH
    }

    fn calls(&self) -> u64 {
        self.0.iter().copied().map(u64::from).sum()
    }

    fn above(&self, bucket: usize) -> u64 {
        self.0.iter().skip(bucket + 1).copied().map(u64::from).sum()
    }

    /// The bucket below or in which 95 of 100 calls are, of those that had enough.
    fn high(&self) -> Option<usize> {
        let calls = self.calls();
        let mut left = calls * QUANTILE / 100;
        self.is_enough().then(|| {
            let full = |count: &u16| {
                let here = u64::from(*count);
                let ends = here >= left;
                left = left.saturating_sub(here);
                ends
            };
            self.0.iter().position(full).unwrap_or_default()
        })
    }
}

/// Who is slower than its peers, by index.
pub(crate) fn slower(set: &[Spread]) -> Vec<usize> {
    let mut highs: Vec<(usize, usize)> = (0..)
        .zip(set)
        .filter_map(|(index, spread)| spread.high().map(|high| (high, index)))
        .collect();
    highs.sort_unstable();
    let most = FALSE_ALARM / set.len().max(1) as f64;
    let is_slower = |index: &usize| {
        let peers = highs.iter().filter(|(_, peer)| peer != index);
        let middle = peers.clone().count().checked_sub(1).map(|last| last / 2);
        let Some((high, _)) = middle.and_then(|middle| peers.clone().nth(middle)) else {
            return false;
        };
        let own = &set[*index];
        at_least(own.above(*high), own.calls(), 0.5) <= most
    };
    (0..set.len()).filter(is_slower).collect()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{random::Draws, stats::ceiling};

    fn bucket(span: Duration) -> usize {
        (0..BUCKETS)
            .find(|bucket| ceiling(*bucket) > span)
            .unwrap_or_default()
    }

    /// So many calls of each endpoint, around its milliseconds, 60 % to 160 % of them.
    fn set(calls: u64, millis: &[u64]) -> Vec<Spread> {
        let mut draws = Draws::seeded(calls);
        let mut spread = |millis: &u64| {
            let mut spread = Spread::default();
            for _ in 0..calls {
                let span = Duration::from_micros(millis * (600 + draws.next() % 1_000));
                spread.add(bucket(span), 1);
            }
            spread
        };
        millis.iter().map(&mut spread).collect()
    }

    #[test]
    fn one_that_is_slower_is_named_and_nobody_else() {
        for (millis, expected) in [
            (&[10, 10, 30][..], &[2][..]),
            (&[10, 30], &[1]),
            (&[30, 10, 10, 30, 10], &[0, 3]),
            (&[10, 12, 14], &[]),
            (&[10; 50], &[]),
            // Half of them: who is to say which half is slow?
            (&[10], &[]),
            (&[], &[]),
        ] {
            assert_eq!(slower(&set(1_000, millis)), expected, "{millis:?}");
        }
    }

    #[test]
    fn few_calls_accuse_nobody() {
        assert!(slower(&set(10, &[10, 10, 90])).is_empty());
        let mut set = set(1_000, &[10, 10, 90]);
        set[2] = Spread::default();
        (0..12).for_each(|_| set[2].add(bucket(Duration::from_millis(90)), 1));
        assert!(slower(&set).is_empty());
        (0..12).for_each(|_| set[2].add(bucket(Duration::from_millis(90)), 1));
        assert_eq!(slower(&set), [2]);
    }

    #[test]
    fn no_count_overflows() {
        let mut spread = Spread::default();
        spread.add(BUCKETS - 1, u32::MAX);
        spread.add(BUCKETS - 1, u32::MAX);
        spread.add(usize::MAX, 1);
        assert_eq!(spread.calls(), u64::from(u16::MAX));
        assert!(slower(&[spread.clone(), spread]).is_empty());
    }
}
