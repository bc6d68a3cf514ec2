//! The members of one priority, and of one zone in it.

use super::{
    Group,
    alias::{Alias, below},
};
use crate::{
    EjectionPolicy, Endpoint, Vitals,
    random::{Draws, unit},
    sync::Arc,
};

/// In smaller sets than this a zone of one's own is not preferred: chance would fill it. Envoy's `min_cluster_size`.
const ENOUGH_FOR_ZONES: usize = 6;

/// The members of one priority.
#[derive(Debug)]
pub(super) struct Tier {
    pub(super) all: Range,
    group: Arc<Group>,
    zones: Option<Zones>,
}

/// Those in our own zone and the others, where it is to be told.
#[derive(Debug)]
pub(super) struct Zones {
    own: Range,
    others: Range,
    group: Arc<Group>,
    /// How many zones there are.
    count: usize,
}

/// Some in a row.
#[derive(Debug)]
pub(super) struct Range {
    pub(super) from: usize,
    pub(super) count: usize,
    by_weight: Option<Alias>,
}

impl Tier {
    /// Those from a place on that `endpoints` describe, of which the first so many are in the caller's zone.
    pub(super) fn new(
        from: usize,
        endpoints: &[&Endpoint],
        own: usize,
        vitals: &Vitals,
    ) -> Option<Self> {
        let first = endpoints.first()?;
        let weights: Vec<u32> = endpoints.iter().map(|endpoint| endpoint.weighs()).collect();
        let count = endpoints.len();
        let zones = (count >= ENOUGH_FOR_ZONES
            && weights[..own].iter().any(|weight| *weight > 0)
            && weights[own..].iter().any(|weight| *weight > 0))
        .then(|| Zones {
            own: Range::new(from, &weights[..own]),
            others: Range::new(from + own, &weights[own..]),
            group: vitals.group(first.tier(), first.in_zone()),
            count: zones_in(endpoints),
        });
        Some(Self {
            all: Range::new(from, &weights),
            group: vitals.group(first.tier(), None),
            zones,
        })
    }

    /// Is nothing lacking?
    pub(super) fn is_whole(&self) -> bool {
        self.group.is_whole()
    }

    pub(super) fn some_are_out(&self) -> bool {
        self.group.out() > 0
    }

    /// The part of it that is well.
    pub(super) fn health(&self) -> f64 {
        self.group.well(self.all.count) / self.all.count as f64
    }

    pub(super) fn panics(&self, ejection: &EjectionPolicy) -> bool {
        let count = self.all.count;
        count > 1 && ejection.panics(count, count.saturating_sub(self.group.out()))
    }

    /// Those a call may go to: of our own zone, as far as it can bear its part, or all.
    pub(super) fn range(&self, draws: &mut Draws) -> &Range {
        match &self.zones {
            Some(zones) => zones.drawn(self, draws),
            None => &self.all,
        }
    }
}

impl Zones {
    /// Our own, as far as it can bear its part of all: were the callers of each zone as many, each zone had the same to
    /// bear. Where ours can bear less than that, the others bear the rest (Envoy's zone-aware routing, which would have to
    /// be told how callers are spread).
    fn drawn<'a>(&'a self, tier: &Tier, draws: &mut Draws) -> &'a Range {
        let own = self.group.well(self.own.count) * self.count as f64;
        let all = tier.group.well(tier.all.count);
        if own >= all || unit(draws.next()) * all < own {
            &self.own
        } else {
            &self.others
        }
    }
}

impl Range {
    fn new(from: usize, weights: &[u32]) -> Self {
        Self {
            from,
            count: weights.len(),
            by_weight: Alias::new(weights.iter().copied()),
        }
    }

    /// One of their places, by weight.
    pub(super) fn drawn(&self, draw: u64) -> usize {
        let place = match &self.by_weight {
            Some(alias) => alias.draw(draw),
            None => below(draw, self.count),
        };
        self.from + place
    }
}

/// How many zones there are; those that stand nowhere are one.
fn zones_in(tier: &[&Endpoint]) -> usize {
    let mut zones: Vec<_> = tier.iter().map(|endpoint| endpoint.in_zone()).collect();
    zones.sort_unstable();
    zones.dedup();
    zones.len()
}
