use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{Cause, Clock, Destination, Force, Host, Outcome, Permit, Rules};

const NOW: Nanos = Nanos::new(1_000_000_000);

/// Endpoints of one destination, and what picks among them.
struct Set {
    destination: Destination,
    endpoints: Vec<Endpoint>,
    vitals: Vec<Vitals>,
    picker: Picker,
}

impl Set {
    fn new(endpoints: Vec<Endpoint>, zone: Option<&str>) -> Self {
        Self::with(endpoints, zone, &Rules::default())
    }

    fn with(endpoints: Vec<Endpoint>, zone: Option<&str>, rules: &Rules) -> Self {
        let destination = Destination::new("set", rules, &Host::new(Clock(|| NOW)));
        let vitals: Vec<Vitals> = endpoints
            .iter()
            .map(|one| destination.endpoint(one.clone()))
            .collect();
        let picker = Picker::new(endpoints.iter().zip(&vitals), zone);
        Self {
            destination,
            endpoints,
            vitals,
            picker,
        }
    }

    fn of(count: u32) -> Self {
        Self::new((0..count).map(|_| Endpoint::itself()).collect(), None)
    }

    fn withdraw(&self, members: impl IntoIterator<Item = usize>) {
        members
            .into_iter()
            .for_each(|member| self.vitals[member].force(Some(Force::Open), NOW));
    }

    fn pick(&self, draw: u64) -> Option<usize> {
        self.pick_past(draw, |_| false)
    }

    fn pick_past(&self, draw: u64, passed: impl Fn(usize) -> bool) -> Option<usize> {
        self.picker
            .pick(NOW, draw, true, |member| &self.vitals[member], passed)
    }

    /// How often each of them is picked in so many idle picks, as a share.
    fn shares(&self, picks: u32) -> Vec<f64> {
        let mut draws = Draws::seeded(5);
        let mut shares = vec![0.0; self.vitals.len()];
        for _ in 0..picks {
            if let Some(member) = self.pick(draws.next()) {
                shares[member] += 1.0 / f64::from(picks);
            }
        }
        shares
    }
}

fn tiers(counts: &[u32]) -> Vec<Endpoint> {
    let of = |(tier, count): (usize, &u32)| {
        (0..*count)
            .map(move |_| Endpoint::itself().priority(tier as u32))
            .collect::<Vec<_>>()
    };
    counts.iter().enumerate().flat_map(of).collect()
}

fn near(share: f64, expected: f64) -> bool {
    (share - expected).abs() < 0.015
}

#[test]
fn idle_members_get_equal_parts_and_weighed_ones_what_they_weigh() {
    for share in Set::of(7).shares(20_000) {
        assert!(near(share, 1.0 / 7.0), "{share}");
    }
    let weights = [3, 1, 0, 6];
    let set = Set::new(
        weights
            .map(|weight| Endpoint::itself().weight(weight))
            .to_vec(),
        None,
    );
    for (share, weight) in set.shares(20_000).into_iter().zip(weights) {
        assert!(near(share, f64::from(weight) / 10.0), "{weight}: {share}");
    }
}

/// A closed loop: so many calls are under way all the time, and each takes equally long.
#[test]
fn busy_members_share_as_they_weigh() {
    let weights = [4, 2, 1, 1];
    let set = Set::new(
        weights
            .map(|weight| Endpoint::itself().weight(weight))
            .to_vec(),
        None,
    );
    let mut draws = Draws::seeded(1);
    let mut under_way = std::collections::VecDeque::new();
    let mut counts = [0.0; 4];
    for call in 0..20_000 {
        let member = set.pick(draws.next()).unwrap();
        counts[member] += 1.0 / 20_000.0;
        under_way.push_back((member, set.vitals[member].permit(NOW).unwrap()));
        if call >= 64 {
            let (member, permit) = under_way.pop_front().unwrap();
            set.vitals[member].record(permit, NOW, Outcome::Success);
        }
    }
    for (weight, count) in weights.into_iter().zip(counts) {
        assert!(
            (count - f64::from(weight) / 8.0).abs() < 0.02,
            "{weight}: {count}"
        );
    }
}

