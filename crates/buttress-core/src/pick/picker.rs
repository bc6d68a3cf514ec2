//! From a whole set to one member.

use super::{
    Group,
    alias::{Alias, below},
    choice::{Candidate, second_is_better},
    load::Glance,
    spill::priority,
};
use crate::{
    EjectionPolicy, Endpoint, Nanos, State, Vitals,
    random::{Draws, unit},
    sync::Arc,
    vitals::Front,
};

/// So many are drawn for one that takes calls before all are gone through: with half of a set out, once in 256 picks.
const TRIES: usize = 8;

/// How many are looked at for one that wants a probe: a pick stays the same work in large sets.
const LOOKS: usize = 8;

/// In smaller sets than this a zone of one's own is not preferred: chance would fill it. Envoy's `min_cluster_size`.
const ENOUGH_FOR_ZONES: usize = 6;

/// What is known of the members of a set, by their places in it.
pub(super) trait Facts {
    /// Has this one been tried already, or passed over?
    fn is_over(&self, member: usize) -> bool;

    fn state(&self, member: usize) -> State;

    /// Was it taken out by hand?
    fn is_withdrawn(&self, member: usize) -> bool;

    /// On its way back it gets a share of its calls: is this one of them? The same however often it is asked for a call.
    fn is_its_turn(&self, member: usize) -> bool;

    /// Has the time come to ask its breaker?
    fn is_due(&self, member: usize) -> bool;

    fn glance(&self, member: usize) -> Glance;
}

/// Picks members of one set. Made anew when the set changes; what changes with every call it reads from their [`Vitals`].
#[derive(Debug)]
pub struct Picker {
    /// In the order in which they are asked.
    tiers: Box<[Tier]>,
    /// Members by tier, those of our own zone first; none where that is the order they have.
    order: Option<Box<[u32]>>,
    /// In that order; none where all weigh the same.
    weights: Option<Box<[u32]>>,
    /// By member.
    fronts: Box<[Arc<Front>]>,
    ejection: EjectionPolicy,
}

/// The members of one priority.
#[derive(Debug)]
struct Tier {
    all: Range,
    group: Arc<Group>,
    zones: Option<Zones>,
}

/// Those in our own zone and the others, where it is to be told.
#[derive(Debug)]
struct Zones {
    own: Range,
    others: Range,
    group: Arc<Group>,
    /// How many zones there are.
    count: usize,
}

