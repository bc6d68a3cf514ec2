//! Learning how long healthy calls take.

use std::time::Duration;

use crate::{
    Nanos, Rules,
    stats::{BUCKETS, ceiling},
    sync::Arc,
    vitals::VitalState,
};

/// How often what was observed is taken in. It is believed one period later: by then an illness that began meanwhile
/// has shown itself, and its calls are not taken for the norm.
const PERIOD: Duration = Duration::from_secs(1);

/// What is remembered halves in this many periods, so that the norm follows the day and not the minute.
const HALF_LIFE: f64 = 300.0;

/// The age that one healthy call in a thousand exceeds.
const QUANTILE: f64 = 0.999;

/// Calls before the quantile is known: below this, fewer than three of them lie beyond it.
const ENOUGH: f64 = 3_000.0;

#[derive(Debug)]
pub(crate) struct Learn {
    next: Nanos,
    /// Weighted counts by bucket.
    known: Box<[f64]>,
    /// The last period's, not yet believed.
    fresh: Box<[u32]>,
}

impl Learn {
    pub(crate) fn new() -> Self {
        Self {
            next: Nanos::ZERO,
            known: vec![0.0; BUCKETS].into(),
            fresh: vec![0; BUCKETS].into(),
        }
    }

    /// Takes in what the members observed. Gives the age from which on calls are late, when it is to be set.
    pub(crate) fn observe(
        &mut self,
        members: &[Arc<VitalState>],
        now: Nanos,
        rules: &Rules,
    ) -> Option<Duration> {
        if now < self.next && self.next <= now.after(PERIOD) {
            return None;
        }
        self.next = now.after(PERIOD);
        let decay = 0.5_f64.powf(1.0 / HALF_LIFE);
        for (known, fresh) in self.known.iter_mut().zip(&mut self.fresh) {
            *known = *known * decay + f64::from(std::mem::take(fresh));
        }
        for member in members {
            let well = member.is_well();
            member.drain_latencies(|bucket, count| {
                if well {
                    self.fresh[bucket] = self.fresh[bucket].saturating_add(count);
                }
            });
        }
        let most = rules.timeout.map_or(Duration::MAX, |timeout| timeout / 2);
        self.quantile().map(|age| age.min(most))
    }

    fn quantile(&self) -> Option<Duration> {
        let total: f64 = self.known.iter().sum();
        if total < ENOUGH {
            return None;
        }
        let mut above = total * (1.0 - QUANTILE);
        let bucket = (0..BUCKETS).rev().find(|bucket| {
            above -= self.known[*bucket];
            above < 0.0
        })?;
        Some(ceiling(bucket))
    }
}