#[test]
fn of_two_the_one_with_fewer_calls_under_way() {
    let set = Set::of(2);
    let permits: Vec<_> = (0..3).map(|_| set.vitals[0].permit(NOW).unwrap()).collect();
    assert!((0..100).all(|draw| set.pick(draw) == Some(1)));
    permits
        .into_iter()
        .for_each(|permit| set.vitals[0].record(permit, NOW, Outcome::Success));
    assert!((0..100).any(|draw| set.pick(draw) == Some(0)));
}

#[test]
fn one_that_is_ten_times_as_slow_is_left_alone_while_others_are_idle() {
    let set = Set::of(3);
    for (vitals, millis) in set.vitals.iter().zip([50, 5, 5]) {
        for _ in 0..40 {
            let permit = vitals.permit(NOW).unwrap();
            vitals.record(
                permit,
                NOW.after(Duration::from_millis(millis)),
                Outcome::Success,
            );
        }
    }
    assert!(near(set.shares(1_000)[0], 0.0));
}

#[test]
fn priorities_spill_over_and_come_back() {
    let set = Set::new(tiers(&[4, 4]), None);
    let first = |shares: &[f64]| shares[..4].iter().sum::<f64>();
    assert!(near(first(&set.shares(5_000)), 1.0));
    for (out, share) in [(1, 1.0), (2, 0.7), (3, 0.35), (4, 0.0)] {
        set.withdraw(0..out);
        let shares = set.shares(10_000);
        assert!(near(first(&shares), share), "{out}: {shares:?}");
    }
    for vitals in &set.vitals {
        vitals.force(None, NOW);
        vitals.reset(NOW);
    }
    assert!(near(first(&set.shares(5_000)), 1.0));
}

/// Envoy #28304: for a second, thousands of calls went to a priority that had none left.
#[test]
fn the_next_call_after_a_priority_is_gone_goes_to_the_next() {
    let set = Set::new(tiers(&[3, 1]), None);
    set.withdraw(0..3);
    assert!((0..1_000).all(|draw| set.pick(draw) == Some(3)));
}

#[test]
fn a_primary_on_its_way_back_gets_its_part_and_its_standby_the_rest() {
    let set = Set::new(tiers(&[1, 1]), None);
    set.vitals[0].join(NOW);
    let share = set.vitals[0].share();
    assert!(share < 0.1);
    let shares = set.shares(20_000);
    assert!(
        near(shares[0], 1.4 * share) && near(shares[0] + shares[1], 1.0),
        "{shares:?}"
    );
}

#[test]
fn a_call_that_failed_at_its_primary_goes_to_the_standby_though_the_primary_is_well() {
    let set = Set::new(tiers(&[1, 1]), None);
    assert_eq!(set.pick_past(1, |member| member == 0), Some(1));
    assert_eq!(set.pick_past(1, |_| true), None);
}

#[test]
fn below_half_usable_health_is_disregarded_unless_another_priority_bears_it() {
    let rules = Rules {
        ejection: EjectionPolicy::new().at_most(crate::Ratio::percent(100)),
        ..Rules::default()
    };
    let later = NOW.after(Duration::from_secs(60));
    let shares = |set: &Set| {
        let mut draws = Draws::seeded(5);
        let mut shares = vec![0.0; set.vitals.len()];
        for _ in 0..10_000 {
            let picked = set.picker.pick(
                later,
                draws.next(),
                false,
                |member| &set.vitals[member],
                |_| false,
            );
            shares[picked.unwrap()] += 0.0001;
        }
        shares
    };
    let set = Set::with(tiers(&[10]), None, &rules);
    set.break_down(0..5);
    assert!(!set.picker.disregards_health());
    assert!(shares(&set)[..5].iter().all(|share| *share < 0.001));
    set.break_down(5..6);
    assert!(set.picker.disregards_health() && set.destination.panic().is_some());
    let all = shares(&set);
    // What failed last counts as one call under way, here as everywhere.
    assert!(all.iter().all(|share| *share > 0.04), "{all:?}");
    let set = Set::with(tiers(&[10, 10]), None, &rules);
    set.break_down(0..6);
    assert!(!set.picker.disregards_health());
    assert!(shares(&set)[..6].iter().all(|share| *share < 0.001));
}

