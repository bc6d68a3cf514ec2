//! One account that pays for every extra send.

use crate::{
    MAX_ATTEMPTS, Ratio,
    sync::{AtomicU64, Ordering},
};

/// Extra sends that may be made before any request has paid for one, and the most that can be saved up.
pub const RESERVE: u64 = 10;

/// Extra sends per request, at most: with as many attempts as a call may have.
pub(crate) const MOST: f64 = MAX_ATTEMPTS as f64 - 1.0;

/// Parts of one send, so that deposits can be shares of one.
const SEND: u64 = 1 << 32;

/// A token bucket for extra sends to one destination: `extra_load` of a send is deposited per request, one is charged
/// per extra send, when it is sent.
///
/// In every window, sends ≤ requests · (1 + `extra_load`) + [`RESERVE`]: deposits are rounded down, and what is saved
/// never exceeds the reserve.
///
/// # Examples
///
/// ```
/// use buttress_core::{Budget, RESERVE, Ratio};
///
/// let budget = Budget::new(Ratio::percent(50));
/// assert!((0..RESERVE).all(|_| budget.charge()) && !budget.charge());
/// budget.deposit();
/// budget.deposit(); // two requests pay for one extra send
/// assert!(budget.charge() && !budget.charge());
/// ```
#[derive(Debug)]
pub struct Budget {
    saved: AtomicU64,
    per_request: u64,
}

impl Budget {
    /// A full account that grows by `extra_load` per request. A ratio outside `0..=9` counts as its nearest bound.
    #[must_use]
    pub fn new(extra_load: Ratio) -> Self {
        // `as` saturates and takes NaN as zero; the product is less than 2^36.
        let per_request = (extra_load.as_f64().clamp(0.0, MOST) * SEND as f64) as u64;
        Self {
            saved: AtomicU64::new(RESERVE * SEND),
            per_request,
        }
    }

    /// One request was made. A full account costs one load.
    pub fn deposit(&self) {
        let grow = |saved: u64| {
            (saved < RESERVE * SEND).then(|| (saved + self.per_request).min(RESERVE * SEND))
        };
        // Relaxed: the account orders nothing but itself.
        let _ = self
            .saved
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, grow);
    }

    /// Would one more be paid for, if it were sent now?
    #[must_use]
    pub fn covers(&self) -> bool {
        // Relaxed: as above.
        self.saved.load(Ordering::Relaxed) >= SEND
    }

    /// May one more be sent? If so, it is paid for.
    #[must_use]
    pub fn charge(&self) -> bool {
        // Relaxed: as above.
        self.saved
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |saved: u64| {
                saved.checked_sub(SEND)
            })
            .is_ok()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ten_thousand_requests_pay_for_their_share_within_one() {
        for (percent, extra) in [(10, 1_000), (50, 5_000), (1, 100), (0, 0), (100, 10_000)] {
            let budget = Budget::new(Ratio::percent(percent));
            while budget.charge() {}
            let sent = (0..10_000)
                .filter(|_| {
                    budget.deposit();
                    budget.charge()
                })
                .count();
            assert!(extra - sent <= 1, "{percent} %: {sent}");
        }
    }

    #[test]
    fn no_number_buys_nothing() {
        let budget = Budget::new(Ratio::new(f64::NAN));
        while budget.charge() {}
        (0..1_000).for_each(|_| budget.deposit());
        assert!(!budget.charge());
    }

    proptest! {
        /// The twin counts events; the law is stated over every window, not only from the start.
        #[test]
        fn extra_sends_never_exceed_the_law_in_any_window(ops in prop::collection::vec(any::<bool>(), 0..400), share in 0.0..=1.0_f64) {
            let budget = Budget::new(Ratio::new(share));
            let log: Vec<(u64, u64)> = ops.into_iter().map(|request| {
                if request { budget.deposit(); (1, 0) } else {
                    let covers = budget.covers();
                    let paid = budget.charge();
                    assert_eq!(covers, paid);
                    (0, u64::from(paid))
                }
            }).collect();
            for start in 0..log.len() {
                let (mut requests, mut extra) = (0, 0);
                for (request, sent) in &log[start..] {
                    requests += request;
                    extra += sent;
                    prop_assert!(extra as f64 <= requests as f64 * share + RESERVE as f64 + 1e-6);
                }
            }
        }
    }
}

#[cfg(all(test, loom))]
mod loom {
    use super::*;
    use crate::sync::Arc;

    /// In every interleaving.
    fn spends(saved: u64, by_each: usize, deposits: usize) -> u64 {
        let budget = Arc::new(Budget {
            saved: AtomicU64::new(saved),
            per_request: SEND / 2,
        });
        let spend = move |budget: &Budget| (0..by_each).filter(|_| budget.charge()).count() as u64;
        let other = Arc::clone(&budget);
        let other = ::loom::thread::spawn(move || spend(&other));
        (0..deposits).for_each(|_| budget.deposit());
        let mine = spend(&budget);
        let theirs = other.join().unwrap_or_default();
        assert!(
            budget.saved.load(Ordering::Relaxed) <= RESERVE * SEND,
            "saved more than the reserve"
        );
        mine + theirs
    }

    #[test]
    fn two_threads_charging_never_overspend() {
        ::loom::model(|| assert_eq!(spends(3 * SEND, 2, 0), 3));
    }

    #[test]
    fn a_deposit_beside_a_charge_is_neither_lost_nor_doubled() {
        // Two deposits of half a send, and one and a half saved: two sends, whoever is first.
        ::loom::model(|| assert_eq!(spends(3 * SEND / 2, 2, 2), 2));
    }
}
