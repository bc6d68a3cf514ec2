//! Choosing by weight in constant time.

/// Walker's alias method (1974), with the table built as Vose does (1991): each place keeps the part of draws that is its
/// own, and gives the rest to another.
#[derive(Clone, Debug)]
pub(super) struct Alias(Box<[Column]>);

#[derive(Clone, Copy, Debug)]
struct Column {
    /// Of 2³² draws so many are its own.
    own: u64,
    other: u32,
}

/// All draws of a column.
const WHOLE: u64 = 1 << 32;

impl Alias {
    /// None where all weigh the same, or nothing: then any draw will do.
    pub(super) fn new(weights: impl ExactSizeIterator<Item = u32> + Clone) -> Option<Self> {
        let total: u128 = weights.clone().map(u128::from).sum();
        let first = weights.clone().next()?;
        if total == 0 || weights.clone().all(|weight| weight == first) {
            return None;
        }
        let count = weights.len() as u128;
        // In parts of which each column holds `total`: exact, whatever the weights.
        let mut parts: Vec<u128> = weights.map(|weight| u128::from(weight) * count).collect();
        let mut columns: Vec<Column> = (0..parts.len())
            .map(|place| Column {
                own: WHOLE,
                other: place as u32,
            })
            .collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..parts.len()).partition(|place| parts[*place] < total);
        while let (Some(&giver), Some(taker)) = (large.last(), small.pop()) {
            columns[taker] = Column {
                own: (parts[taker] * u128::from(WHOLE) / total) as u64,
                other: giver as u32,
            };
            parts[giver] -= total - parts[taker];
            if parts[giver] < total {
                large.pop();
                small.push(giver);
            }
        }
        Some(Self(columns.into()))
    }

    /// A place, as often as it weighs.
    pub(super) fn draw(&self, draw: u64) -> usize {
        let place = below(draw, self.0.len());
        match self.0.get(place) {
            Some(column) if (draw & (WHOLE - 1)) >= column.own => column.other as usize,
            _ => place,
        }
    }
}

/// A place below `count`, from the upper half of a draw (Lemire 2019, without the correction: off by 2⁻³² · `count`).
pub(super) const fn below(draw: u64, count: usize) -> usize {
    (((draw >> 32) * count as u64) >> 32) as usize
}

#[cfg(all(test, not(loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::Draws;

    #[test]
    fn equal_weights_need_no_table() {
        for weights in [vec![], vec![1], vec![3, 3, 3], vec![0, 0]] {
            assert!(Alias::new(weights.iter().copied()).is_none(), "{weights:?}");
        }
    }

    #[test]
    fn draws_as_often_as_each_weighs() {
        let weights = [5, 0, 1, 94, 0, 100];
        let alias = Alias::new(weights.iter().copied()).unwrap();
        let (mut draws, mut hits) = (Draws::seeded(1), [0_u32; 6]);
        for _ in 0..200_000 {
            hits[alias.draw(draws.next())] += 1;
        }
        for (weight, hits) in weights.into_iter().zip(hits) {
            let expected = f64::from(weight) * 1_000.0;
            assert!(
                (f64::from(hits) - expected).abs() < 5.0 * expected.sqrt() + 1.0,
                "{weight}: {hits}"
            );
        }
    }

    proptest! {
        #[test]
        fn every_part_is_given_once(weights in prop::collection::vec(0_u32..=u32::MAX, 2..40)) {
            let total: u128 = weights.iter().copied().map(u128::from).sum();
            if let Some(alias) = Alias::new(weights.iter().copied()) {
                let mut given = vec![0_u128; weights.len()];
                for (place, column) in alias.0.iter().enumerate() {
                    given[place] += u128::from(column.own);
                    given[column.other as usize] += u128::from(WHOLE - column.own);
                }
                for (weight, given) in weights.iter().zip(given) {
                    let due = u128::from(*weight) * u128::from(WHOLE) * weights.len() as u128 / total;
                    prop_assert!(given.abs_diff(due) <= weights.len() as u128 + 1, "{given} {due}");
                    prop_assert!(*weight > 0 || given == 0);
                }
            }
        }
    }
}
