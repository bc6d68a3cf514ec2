//! Which calls are of an endpoint's share.

use crate::{
    random::Draws,
    sync::{AtomicU64, Ordering},
};

/// One whole call, in the parts that shares of it are counted in.
const CALL: u64 = 1 << 32;

/// Deals an endpoint on its way back its share of calls: of every `1/share` in a row one, at a place drawn at random.
///
/// Stratified sampling (Cochran, "Sampling Techniques", chapter 5), and no draw for each call: at 5 % that leaves a gap of a
/// hundred calls once in 170 times, and of many clients one is always last. Not evenly either: that would pick the same
/// sort of call whenever sorts alternate.
#[derive(Debug)]
pub(super) struct Turns {
    /// Calls dealt so far; wraps after 2³².
    dealt: AtomicU64,
    /// Places reached two at a time: each is one call more, as soon as none is reached.
    owed: AtomicU64,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self {
            dealt: AtomicU64::new(0),
            owed: AtomicU64::new(0),
        }
    }

    /// Is this call one of a `share` of all? Places are drawn from `seed`, always the same.
    pub(super) fn take(&self, share: f64, seed: u64) -> bool {
        if share >= 1.0 {
            return true;
        }
        // The cast saturates, and takes what is no number as nothing.
        let part = (share * CALL as f64) as u64;
        // Relaxed, here and below: each call has a part of its own, and nothing else is ordered by it.
        let from = self.dealt.fetch_add(part, Ordering::Relaxed);
        let reached = |number: u64| place(number, seed).wrapping_sub(from) < part;
        let (first, last) = (from / CALL, from.wrapping_add(part) / CALL);
        match (reached(first), first != last && reached(last)) {
            (false, false) => self.is_owed(),
            (true, true) => {
                self.owed.fetch_add(1, Ordering::Relaxed);
                true
            }
            _ => true,
        }
    }

    fn is_owed(&self) -> bool {
        // Mostly nothing is: one load.
        let pay = |owed: u64| owed.checked_sub(1);
        self.owed
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay)
            .is_ok()
    }
}

/// Where the `number`th whole call has the place at which one is dealt.
fn place(number: u64, seed: u64) -> u64 {
    let draw = Draws::seeded(seed.wrapping_add(number)).next() % CALL;
    number.wrapping_mul(CALL).wrapping_add(draw)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn of_any_calls_in_a_row_it_deals_their_share_within_two(share in 0.01_f64..=1.0, seed: u64, calls in 1_usize..2_000) {
            let turns = Turns::new();
            let dealt = (0..calls).filter(|_| turns.take(share, seed)).count() as f64;
            let due = share * calls as f64;
            prop_assert!((dealt - due).abs() < 2.0, "{dealt} of {due}");
        }

        #[test]
        fn nobody_waits_for_longer_than_twice_its_share(share in 0.01_f64..=1.0, seed: u64) {
            let turns = Turns::new();
            let most = (2.0 / share).ceil() as usize;
            let mut waited = 0;
            for _ in 0..1_000 {
                waited = if turns.take(share, seed) { 0 } else { waited + 1 };
                prop_assert!(waited <= most, "{waited} of {most}");
            }
        }

        #[test]
        fn a_share_that_grows_on_the_way_is_dealt_as_well(seed: u64) {
            let turns = Turns::new();
            let shares: Vec<f64> = (0..1_000).map(|call| f64::from(call) / 1_000.0).collect();
            let dealt = shares.iter().filter(|share| turns.take(**share, seed)).count() as f64;
            prop_assert!((dealt - shares.iter().sum::<f64>()).abs() < 3.0, "{dealt}");
        }
    }

    #[test]
    fn all_and_nothing_are_dealt_as_such_and_no_number_is_nothing() {
        let turns = Turns::new();
        for _ in 0..100 {
            assert!(turns.take(1.0, 7) && turns.take(2.0, 7));
            assert!(!turns.take(0.0, 7) && !turns.take(f64::NAN, 7) && !turns.take(-1.0, 7));
        }
    }

    #[test]
    fn alternating_sorts_of_calls_are_both_dealt() {
        let turns = Turns::new();
        let even = (0..10_000).filter(|call| turns.take(0.5, 7) && call % 2 == 0);
        let even = even.count();
        assert!((2_300..2_700).contains(&even), "{even} of about 2500");
    }
}
