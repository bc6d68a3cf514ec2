//! From a whole set to one member.

use std::cell::Cell;

use super::{
    alias::below,
    choice::{Candidate, second_is_better},
    facts::{Facts, Known},
    spill::priority,
    tier::{Range, Tier},
};
use crate::{
    BreakerState, EjectionPolicy, Endpoint, Nanos, Vitals,
    random::{Draws, unit},
};

/// So many are drawn for one that takes calls before all are gone through: with half of a set out, once in 256 picks.
const TRIES: usize = 8;

/// How many are looked at for one that wants a probe: a pick stays the same work in large sets.
const LOOKS: usize = 8;

/// Picks members of one set. Made anew when the set changes; what changes with every call it reads from their [`Vitals`].
#[derive(Debug)]
pub struct Picker {
    /// In the order in which they are asked.
    tiers: Box<[Tier]>,
    /// Members by tier, those of our own zone first; none where that is the order they have.
    order: Option<Box<[u32]>>,
    /// In that order; none where all weigh the same.
    weights: Option<Box<[u32]>>,
    ejection: EjectionPolicy,
    limited: bool,
}

impl Picker {
    /// Of these members, for a caller in `zone`.
    pub fn new<'a>(
        members: impl IntoIterator<Item = (&'a Endpoint, &'a Vitals)>,
        zone: Option<&str>,
    ) -> Self {
        let members: Vec<(&Endpoint, &Vitals)> = members.into_iter().collect();
        let is_own =
            |endpoint: &Endpoint| zone.is_some() && endpoint.in_zone().map(|own| &**own) == zone;
        let key = |place: &u32| {
            let (endpoint, _) = members[*place as usize];
            (endpoint.tier(), !is_own(endpoint))
        };
        let mut order: Vec<u32> = (0..members.len() as u32).collect();
        order.sort_by_key(key);
        let endpoints: Vec<&Endpoint> = order
            .iter()
            .map(|place| members[*place as usize].0)
            .collect();
        let weights: Vec<u32> = endpoints.iter().map(|endpoint| endpoint.weighs()).collect();
        let mut tiers = Vec::new();
        let mut from = 0;
        for endpoints in endpoints.chunk_by(|one, next| one.tier() == next.tier()) {
            let (_, vitals) = members[order[from] as usize];
            let own = endpoints.iter().take_while(|one| is_own(one)).count();
            tiers.extend(Tier::new(from, endpoints, own, vitals));
            from += endpoints.len();
        }
        let in_order = order
            .iter()
            .enumerate()
            .all(|(place, member)| place == *member as usize);
        Self {
            tiers: tiers.into(),
            order: (!in_order).then(|| order.into()),
            weights: weights
                .iter()
                .any(|weight| *weight != weights[0])
                .then(|| weights.into()),
            limited: members
                .first()
                .is_some_and(|(_, vitals)| vitals.is_limited()),
            ejection: members
                .first()
                .map_or_else(EjectionPolicy::new, |(_, vitals)| vitals.ejection()),
        }
    }

    /// A member for a call at `now`, by a draw; none that was `passed` over.
    ///
    /// With `again` the call can be sent again: then a member whose breaker wants to know whether it is well comes first, if
    /// it is among the few that are looked at, for nothing but a call will tell.
    pub fn pick<'a>(
        &self,
        now: Nanos,
        draw: u64,
        again: bool,
        vitals: impl Fn(usize) -> &'a Vitals,
        passed: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        self.choose(
            now,
            draw,
            again,
            &Known {
                vitals,
                passed,
                now,
                limited: self.limited,
                dealt: Cell::default(),
            },
        )
    }

    /// Are there members whose breaker lets no call through? One load for each priority.
    #[must_use]
    #[inline]
    pub fn some_are_out(&self) -> bool {
        self.tiers.iter().any(Tier::some_are_out)
    }

    /// One of those whose breaker wants to know whether it is well, if it is among the few that are looked at.
    pub fn due<'a>(
        &self,
        now: Nanos,
        draw: u64,
        vitals: impl Fn(usize) -> &'a Vitals,
    ) -> Option<usize> {
        let known = Known {
            vitals,
            passed: |_| false,
            now,
            limited: self.limited,
            dealt: Cell::default(),
        };
        self.wants_probe(below(draw, self.count().max(1)), &known)
    }

    /// Are so few usable where calls are sent to that their health says nothing any more?
    #[must_use]
    pub fn disregards_health(&self) -> bool {
        let (_, short) = priority(0.0, self.healths());
        short && self.tiers.iter().any(|tier| tier.panics(&self.ejection))
    }

    fn choose(&self, now: Nanos, draw: u64, again: bool, facts: &impl Facts) -> Option<usize> {
        let mut draws = Draws::seeded(draw);
        let first = self.tiers.first()?;
        // Mostly nothing is lacking where calls go first, and then nobody else has to be looked at: one load.
        if first.is_whole() && (self.tiers.len() == 1 || !again || !self.some_are_out()) {
            let range = first.range(&mut draws);
            if let Some(member) = self.two(range, false, now, &mut draws, facts) {
                return Some(member);
            }
        }
        self.search(now, draw, again, &mut draws, facts)
    }

    /// The same where something is lacking, or many were passed over.
    #[cold]
    fn search(
        &self,
        now: Nanos,
        draw: u64,
        again: bool,
        draws: &mut Draws,
        facts: &impl Facts,
    ) -> Option<usize> {
        let count = self.count();
        let start = below(draw, count);
        if again && self.some_are_out() {
            let due = self.wants_probe(start, facts);
            if due.is_some() {
                return due;
            }
        }
        let (first, short) = priority(unit(draws.next()), self.healths());
        let others = (0..self.tiers.len()).filter(|tier| *tier != first);
        std::iter::once(first)
            .chain(others)
            .find_map(|tier| self.among(&self.tiers[tier], short, now, draws, facts))
            .or_else(|| self.last(start, count, facts))
    }

    fn wants_probe(&self, start: usize, facts: &impl Facts) -> Option<usize> {
        let mut looked_at = self.from(start, self.count()).take(LOOKS);
        looked_at.find(|member| !facts.is_over(*member) && facts.wants_probe(*member))
    }

    fn count(&self) -> usize {
        self.tiers.iter().map(|tier| tier.all.count).sum()
    }

    /// One of a priority.
    fn among(
        &self,
        tier: &Tier,
        short: bool,
        now: Nanos,
        draws: &mut Draws,
        facts: &impl Facts,
    ) -> Option<usize> {
        let disregarded = short && tier.panics(&self.ejection);
        let range = if disregarded {
            &tier.all
        } else {
            tier.range(draws)
        };
        self.two(range, disregarded, now, draws, facts)
            .or_else(|| self.any(&tier.all, disregarded, draws, facts))
            .or_else(|| self.on_their_way_back(tier, draws, facts))
    }

    /// The better of two. Whoever is in doubt gets what is drawn for it.
    fn two(
        &self,
        range: &Range,
        disregarded: bool,
        now: Nanos,
        draws: &mut Draws,
        facts: &impl Facts,
    ) -> Option<usize> {
        let first = (0..TRIES).find_map(|_| {
            let place = range.drawn(draws.next());
            facts
                .flows(self.member(place), disregarded)
                .then_some(place)
        })?;
        let second = (0..TRIES.min(range.count - 1)).find_map(|_| {
            let place = range.from + below(draws.next(), range.count - 1);
            let place = place + usize::from(place >= first);
            (self.weight(place) > 0 && facts.flows(self.member(place), disregarded))
                .then_some(place)
        });
        let candidate = |place: usize| Candidate {
            glance: facts.glance(self.member(place)),
            weight: self.weight(place),
        };
        let better = second.filter(|second| {
            second_is_better(candidate(first), candidate(*second), now)
                && !facts.is_in_doubt(self.member(first))
        });
        Some(self.member(better.unwrap_or(first)))
    }

    /// The first of them from a random place on, if any takes calls at all.
    fn any(
        &self,
        range: &Range,
        disregarded: bool,
        draws: &mut Draws,
        facts: &impl Facts,
    ) -> Option<usize> {
        let start = below(draws.next(), range.count);
        (0..range.count)
            .map(|step| self.member(range.from + (start + step) % range.count))
            .find(|member| facts.flows(*member, disregarded))
    }

    /// Where all of a priority are, that it was drawn at all was their turn.
    fn on_their_way_back(
        &self,
        tier: &Tier,
        draws: &mut Draws,
        facts: &impl Facts,
    ) -> Option<usize> {
        let (from, count) = (tier.all.from, tier.all.count);
        let start = below(draws.next(), count);
        let mut members = (0..count).map(|step| self.member(from + (start + step) % count));
        let untried = members.clone().all(|member| !facts.is_over(member));
        members.find(|member| untried && facts.state(*member) == BreakerState::Ramping)
    }

    /// Nobody's turn: whoever takes calls, or wants to know whether it is well.
    fn last(&self, start: usize, count: usize, facts: &impl Facts) -> Option<usize> {
        let mut all = self
            .from(start, count)
            .filter(|member| !facts.is_over(*member));
        all.clone()
            .find(|member| facts.takes_calls(*member))
            .or_else(|| all.find(|member| facts.wants_probe(*member)))
    }

    fn healths(&self) -> impl Iterator<Item = f64> + Clone {
        self.tiers.iter().map(Tier::health)
    }

    /// All members, from a place on.
    fn from(&self, start: usize, count: usize) -> impl Iterator<Item = usize> + Clone {
        (0..count).map(move |step| self.member((start + step) % count))
    }

    fn member(&self, place: usize) -> usize {
        match &self.order {
            Some(order) => order[place] as usize,
            None => place,
        }
    }

    fn weight(&self, place: usize) -> u32 {
        self.weights.as_ref().map_or(1, |weights| weights[place])
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
