//! No caller alone convicts an endpoint.

use crate::Ratio;

/// Whose failed calls the evidence is made of, since it began.
///
/// Callers are numbers of one byte: two that share one share its part, and nobody's identity is kept.
#[derive(Debug)]
pub(super) struct Callers {
    /// The largest part that one may have.
    most: f64,
    total: u32,
    by_caller: Vec<(u8, u32)>,
}

impl Callers {
    /// One caller may have `most` of it.
    pub(super) const fn new(most: Ratio) -> Self {
        Self {
            most: most.as_f64(),
            total: 0,
            by_caller: Vec::new(),
        }
    }

    /// Is a failed call of this caller evidence, one of so many `callers`? One always is; of a caller that nobody named,
    /// all are. Where they are few, each may have its equal part, whatever the limit: else no outage would ever show.
    pub(super) fn admits(&mut self, caller: u8, callers: u32) -> bool {
        if caller == 0 || self.most >= 1.0 {
            return true;
        }
        let known = self.by_caller.iter_mut().find(|(one, _)| *one == caller);
        let own = known
            .as_ref()
            .map_or(0, |(_, count)| *count)
            .saturating_add(1);
        let total = self.total.saturating_add(1);
        let most = self.most.max(1.0 / f64::from(callers.max(1)));
        // One more than its part: in equal parts nobody could begin.
        if f64::from(own) > most * f64::from(total) + 1.0 {
            return false;
        }
        self.total = total;
        match known {
            Some((_, count)) => *count = own,
            None => self.by_caller.push((caller, own)),
        }
        true
    }

    /// There is no evidence any more.
    pub(super) fn forget(&mut self) {
        self.total = 0;
        self.by_caller.clear();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn admitted(most: Ratio, callers: impl IntoIterator<Item = u8>) -> usize {
        let mut evidence = Callers::new(most);
        callers
            .into_iter()
            .filter(|caller| evidence.admits(*caller, 200))
            .count()
    }

    #[test]
    fn few_callers_have_equal_parts() {
        for callers in 1..=4 {
            let mut evidence = Callers::new(Ratio::percent(10));
            let of_all = (0..600).map(|n| (n % callers) as u8 + 1);
            let admitted = of_all.filter(|caller| evidence.admits(*caller, callers));
            assert_eq!(admitted.count(), 600, "{callers}");
            // And one of several still convicts nobody alone.
            evidence.forget();
            let alone = (0..600).filter(|_| evidence.admits(1, callers)).count();
            assert_eq!(alone <= 2, callers > 1, "{callers}: {alone}");
        }
    }

    #[test]
    fn one_caller_never_has_more_than_its_part() {
        let quarter = Ratio::percent(25);
        assert_eq!(admitted(quarter, [7; 1_000]), 1);
        // A thousand of one among a hundred of others: a third of theirs, which is a quarter of all.
        let others = (1..=100).flat_map(|caller| [vec![7; 10], vec![100 + caller % 100]].concat());
        let total = admitted(quarter, others);
        assert!((130..=134).contains(&total), "{total}");
    }

    #[test]
    fn without_a_limit_or_a_name_everything_counts() {
        assert_eq!(admitted(Ratio::percent(100), [7; 50]), 50);
        assert_eq!(admitted(Ratio::percent(25), [0; 50]), 50);
    }

    #[test]
    fn what_was_forgotten_counts_against_nobody() {
        let mut evidence = Callers::new(Ratio::percent(25));
        assert!(evidence.admits(7, 200) && !evidence.admits(7, 200));
        evidence.forget();
        assert!(evidence.admits(7, 200));
    }
}