#[test]
fn who_is_called_though_it_is_down_is_counted_and_not_believed() {
    let set = Set::of(3);
    let at = set.break_down(0..1);
    let vitals = &set.vitals[0];
    assert!(vitals.admit_at(at).is_err());
    let before = vitals.snapshot(at).counts;
    for _ in 0..100 {
        vitals.admit_anyway(at).unwrap().finish(Outcome::Success);
    }
    let shot = vitals.snapshot(at);
    assert_eq!(
        (shot.state, shot.counts.successes),
        (BreakerState::Open, before.successes + 100)
    );
    set.withdraw([0]);
    assert!(vitals.admit_anyway(at).is_err());
}

impl Set {
    /// They fail one after another, while the others are well: nothing they share is to blame. Gives the time at the end.
    fn break_down(&self, members: std::ops::Range<usize>) -> Nanos {
        let mut now = NOW;
        for member in members {
            now = NOW.after(Duration::from_secs(10 + member as u64));
            for (other, vitals) in self.vitals.iter().enumerate() {
                let outcome = match other == member {
                    true => Outcome::Failure(crate::Cause::Connect),
                    false => Outcome::Success,
                };
                for _ in 0..100 {
                    if let (BreakerState::Closed, Ok(permit)) = (vitals.state(), vitals.permit(now))
                    {
                        vitals.record(permit, now, outcome);
                    }
                }
            }
            assert_eq!(self.vitals[member].state(), BreakerState::Open, "{member}");
        }
        now
    }
}

#[test]
fn a_zone_of_ones_own_takes_what_it_can_bear() {
    let zoned = |own: u32, others: u32| {
        let of =
            |zone: &'static str, count: u32| (0..count).map(move |_| Endpoint::itself().zone(zone));
        of("b", others)
            .chain(of("a", own))
            .chain(of("c", others))
            .collect::<Vec<_>>()
    };
    let own = |set: &Set| -> f64 {
        let shares = set.shares(10_000);
        set.endpoints
            .iter()
            .zip(shares)
            .filter(|(one, _)| one.in_zone().is_some_and(|zone| &**zone == "a"))
            .map(|(_, share)| share)
            .sum()
    };
    // As many in each zone: all stay. Half as many: three fifths.
    for (here, there, share) in [(4, 4, 1.0), (8, 4, 1.0), (2, 4, 0.6), (1, 1, 1.0 / 3.0)] {
        let set = Set::new(zoned(here, there), Some("a"));
        assert!(near(own(&set), share), "{here} {there}: {}", own(&set));
        let nowhere = Set::new(zoned(here, there), None);
        let part = f64::from(here) / f64::from(here + 2 * there);
        assert!(near(own(&nowhere), part));
    }
    let set = Set::new(zoned(4, 4), Some("a"));
    set.withdraw([4, 5]);
    assert!(near(own(&set), 0.6), "{}", own(&set));
    set.withdraw([6, 7]);
    assert!(near(own(&set), 0.0));
}

#[test]
fn an_empty_set_and_one_that_is_all_passed_over_have_nobody() {
    assert_eq!(Set::of(0).pick(1), None);
    assert!(!Set::of(0).picker.disregards_health());
    assert_eq!(Set::of(5).pick_past(3, |_| true), None);
    let set = Set::of(3);
    set.withdraw(0..3);
    assert_eq!(set.pick(3), None);
}

#[test]
fn one_that_is_due_is_probed_first_by_a_call_that_can_be_sent_again() {
    let set = Set::of(4);
    let now = set.break_down(2..3);
    let pick = |now, draw, again| {
        set.picker
            .pick(now, draw, again, |member| &set.vitals[member], |_| false)
    };
    let due = set.vitals[2].due(now);
    assert!(due > now && (0..100).all(|draw| pick(now, draw, true) != Some(2)));
    assert!((0..100).all(|draw| pick(due, draw, true) == Some(2)));
    assert!((0..100).all(|draw| pick(due, draw, false) != Some(2)));
}