/// Some in a row.
#[derive(Debug)]
struct Range {
    from: usize,
    count: usize,
    by_weight: Option<Alias>,
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
        let range = |from: usize, count: usize| Range {
            from,
            count,
            by_weight: Alias::new(weights[from..from + count].iter().copied()),
        };
        let mut tiers = Vec::new();
        let mut from = 0;
        for tier in endpoints.chunk_by(|one, next| one.tier() == next.tier()) {
            let (_, vitals) = members[order[from] as usize];
            let own = tier.iter().take_while(|endpoint| is_own(endpoint)).count();
            let zones =
                (tier.len() >= ENOUGH_FOR_ZONES && own > 0 && own < tier.len()).then(|| Zones {
                    own: range(from, own),
                    others: range(from + own, tier.len() - own),
                    group: vitals.group(tier[0].tier(), tier[0].in_zone()),
                    count: zones_in(tier),
                });
            tiers.push(Tier {
                all: range(from, tier.len()),
                group: vitals.group(tier[0].tier(), None),
                zones,
            });
            from += tier.len();
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
            fronts: members.iter().map(|(_, vitals)| vitals.front()).collect(),
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
                fronts: &self.fronts,
                vitals,
                passed,
                now,
                draw,
            },
        )
    }

    /// Are so few usable where calls are sent to that their health says nothing any more?
    #[must_use]
    pub fn disregards_health(&self) -> bool {
        let (_, short) = priority(0.0, self.healths());
        short && self.tiers.iter().any(|tier| self.panics(tier))
    }

    fn choose(&self, now: Nanos, draw: u64, again: bool, facts: &impl Facts) -> Option<usize> {
        let mut draws = Draws::seeded(draw);
        let first = self.tiers.first()?;
        // Mostly nothing is lacking where calls go first, and then nobody else has to be looked at: one load.
        if first.group.is_whole() && (self.tiers.len() == 1 || !again || !self.some_are_out()) {
            let range = match &first.zones {
                Some(zones) => zones.drawn(first, &mut draws),
                None => &first.all,
            };
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
        let count: usize = self.tiers.iter().map(|tier| tier.all.count).sum();
        let start = below(draw, count);
        if again && self.some_are_out() {
            let due = self.from(start, count).take(LOOKS).find(|member| {
                !takes_calls(facts.state(*member))
                    && !facts.is_over(*member)
                    && is_due(facts, *member)
            });
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

    fn some_are_out(&self) -> bool {
        self.tiers.iter().any(|tier| tier.group.out() > 0)
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
        let disregarded = short && self.panics(tier);
        let zone = tier.zones.as_ref().filter(|_| !disregarded);
        let range = zone.map_or(&tier.all, |zones| zones.drawn(tier, draws));
        self.two(range, disregarded, now, draws, facts)
            .or_else(|| self.any(range, disregarded, draws, facts))
            .or_else(|| zone.and_then(|_| self.any(&tier.all, disregarded, draws, facts)))
            .or_else(|| self.on_their_way_back(tier, facts))
    }

    /// The better of two.
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
            self.flows(self.member(place), disregarded, facts)
                .then_some(place)
        })?;
        let second = (0..TRIES.min(range.count - 1)).find_map(|_| {
            let place = range.from + below(draws.next(), range.count - 1);
            let place = place + usize::from(place >= first);
            (self.weight(place) > 0 && self.flows(self.member(place), disregarded, facts))
                .then_some(place)
        });
        let candidate = |place: usize| Candidate {
            glance: facts.glance(self.member(place)),
            weight: self.weight(place),
        };
        let better =
            second.filter(|second| second_is_better(candidate(first), candidate(*second), now));
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
            .find(|member| self.flows(*member, disregarded, facts))
    }

    /// Where all of a priority are, that it was drawn at all was their turn.
    fn on_their_way_back(&self, tier: &Tier, facts: &impl Facts) -> Option<usize> {
        let mut members =
            (tier.all.from..tier.all.from + tier.all.count).map(|place| self.member(place));
        let untried = members.clone().all(|member| !facts.is_over(member));
        members.find(|member| untried && facts.state(*member) == State::Ramping)
    }

    /// Nobody's turn: whoever takes calls, or wants to know whether it is well.
    fn last(&self, start: usize, count: usize, facts: &impl Facts) -> Option<usize> {
        let mut all = self
            .from(start, count)
            .filter(|member| !facts.is_over(*member));
        all.clone()
            .find(|member| takes_calls(facts.state(*member)))
            .or_else(|| all.find(|member| is_due(facts, *member)))
    }

    /// May this call go to it?
    fn flows(&self, member: usize, disregarded: bool, facts: &impl Facts) -> bool {
        if facts.is_over(member) {
            return false;
        }
        if disregarded {
            return !facts.is_withdrawn(member);
        }
        match facts.state(member) {
            State::Closed => true,
            State::Ramping => facts.is_its_turn(member),
            _ => false,
        }
    }

    fn panics(&self, tier: &Tier) -> bool {
        let count = tier.all.count;
        count > 1
            && self
                .ejection
                .panics(count, count.saturating_sub(tier.group.out()))
    }

    fn healths(&self) -> impl Iterator<Item = f64> + Clone {
        let tiers = self.tiers.iter();
        tiers.map(|tier| tier.group.well(tier.all.count) / tier.all.count as f64)
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
    fn drawn(&self, draw: u64) -> usize {
        let place = match &self.by_weight {
            Some(alias) => alias.draw(draw),
            None => below(draw, self.count),
        };
        self.from + place
    }
}

struct Known<'a, V, P> {
    fronts: &'a [Arc<Front>],
    vitals: V,
    passed: P,
    now: Nanos,
    draw: u64,
}

impl<'a, V: Fn(usize) -> &'a Vitals, P: Fn(usize) -> bool> Facts for Known<'_, V, P> {
    fn is_over(&self, member: usize) -> bool {
        (self.passed)(member)
    }

    fn state(&self, member: usize) -> State {
        self.fronts[member].state()
    }

    fn is_withdrawn(&self, member: usize) -> bool {
        self.fronts[member].is_withdrawn()
    }

    fn is_its_turn(&self, member: usize) -> bool {
        // Each has its own chance: one that lost the draw for this call is passed over, not the call.
        let mut chance = Draws::seeded(self.draw.rotate_left(32).wrapping_add(member as u64));
        unit(chance.next()) < self.fronts[member].share()
    }

    fn is_due(&self, member: usize) -> bool {
        (self.vitals)(member).due(self.now) <= self.now
    }

    fn glance(&self, member: usize) -> Glance {
        self.fronts[member].glance()
    }
}

/// May a call find out now whether it is well again?
fn is_due(facts: &impl Facts, member: usize) -> bool {
    facts.is_due(member) && !facts.is_withdrawn(member)
}

fn takes_calls(state: State) -> bool {
    matches!(state, State::Closed | State::Ramping)
}

/// How many zones there are; those that stand nowhere are one.
fn zones_in(tier: &[&Endpoint]) -> usize {
    let mut zones: Vec<_> = tier.iter().map(|endpoint| endpoint.in_zone()).collect();
    zones.sort_unstable();
    zones.dedup();
    zones.len()
}

#[cfg(all(test, not(loom)))]
mod tests;
