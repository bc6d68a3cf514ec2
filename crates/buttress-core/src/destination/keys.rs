//! Services of one kind under one name, told apart by a key: hosts, tenants, routes.

use std::time::Duration;

use super::{Destination, Shared};
use crate::{
    EventKind, Nanos, Vitals,
    sync::{Arc, AtomicU64, Ordering},
};

/// That keys were forgotten is said so often at most: whoever makes them up makes them quickly.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// Keys that were forgotten.
#[derive(Debug)]
pub(super) struct Lost {
    keys: AtomicU64,
    /// As many of them as were told, and when; zero for never.
    told: AtomicU64,
    told_at: AtomicU64,
}

impl Lost {
    pub(super) fn new() -> Self {
        let [keys, told, told_at] = [0; 3].map(AtomicU64::new);
        Self {
            keys,
            told,
            told_at,
        }
    }
}

impl Destination {
    /// The record of one `key`, born now, with nothing against it.
    ///
    /// Keys share their rules, and what is learned of how often calls come and fail; together they have one allowance of
    /// false alarms. They are no replicas of each other: none is measured against the others, as many may be out at once
    /// as are ill, and what is late for one says nothing of another, so that only a timeout says what is.
    ///
    /// # Examples
    ///
    /// ```
    /// use buttress_core::{Clock, Destination, Host, Nanos, Rules};
    ///
    /// let tenants = Destination::new("db", &Rules::default(), &Host::new(Clock(|| Nanos::ZERO)));
    /// assert_eq!(tenants.key("tenant-7").name(), "db/tenant-7");
    /// ```
    #[must_use]
    pub fn key(&self, key: impl Into<Arc<str>>) -> Vitals {
        self.born(None, Some(key.into()))
    }

    /// One key was forgotten at `now`, to make room for another.
    pub fn forget(&self, now: Nanos) {
        self.0.forget(now);
    }

    /// How many keys were forgotten to make room for others.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.0.forgotten()
    }
}

impl Shared {
    pub(crate) fn forgotten(&self) -> u64 {
        self.lost.keys.load(Ordering::Relaxed)
    }