proptest! {
    /// Against the plain rule: somebody is found whenever somebody could be, and never one that was passed over.
    #[test]
    fn finds_whoever_can_be_found(
        counts in prop::collection::vec(0_u32..5, 1..4),
        states in prop::collection::vec(0_u8..4, 16),
        passed in prop::collection::vec(any::<bool>(), 16),
        zone: bool,
        draw: u64,
    ) {
        let mut endpoints = tiers(&counts);
        for (index, endpoint) in endpoints.iter_mut().enumerate() {
            *endpoint = endpoint.clone().zone(if index % 2 == 0 { "a" } else { "b" }).weight(index as u32 % 3);
        }
        let set = Set::new(endpoints, zone.then_some("a"));
        for (vitals, state) in set.vitals.iter().zip(&states) {
            match state {
                0 => vitals.force(Some(Force::Open), NOW),
                1 => vitals.join(NOW),
                _ => {}
            }
        }
        let picked = set.pick_past(draw, |member| passed[member]);
        let could = |member: &usize| !passed[*member] && states[*member] != 0;
        prop_assert_eq!(picked.is_some(), (0..set.vitals.len()).any(|member| could(&member)));
        prop_assert!(picked.as_ref().is_none_or(could), "{picked:?}");
    }
}

#[test]
fn one_on_its_way_back_gets_its_share_of_its_part() {
    let set = Set::of(3);
    set.vitals[0].join(NOW);
    let share = set.vitals[0].share();
    let part = set.shares(100_000)[0];
    assert!(
        (part - share / 3.0).abs() < 0.003,
        "{part} of {}",
        share / 3.0
    );
}

/// Three that are called every five milliseconds and answer after 20, where an attempt has 100; the first of them hangs after a second.
/// Tells after how many more it is found out.
fn a_hang_is_found_after(seed: u64) -> u64 {
    const HANGS: u64 = 1_000;
    let rules = Rules {
        timeout: Some(Duration::from_millis(100)),
        ..Rules::default()
    };
    let set = Set::with(tiers(&[3]), None, &rules);
    let mut draws = Draws::seeded(seed);
    let mut waiting = Vec::new();
    (0..HANGS + 1_000)
        .find(|millis| {
            let now = NOW.after(Duration::from_millis(*millis));
            waiting.retain(|(member, permit, began): &(usize, Permit, u64)| {
                let answered = *member > 0 || began + 20 < HANGS;
                let (takes, outcome) = if answered {
                    (20, Outcome::Success)
                } else {
                    (100, Outcome::Failure(Cause::Timeout))
                };
                let over = millis - began >= takes;
                if over {
                    set.vitals[*member].record(*permit, now, outcome);
                }
                !over
            });
            if millis % 5 == 0 {
                let of = |member: usize| &set.vitals[member];
                let _ = set.destination.tick(now);
                if let Some(member) = set.picker.pick(now, draws.next(), true, of, |_| false)
                    && let Ok(permit) = set.vitals[member].permit(now)
                {
                    waiting.push((member, permit, *millis));
                }
            }
            set.vitals[0].state() == BreakerState::Open
        })
        .map_or(u64::MAX, |millis| millis - HANGS)
}

#[test]
fn whoever_hangs_is_called_until_a_detector_has_enough() {
    let found: Vec<u64> = (0..50).map(a_hang_is_found_after).collect();
    assert!(found.iter().all(|millis| *millis <= 200), "{found:?}");
}

#[test]
fn whoever_is_not_taken_out_for_it_is_called_less_the_longer_it_hangs() {
    let rules = Rules {
        timeout: Some(Duration::from_millis(100)),
        health: crate::HealthPolicy::consecutive(1_000),
        ..Rules::default()
    };
    let set = Set::with(tiers(&[3]), None, &rules);
    let hangs = || set.vitals[0].permit(NOW).unwrap();
    let _waits: Vec<Permit> = (0..3).map(|_| hangs()).collect();
    let later = NOW.after(Duration::from_millis(60));
    let picked = || {
        let mut draws = Draws::seeded(5);
        let of = |member: usize| &set.vitals[member];
        let picks =
            (0..3_000).filter_map(|_| set.picker.pick(later, draws.next(), true, of, |_| false));
        picks.filter(|member| *member == 0).count()
    };
    assert_eq!(picked(), 0);
    set.vitals[0].known().look(later);
    assert!((900..1_100).contains(&picked()), "{}", picked());
    let _waits: Vec<Permit> = (0..4).map(|_| hangs()).collect();
    assert_eq!(picked(), 0);
}
