//! Learning what is normal: how long healthy calls take, how often they fail, how many there are.

use std::time::Duration;

use crate::{
    HedgeAfter, Nanos, Ratio, Rules,
    redundancy::single_r,
    stats::{BUCKETS, ceiling},
    sync::Arc,
    vitals::VitalState,
};

/// How often what was observed is taken in. It is believed one period later: by then an illness that began meanwhile
/// has shown itself, and its calls are not taken for the norm.
pub(crate) const PERIOD: Duration = Duration::from_secs(1);

/// How often the endpoints of a set are compared, as Envoy does.
pub(crate) const SWEEP: Duration = Duration::from_secs(10);

/// What is remembered halves in this many periods, so that the norm follows the day and not the minute.
const HALF_LIFE: f64 = 300.0;

/// The age that one healthy call in a thousand exceeds.
const QUANTILE: f64 = 0.999;

/// Calls before the quantile is known: below this, fewer than ten of them lie beyond it. Three are too few where calls stand in
/// queues, for those that wait long wait together.
const ENOUGH: f64 = 10_000.0;

/// Members observed in one period. Of larger sets each has its turn: what it counted meanwhile is not lost.
const AT_ONCE: usize = 256;

/// A rate of calls is known once it was watched for so long.
const RATE_KNOWN: f64 = 10.0;

#[derive(Debug)]
pub(crate) struct Learn {
    next: Nanos,
    last: Nanos,
    swept: Nanos,
    /// The first member to be observed next.
    turn: usize,
    /// Weighted counts by bucket.
    known: Box<[f64]>,
    /// The last period's, not yet believed.
    fresh: Box<[u32]>,
    census: Weighted,
    fresh_census: Census,
    /// Calls to all members, whatever their health, those of them that failed, and seconds, weighted.
    calls: f64,
    failures: f64,
    seconds: f64,
    /// The share of calls that may be hedged, where their delay is to be learned.
    hedged: Option<f64>,
    hedge: Option<HedgeAfter>,
}

/// What was learned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Learned {
    /// Is it time to compare the endpoints?
    pub(crate) sweep: bool,
    /// The age that one healthy call in a thousand exceeds, once it is known.
    pub(crate) usual: Option<Duration>,
    /// What half of the healthy calls take, once it is known.
    pub(crate) median: Option<Duration>,
    /// The share of calls that fail while all is well, once there were any.
    pub(crate) base: Option<f64>,
    /// The share of calls that are late while all is well.
    pub(crate) late: f64,
    /// The share of all calls that fail, well or not, once there were enough to tell.
    pub(crate) failing: Option<f64>,
    /// Calls a second to all together, once it is known.
    pub(crate) rate: Option<f64>,
    /// After how long a call is to be hedged, where that is to be known and was solved anew.
    pub(crate) hedge: Option<HedgeAfter>,
}

/// Calls of one endpoint that ended, so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Census {
    pub(crate) calls: u64,
    pub(crate) failures: u64,
    pub(crate) late: u64,
    /// Calls that were given up for another was answered first, late or not.
    pub(crate) overtaken: u64,
}

