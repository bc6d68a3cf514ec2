//! Which part of a very large set one client uses.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use crate::{Endpoint, PolicyError};

/// Which endpoints of a set are used at all.
///
/// # Examples
///
/// ```
/// use buttress_core::PickPolicy;
///
/// // Of ten thousand, twenty each; this is the third client of many.
/// let policy = PickPolicy::new().subset(20).client(2);
/// assert!(policy.check().is_ok());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields, default)
)]
pub struct PickPolicy {
    /// How many of each priority are used; all of them by default.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub subset: Option<u32>,
    /// Which client of many this is, counted from 0: clients with neighbouring numbers use each endpoint alike. 0 by default.
    pub client: u32,
}

impl PickPolicy {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            subset: None,
            client: 0,
        }
    }

    /// Uses so many endpoints of each priority, the same as long as the set is. When it changes, the parts are drawn anew where their number
    /// changes with it: then none of them may stay.
    #[must_use]
    pub const fn subset(mut self, endpoints: u32) -> Self {
        self.subset = Some(endpoints);
        self
    }

    /// Says which client this is.
    #[must_use]
    pub const fn client(mut self, number: u32) -> Self {
        self.client = number;
        self
    }

    /// Can it be?
    ///
    /// # Errors
    ///
    /// Names the field, its value and what would do.
    pub fn check(&self) -> Result<(), PolicyError> {
        match self.subset {
            Some(0) => Err(PolicyError::new("pick.subset", 0, "at least 1")),
            _ => Ok(()),
        }
    }

    /// Those of `set` that are used, in their order.
    ///
    /// Deterministic subsetting ("Site Reliability Engineering", chapter 20): clients go in rounds, each round deals all
    /// endpoints out once, in an order of its own. That order is by hash and not by place, so that whoever comes or goes
    /// moves few others.
    #[must_use]
    pub fn of(&self, mut set: Vec<Endpoint>) -> Vec<Endpoint> {
        let Some(size) = self.subset.map(|size| size.max(1) as usize) else {
            return set;
        };
        let mut priorities: Vec<u32> = set.iter().map(Endpoint::tier).collect();
        priorities.sort_unstable();
        priorities.dedup();
        for priority in priorities {
            let mut dealt: Vec<(u64, &Endpoint)> = Vec::new();
            let here = set.iter().filter(|endpoint| endpoint.tier() == priority);
            let count = here.clone().count();
            if count <= size {
                continue;
            }
            let hands = count / size;
            let (round, hand) = (self.client as usize / hands, self.client as usize % hands);
            // Fixed keys: two clients of one round must agree on its order.
            let order = BuildHasherDefault::<DefaultHasher>::default();
            dealt.extend(
                here.map(|endpoint| (order.hash_one((round as u64, endpoint.address())), endpoint)),
            );
            dealt.sort_unstable_by_key(|(hash, endpoint)| (*hash, endpoint.address()));
            let own: std::collections::HashSet<String> = dealt[hand * size..(hand + 1) * size]
                .iter()
                .map(|(_, endpoint)| endpoint.address().to_owned())
                .collect();
            set.retain(|endpoint| endpoint.tier() != priority || own.contains(endpoint.address()));
        }
        set
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    fn set(count: usize) -> Vec<Endpoint> {
        let names = (0..count).map(|number| format!("10.0.{}.{}:80", number / 250, number % 250));
        names.filter_map(|name| Endpoint::new(name).ok()).collect()
    }

    fn used(client: u32, set: &[Endpoint]) -> HashSet<String> {
        let policy = PickPolicy::new().subset(20).client(client);
        let own = policy.of(set.to_vec());
        own.iter()
            .map(|endpoint| endpoint.address().to_owned())
            .collect()
    }

    #[test]
    fn every_round_of_clients_uses_every_endpoint_once() {
        let set = set(300);
        for round in 0..4 {
            let mut clients: HashMap<String, usize> = HashMap::new();
            for client in round * 15..(round + 1) * 15 {
                let own = used(client, &set);
                assert_eq!(own.len(), 20);
                own.into_iter()
                    .for_each(|address| *clients.entry(address).or_default() += 1);
            }
            assert!(clients.len() == 300 && clients.values().all(|count| *count == 1));
        }
        assert_ne!(used(0, &set), used(15, &set), "each round in its own order");
    }

    #[test]
    fn whoever_leaves_moves_few_others() {
        let all = set(300);
        let fewer: Vec<Endpoint> = all.iter().skip(1).cloned().collect();
        let kept: usize = (0..14)
            .map(|client| {
                used(client, &all)
                    .intersection(&used(client, &fewer))
                    .count()
            })
            .sum();
        // By place, a shuffle of one endpoint fewer would keep one in fifteen.
        assert!(kept >= 14 * 18, "{kept} of 280");
    }

    #[test]
    fn each_priority_has_its_own_and_small_sets_are_used_whole() {
        let mut set = set(100);
        set.extend((0..5).map(|number| Endpoint::itself().priority(1 + number)));
        let policy = PickPolicy::new().subset(20).client(3);
        let own = policy.of(set.clone());
        assert_eq!(
            own.iter().filter(|endpoint| endpoint.tier() == 0).count(),
            20
        );
        assert_eq!(own.len(), 25);
        assert_eq!(PickPolicy::new().of(set.clone()), set);
    }

    #[test]
    fn a_subset_of_none_is_refused_by_name() {
        let error = PickPolicy::new().subset(0).check().unwrap_err();
        assert_eq!(error.field(), "pick.subset");
        assert_eq!(
            PickPolicy {
                subset: Some(0),
                client: 9
            }
            .of(set(3))
            .len(),
            1
        );
    }
}
