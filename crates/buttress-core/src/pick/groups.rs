//! How much of a priority, and of a zone, is well: kept as it changes, so that a pick reads one word of it.

use std::collections::HashMap;

use crate::{
    Endpoint,
    sync::{Arc, AtomicU64, Mutex, Ordering, lock},
};

/// The share of its calls that an endpoint gets is kept in so many parts.
const WHOLE: u8 = u8::MAX;

/// What one endpoint is worth to its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Worth {
    /// The share of its calls that it gets.
    pub(crate) share: u8,
    /// Does it take none?
    pub(crate) out: bool,
}

impl Worth {
    pub(crate) const FULL: Self = Self {
        share: WHOLE,
        out: false,
    };

    /// Those that are out in the upper half, shares that are lacking in the lower.
    fn lacks(self) -> u64 {
        u64::from(self.out) << 32 | u64::from(WHOLE - self.share)
    }
}

/// Endpoints of one priority, or of one zone in it.
#[derive(Debug, Default)]
pub(crate) struct Group(AtomicU64);

impl Group {
    fn change(&self, from: Worth, to: Worth) {
        // Relaxed: a count that is read by itself. Wrapping is exact, for what is taken was added before.
        self.0
            .fetch_add(to.lacks().wrapping_sub(from.lacks()), Ordering::Relaxed);
    }

    /// Is nothing lacking?
    pub(super) fn is_whole(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// How many are out.
    pub(super) fn out(&self) -> usize {
        (self.0.load(Ordering::Relaxed) >> 32) as usize
    }

    /// So many endpoints, less what is lacking: as many as are well.
    pub(super) fn well(&self, count: usize) -> f64 {
        let lacking = self.0.load(Ordering::Relaxed) as u32;
        (count as f64 - f64::from(lacking) / f64::from(WHOLE)).max(0.0)
    }
}

/// All groups of a destination.
#[derive(Debug, Default)]
pub(crate) struct Groups(Mutex<HashMap<Key, Arc<Group>>>);

/// A priority, or a zone in it.
type Key = (u32, Option<Arc<str>>);

impl Groups {
    pub(crate) fn of(&self, priority: u32, zone: Option<&Arc<str>>) -> Arc<Group> {
        let mut groups = lock(&self.0);
        let key = (priority, zone.cloned());
        if !groups.contains_key(&key) {
            groups.retain(|_, group| Arc::strong_count(group) > 1);
        }
        Arc::clone(groups.entry(key).or_default())
    }
}

/// The groups that one endpoint is counted in, and as what.
#[derive(Debug)]
pub(crate) struct Membership(Mutex<Counted>);

#[derive(Debug)]
struct Counted {
    groups: [Option<Arc<Group>>; 2],
    worth: Worth,
}

impl Membership {
    pub(crate) fn new(groups: &Groups, endpoint: Option<&Endpoint>) -> Self {
        Self(Mutex::new(Counted {
            groups: groups_of(groups, endpoint),
            worth: Worth::FULL,
        }))
    }

    /// It is worth this from now on.
    pub(crate) fn is_worth(&self, worth: Worth) {
        let mut counted = lock(&self.0);
        let before = std::mem::replace(&mut counted.worth, worth);
        if before != worth {
            counted
                .groups
                .iter()
                .flatten()
                .for_each(|group| group.change(before, worth));
        }
    }

    /// It is in no group any more.
    pub(crate) fn leaves(&self) {
        let mut counted = lock(&self.0);
        let worth = counted.worth;
        for group in std::mem::take(&mut counted.groups).into_iter().flatten() {
            group.change(worth, Worth::FULL);
        }
    }

    /// It belongs where `endpoint` says from now on.
    pub(crate) fn moves(&self, groups: &Groups, endpoint: &Endpoint) {
        let mut counted = lock(&self.0);
        let worth = counted.worth;
        counted
            .groups
            .iter()
            .flatten()
            .for_each(|group| group.change(worth, Worth::FULL));
        counted.groups = groups_of(groups, Some(endpoint));
        counted
            .groups
            .iter()
            .flatten()
            .for_each(|group| group.change(Worth::FULL, worth));
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.is_worth(Worth::FULL);
    }
}

fn groups_of(groups: &Groups, endpoint: Option<&Endpoint>) -> [Option<Arc<Group>>; 2] {
    let Some(endpoint) = endpoint else {
        return [None, None];
    };
    let (tier, zone) = (endpoint.tier(), endpoint.in_zone());
    [
        Some(groups.of(tier, None)),
        zone.map(|zone| groups.of(tier, Some(zone))),
    ]
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const OUT: Worth = Worth {
        share: 0,
        out: true,
    };
    const HALF: Worth = Worth {
        share: 51,
        out: false,
    };

    fn endpoint(priority: u32, zone: &str) -> Endpoint {
        Endpoint::itself().priority(priority).zone(zone)
    }

    #[test]
    fn counts_what_is_lacking_until_it_is_back_or_gone() {
        let groups = Groups::default();
        let (all, here) = (groups.of(0, None), groups.of(0, Some(&"a".into())));
        let [one, two] = ["a", "b"].map(|zone| Membership::new(&groups, Some(&endpoint(0, zone))));
        one.is_worth(OUT);
        two.is_worth(HALF);
        assert_eq!((all.out(), here.out()), (1, 1));
        assert!((all.well(2) - 0.2).abs() < 1e-9 && here.well(1) < 1e-9);
        one.is_worth(HALF);
        assert_eq!(all.out(), 0);
        drop(two);
        assert!((all.well(1) - 0.2).abs() < 1e-9);
        drop(one);
        assert!((all.well(1) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn whoever_is_promoted_takes_its_worth_along() {
        let groups = Groups::default();
        let one = Membership::new(&groups, Some(&endpoint(1, "a")));
        one.is_worth(OUT);
        one.moves(&groups, &endpoint(0, "b"));
        let outs = [(0, None), (1, None), (0, Some("b")), (1, Some("a"))]
            .map(|(tier, zone)| groups.of(tier, zone.map(Arc::from).as_ref()).out());
        assert_eq!(outs, [1, 0, 1, 0]);
    }

    #[test]
    fn groups_that_nobody_is_in_are_forgotten() {
        let groups = Groups::default();
        for priority in 0..1_000 {
            let _ = Membership::new(&groups, Some(&endpoint(priority, "a")));
        }
        assert!(lock(&groups.0).len() < 4);
    }
}