impl Census {
    pub(crate) const fn since(self, before: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(before.calls),
            failures: self.failures.saturating_sub(before.failures),
            late: self.late.saturating_sub(before.late),
            overtaken: self.overtaken.saturating_sub(before.overtaken),
        }
    }

    pub(crate) const fn add(&mut self, more: Self) {
        self.calls += more.calls;
        self.failures += more.failures;
        self.late += more.late;
        self.overtaken += more.overtaken;
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Weighted {
    calls: f64,
    failures: f64,
    late: f64,
    overtaken: f64,
}

impl Learn {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self {
            hedged: rules.hedged.map(Ratio::as_f64),
            hedge: None,
            next: Nanos::ZERO,
            last: Nanos::ZERO,
            swept: Nanos::ZERO,
            turn: 0,
            known: vec![0.0; BUCKETS].into(),
            fresh: vec![0; BUCKETS].into(),
            census: Weighted::default(),
            fresh_census: Census::default(),
            calls: 0.0,
            failures: 0.0,
            seconds: 0.0,
        }
    }

    /// Takes in what the members observed, if it is time to.
    pub(crate) fn observe(&mut self, members: &[Arc<VitalState>], now: Nanos) -> Option<Learned> {
        // A clock that was set back must not stop it for as long.
        if now < self.next && self.next <= now.after(PERIOD) {
            return None;
        }
        let passed = now.since(self.last).as_secs_f64();
        let first = self.next == Nanos::ZERO;
        self.next = now.after(PERIOD);
        self.last = now;
        self.believe();
        let (mut calls, mut failures) = (0, 0);
        self.turn = if self.turn < members.len() {
            self.turn
        } else {
            0
        };
        let turn = members.iter().skip(self.turn).take(AT_ONCE);
        self.turn += AT_ONCE;
        for member in turn {
            let census = member.census_since();
            calls += census.calls;
            failures += census.failures;
            let good = member.of_good_times(|bucket, count| {
                self.fresh[bucket] = self.fresh[bucket].saturating_add(count);
            });
            self.fresh_census.add(good);
        }
        if !first {
            // The rate of about the last half minute.
            let left = (-passed / 30.0).exp();
            self.calls = self.calls * left + calls as f64;
            self.failures = self.failures * left + failures as f64;
            self.seconds = self.seconds * left + passed;
        }
        // One that was set in a time that is yet to come was set by a clock that was set back.
        let sweep = now.since(self.swept) >= SWEEP || self.swept > now;
        if sweep {
            self.swept = now;
        }
        let mut learned = self.learned(sweep && !first);
        // The first calls tell little of the slowest: soon more of them are known.
        if sweep || self.hedge.is_none() || self.census.calls < ENOUGH {
            learned.hedge = self.solve();
        }
        Some(learned)
    }

    /// Solves the delay of hedges. It moves by no more than a factor of two at a time, for it changes what it is solved from.
    fn solve(&mut self) -> Option<HedgeAfter> {
        let mut next = single_r(&self.known, self.census.overtaken, self.hedged?)?;
        if let Some(before) = self.hedge {
            next.delay = next.delay.clamp(before.delay / 2, before.delay * 2);
        }
        self.hedge = Some(next);
        self.hedge
    }

    /// What was fresh a period ago belongs to the known, for nobody has fallen ill since.
    fn believe(&mut self) {
        // Where calls are few, what is remembered has to be enough first.
        let total: f64 = self.known.iter().sum();
        let left = if total < 2.0 * ENOUGH {
            1.0
        } else {
            0.5_f64.powf(1.0 / HALF_LIFE)
        };
        for (known, fresh) in self.known.iter_mut().zip(&mut self.fresh) {
            *known = *known * left + f64::from(std::mem::take(fresh));
        }
        let fresh = std::mem::take(&mut self.fresh_census);
        let take = |known: &mut f64, fresh: u64| *known = *known * left + fresh as f64;
        take(&mut self.census.calls, fresh.calls);
        take(&mut self.census.failures, fresh.failures);
        take(&mut self.census.late, fresh.late);
        take(&mut self.census.overtaken, fresh.overtaken);
    }

    fn learned(&self, sweep: bool) -> Learned {
        let Weighted {
            calls,
            failures,
            late,
            ..
        } = self.census;
        Learned {
            sweep,
            usual: self.quantile(QUANTILE, ENOUGH),
            median: self.quantile(0.5, ENOUGH / 10.0),
            // Jeffreys' estimate: half a failure before the first call.
            base: (calls > 0.0).then(|| (failures + 0.5) / (calls + 1.0)),
            late: if calls > ENOUGH { late / calls } else { 0.0 },
            failing: (self.seconds >= RATE_KNOWN && self.calls >= 100.0)
                .then(|| self.failures / self.calls),
            rate: (self.seconds >= RATE_KNOWN).then(|| self.calls / self.seconds),
            hedge: None,
        }
    }

    fn quantile(&self, quantile: f64, enough: f64) -> Option<Duration> {
        let total: f64 = self.known.iter().sum();
        if total < enough {
            return None;
        }
        let mut above = total * (1.0 - quantile);
        let bucket = (0..BUCKETS).rev().find(|bucket| {
            above -= self.known[*bucket];
            above < 0.0
        })?;
        Some(ceiling(bucket))
    }
}
