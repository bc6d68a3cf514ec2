//! How long healthy calls take.

use std::time::Duration;

use crate::sync::{AtomicU32, Ordering};

/// Below this exponent buckets are one unit wide; above, each doubling has as many buckets: 1/32 apart, 1/64 off at most.
const PRECISION: u32 = 5;

/// A unit is 1.024 µs: a shift instead of a division.
const UNIT: u32 = 10;

/// Longest time told apart: 2²⁶ units, 68.7 s. Longer ones share the last bucket.
const OCTAVES: u32 = 26;

/// Two linear octaves, then one group of buckets per doubling.
pub(crate) const BUCKETS: usize = ((OCTAVES - PRECISION + 1) << PRECISION) as usize;

/// A log-linear histogram (as HdrHistogram's, at five bits): no logarithm, no floating point, one add per call.
#[derive(Debug)]
pub(crate) struct Latency([AtomicU32; BUCKETS]);

impl Latency {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU32::new(0)))
    }

    pub(crate) fn record(&self, span: Duration) {
        // Relaxed: a counter orders nothing.
        self.0[bucket(span)].fetch_add(1, Ordering::Relaxed);
    }

    /// Takes out what was recorded since the last time, bucket by bucket.
    pub(crate) fn drain(&self, mut each: impl FnMut(usize, u32)) {
        for (bucket, count) in self.0.iter().enumerate() {
            if count.load(Ordering::Relaxed) > 0 {
                each(bucket, count.swap(0, Ordering::Relaxed));
            }
        }
    }
}

/// Where a time belongs.
pub(crate) fn bucket(span: Duration) -> usize {
    let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    let units = (nanos >> UNIT).min((1 << OCTAVES) - 1);
    let shift = (u64::BITS - units.leading_zeros()).saturating_sub(PRECISION + 1);
    ((shift as usize) << PRECISION) + (units >> shift) as usize
}

/// The shortest time above all that belong to `bucket`.
pub(crate) fn ceiling(bucket: usize) -> Duration {
    let next = bucket.min(BUCKETS - 1) + 1;
    let shift = (next >> PRECISION).saturating_sub(1);
    let units = (next - (shift << PRECISION)) as u64;
    Duration::from_nanos(units << (shift as u32 + UNIT))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_time_lies_below_its_ceiling_and_no_more_than_a_thirtysecond_below() {
        for exponent in 0..36 {
            for step in 0..64_u64 {
                let nanos = (1_u64 << exponent) + step * (1 << exponent) / 64;
                let span = Duration::from_nanos(nanos);
                let ceiling = ceiling(bucket(span));
                assert!(span < ceiling, "{span:?} {ceiling:?}");
                let width = (ceiling - span).as_nanos() as u64;
                assert!(width <= (nanos / 32).max(1 << UNIT), "{span:?} {ceiling:?}");
            }
        }
    }

    #[test]
    fn buckets_rise_without_a_gap_and_end() {
        let starts = (0..BUCKETS).map(|index| index.checked_sub(1).map_or(Duration::ZERO, ceiling));
        for (index, start) in starts.enumerate() {
            assert_eq!(bucket(start), index);
        }
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
        assert_eq!(bucket(Duration::ZERO), 0);
    }

    #[test]
    fn what_is_drained_is_gone() {
        let latency = Latency::new();
        (0..5).for_each(|_| latency.record(Duration::from_millis(3)));
        let mut total = 0;
        latency.drain(|index, count| {
            assert_eq!(index, bucket(Duration::from_millis(3)));
            total += count;
        });
        assert_eq!(total, 5);
        latency.drain(|_, _| unreachable!("nothing is left"));
    }
}