    fn forget(&self, now: Nanos) {
        let Lost {
            keys,
            told,
            told_at,
        } = &self.lost;
        // Relaxed, here and below: a count, and the right to tell it, which one of two threads gets.
        let count = keys.fetch_add(1, Ordering::Relaxed) + 1;
        let last = told_at.load(Ordering::Relaxed);
        if last != 0 && now.since(Nanos::new(last)) < SAY_AGAIN {
            return;
        }
        let mine = told_at.compare_exchange(
            last,
            now.as_u64().max(1),
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
        if mine.is_ok() {
            let before = told.swap(count, Ordering::Relaxed);
            self.say(now, EventKind::Forgotten(count.saturating_sub(before)));
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{
        BreakerState, Cause, Clock, Events, HealthPolicy, Host, Outcome, Registry, Rules, Tally,
    };

    fn seconds(seconds: u64) -> Nanos {
        Nanos::ZERO.after(Duration::from_secs(seconds))
    }

    fn tenants(rules: &Rules) -> Destination {
        let host = Host {
            registry: Registry::new(Arc::new(Events::new(64, |_| {}))),
            ..Host::new(Clock(|| Nanos::ZERO))
        };
        Destination::new("db", rules, &host)
    }

    fn fail(vitals: &Vitals, times: usize, at: Nanos) {
        for _ in 0..times {
            if let Ok(permit) = vitals.permit(at) {
                vitals.record(permit, at, Outcome::Failure(Cause::Error));
            }
        }
    }

    #[test]
    fn all_keys_may_be_out_at_once_for_nobody_is_another_s_replica() {
        let tenants = tenants(&Rules::default());
        let keys: Vec<Vitals> = (0..8).map(|n| tenants.key(format!("tenant-{n}"))).collect();
        keys.iter().for_each(|key| fail(key, 20, seconds(1)));
        assert!(keys.iter().all(|key| key.state() == BreakerState::Open));
        assert_eq!(tenants.panic(), None);
    }

    #[test]
    fn a_key_that_fails_leaves_the_others_alone_and_is_named() {
        let tenants = tenants(&Rules::default());
        let [sick, well] = ["sick", "well"].map(|name| tenants.key(name));
        for _ in 0..50 {
            let permit = well.permit(seconds(1)).unwrap();
            well.record(permit, seconds(1), Outcome::Success);
        }
        fail(&sick, 20, seconds(1));
        assert_eq!(
            (sick.state(), well.state()),
            (BreakerState::Open, BreakerState::Closed)
        );
        let shot = sick.snapshot(seconds(2));
        assert_eq!(shot.name(), "db/sick");
        assert_eq!(
            (shot.endpoint.as_deref(), shot.priority),
            (Some("sick"), None)
        );
        let verdict = shot.verdict.unwrap();
        assert!(
            verdict.to_string().starts_with("endpoint sick is failing"),
            "{verdict}"
        );
        assert_eq!(&*shot.episodes[0].policy, "db");
        assert_eq!(shot.episodes[0].endpoint.as_deref(), Some("sick"));
    }

    #[test]
    fn a_slow_key_is_not_late_by_the_measure_of_quick_ones() {
        let tenants = tenants(&Rules::default());
        let [quick, slow] = ["quick", "slow"].map(|name| tenants.key(name));
        for second in 1..200 {
            for (key, calls, millis) in [(&quick, 100, 1), (&slow, 1, 900)] {
                for _ in 0..calls {
                    let permit = key.permit(seconds(second)).unwrap();
                    let end = seconds(second).after(Duration::from_millis(millis));
                    key.record(permit, end, Outcome::Success);
                }
            }
            let _ = tenants.tick(seconds(second + 1));
        }
        assert_eq!(tenants.age(), None);
        assert_eq!(slow.snapshot(seconds(300)).suspicion.unwrap_or(0.0), 0.0);
    }

    #[test]
    fn keys_are_not_compared_with_each_other() {
        let rules = Rules {
            health: HealthPolicy::consecutive(1_000),
            ..Rules::default()
        };
        let tenants = tenants(&rules);
        let keys: Vec<Vitals> = (0..5).map(|n| tenants.key(n.to_string())).collect();
        for second in 1..40 {
            for key in &keys[1..] {
                for _ in 0..20 {
                    let permit = key.permit(seconds(second)).unwrap();
                    key.record(permit, seconds(second), Outcome::Success);
                }
            }
            fail(&keys[0], 20, seconds(second));
            let _ = tenants.tick(seconds(second));
        }
        // Of endpoints, the first would stand out by now.
        let tallies = [Tally::new(200, 200), Tally::new(0, 200), Tally::new(0, 200)];
        assert!(!rules.peers.outliers(&tallies, 0.01).is_empty());
        assert!(keys.iter().all(|key| key.state() == BreakerState::Closed));
    }

    #[test]
    fn what_is_forgotten_is_counted_at_once_and_said_once_a_minute() {
        let tenants = tenants(&Rules::default());
        let key = tenants.key("last");
        for (at, times) in [(5, 1), (6, 99), (64, 1), (65, 1), (66, 1)] {
            (0..times).for_each(|_| tenants.forget(seconds(at)));
        }
        let events = tenants.registry().events().since(0).events;
        let said: Vec<_> = events
            .iter()
            .map(|event| (event.at, event.kind.clone()))
            .collect();
        assert_eq!(
            said,
            [
                (seconds(5), EventKind::Forgotten(1)),
                (seconds(65), EventKind::Forgotten(101))
            ]
        );
        assert_eq!(tenants.forgotten(), 103);
        assert_eq!(key.snapshot(seconds(70)).forgotten_keys, Some(103));
    }
}
