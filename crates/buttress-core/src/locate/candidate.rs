//! What could be at fault: a label, a route together with a label, or everything; and what each has to show.

use crate::peers::Tally;

/// A way to divide calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Dimension {
    Endpoint,
    Zone,
    Version,
    Route,
    Method,
}

impl Dimension {
    pub(crate) const ALL: [Self; 5] = [
        Self::Endpoint,
        Self::Zone,
        Self::Version,
        Self::Route,
        Self::Method,
    ];
    /// Those that a route may fail together with: it may be broken on one endpoint, or in one release.
    pub(crate) const WITH_ROUTE: [Self; 3] = [Self::Endpoint, Self::Zone, Self::Version];
}

/// Calls that share all their labels. A label is a small number given out by whoever counts; 0 is "not known", and
/// never a candidate.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) endpoint: u16,
    pub(crate) zone: u16,
    pub(crate) version: u16,
    pub(crate) route: u16,
    pub(crate) method: u16,
    pub(crate) tally: Tally,
}

impl Sample {
    pub(crate) const fn label(&self, dimension: Dimension) -> u16 {
        match dimension {
            Dimension::Endpoint => self.endpoint,
            Dimension::Zone => self.zone,
            Dimension::Version => self.version,
            Dimension::Route => self.route,
            Dimension::Method => self.method,
        }
    }
}

/// A set of calls that one fault could account for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Candidate {
    /// The calls with this label.
    Single(Dimension, u16),
    /// The calls of a route that have this label too.
    Pair {
        route: u16,
        with: Dimension,
        label: u16,
    },
    /// All calls.
    Everything,
}

impl Candidate {
    /// How many sorts there are.
    pub(crate) const SORTS: u8 = 7;

    /// Its sort, in the order in which names for the same calls are told: the only endpoint goes before everything,
    /// for it is what can be acted on, and everything before the only zone or version, which no other can clear.
    pub(crate) const fn sort(self) -> u8 {
        match self {
            Self::Single(Dimension::Endpoint, _) => 0,
            Self::Everything => 1,
            Self::Single(Dimension::Zone, _) => 2,
            Self::Single(Dimension::Version, _) => 3,
            Self::Single(Dimension::Route, _) => 4,
            Self::Single(Dimension::Method, _) => 5,
            Self::Pair { .. } => 6,
        }
    }

    pub(crate) fn covers(self, sample: &Sample) -> bool {
        match self {
            Self::Everything => true,
            Self::Single(dimension, label) => sample.label(dimension) == label,
            Self::Pair { route, with, label } => {
                sample.route == route && sample.label(with) == label
            }
        }
    }
}

/// The labels of each dimension that may be candidates.
///
/// At most [`KEPT`] of each: those with most failures, then with most calls. One without failures is never at fault,
/// so the bound costs no answer until more labels than that fail, which is everybody's trouble and not theirs.
#[derive(Debug)]
pub(crate) struct Labels {
    dimensions: [Kept; Dimension::ALL.len()],
}

const KEPT: usize = 32;

#[derive(Debug, Default)]
struct Kept {
    labels: Vec<u16>,
    /// Where each label stands in `labels`, by label.
    slots: Vec<Option<u8>>,
    /// How many labels there are, kept or not, "not known" among them.
    distinct: usize,
}

impl Labels {
    pub(crate) fn of(samples: &[Sample]) -> Self {
        Self {
            dimensions: Dimension::ALL.map(|dimension| Kept::of(samples, dimension)),
        }
    }

    /// How many labels a dimension has. With a single one it divides nothing.
    pub(crate) const fn distinct(&self, dimension: Dimension) -> usize {
        self.dimensions[dimension as usize].distinct
    }

    /// Every candidate that has calls among `samples`, with these; in one pass over them.
    pub(crate) fn count<'a>(
        &self,
        samples: impl Iterator<Item = &'a Sample>,
    ) -> Vec<(Candidate, Tally)> {
        let mut all = Tally::default();
        let mut singles = [[Tally::default(); KEPT]; Dimension::ALL.len()];
        let mut pairs = vec![Tally::default(); Dimension::WITH_ROUTE.len() * KEPT * KEPT];
        for sample in samples {
            all = all.plus(sample.tally);
            let slots = Dimension::ALL.map(|dimension| self.slot(dimension, sample));
            for (counts, slot) in singles.iter_mut().zip(slots) {
                if let Some(slot) = slot {
                    counts[slot] = counts[slot].plus(sample.tally);
                }
            }
            let Some(route) = slots[Dimension::Route as usize] else {
                continue;
            };
            for with in Dimension::WITH_ROUTE {
                if let Some(slot) = slots[with as usize] {
                    let count = &mut pairs[place(with, route, slot)];
                    *count = count.plus(sample.tally);
                }
            }
        }
        let labels = |dimension: Dimension| {
            let kept = &self.dimensions[dimension as usize].labels;
            kept.iter().copied().enumerate()
        };
        let singles = Dimension::ALL.into_iter().flat_map(|dimension| {
            let counts = &singles[dimension as usize];
            labels(dimension)
                .map(move |(slot, label)| (Candidate::Single(dimension, label), counts[slot]))
        });
        let pairs = Dimension::WITH_ROUTE.into_iter().flat_map(|with| {
            let pairs = &pairs;
            labels(Dimension::Route).flat_map(move |(at, route)| {
                labels(with).map(move |(slot, label)| {
                    (
                        Candidate::Pair { route, with, label },
                        pairs[place(with, at, slot)],
                    )
                })
            })
        });
        std::iter::once((Candidate::Everything, all))
            .chain(singles)
            .chain(pairs)
            .filter(|(_, tally)| tally.calls > 0)
            .collect()
    }

    fn slot(&self, dimension: Dimension, sample: &Sample) -> Option<usize> {
        let slots = &self.dimensions[dimension as usize].slots;
        let slot = *slots.get(usize::from(sample.label(dimension)))?;
        slot.map(usize::from)
    }
}

/// Where a pair is counted.
const fn place(with: Dimension, route: usize, slot: usize) -> usize {
    // The dimensions that go with a route are the first ones.
    (with as usize * KEPT + route) * KEPT + slot
}

impl Kept {
    fn of(samples: &[Sample], dimension: Dimension) -> Self {
        let mut counts: Vec<Tally> = Vec::new();
        for sample in samples {
            let label = usize::from(sample.label(dimension));
            if counts.len() <= label {
                counts.resize(label + 1, Tally::default());
            }
            counts[label] = counts[label].plus(sample.tally);
        }
        let distinct = counts.iter().filter(|tally| tally.calls > 0).count();
        let mut ranked: Vec<(Tally, u16)> = counts
            .into_iter()
            .zip(0..=u16::MAX)
            .filter(|(tally, label)| *label > 0 && tally.calls > 0)
            .collect();
        ranked.sort_by_key(|(tally, label)| {
            (std::cmp::Reverse((tally.failures, tally.calls)), *label)
        });
        ranked.truncate(KEPT);
        let labels: Vec<u16> = ranked.into_iter().map(|(_, label)| label).collect();
        let mut slots = vec![None; labels.iter().max().map_or(0, |most| usize::from(*most) + 1)];
        for (slot, label) in (0_u8..).zip(&labels) {
            slots[usize::from(*label)] = Some(slot);
        }
        Self {
            labels,
            slots,
            distinct,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn samples() -> impl Strategy<Value = Vec<Sample>> {
        let sample = (
            0..60_u16,
            0..4_u16,
            0..3_u16,
            0..50_u16,
            0..3_u16,
            0..4_u64,
            0..4_u64,
        );
        prop::collection::vec(
            sample.prop_map(
                |(endpoint, zone, version, route, method, failures, more)| Sample {
                    endpoint,
                    zone,
                    version,
                    route,
                    method,
                    tally: Tally::new(failures, failures + more),
                },
            ),
            0..200,
        )
    }

    proptest! {
        /// The twin asks every sample of every candidate.
        #[test]
        fn one_pass_counts_what_each_candidate_covers(samples in samples()) {
            let counted = Labels::of(&samples).count(samples.iter());
            for (candidate, tally) in &counted {
                let covered = samples.iter().filter(|sample| candidate.covers(sample));
                let expected = covered.fold(Tally::default(), |sum, sample| sum.plus(sample.tally));
                prop_assert_eq!(*tally, expected, "{:?}", candidate);
            }
            prop_assert!(counted.len() <= 1 + 5 * KEPT + 3 * KEPT * KEPT);
        }

        #[test]
        fn the_label_that_fails_most_is_always_kept(samples in samples(), endpoint in 1..60_u16) {
            let mut samples = samples;
            samples.push(Sample { endpoint, tally: Tally::new(10_000, 10_000), ..Sample::default() });
            let counted = Labels::of(&samples).count(samples.iter());
            let sick = Candidate::Single(Dimension::Endpoint, endpoint);
            prop_assert!(counted.iter().any(|(candidate, _)| *candidate == sick));
        }
    }

    #[test]
    fn what_is_not_known_is_no_candidate() {
        let samples = [Sample {
            tally: Tally::new(1, 2),
            ..Sample::default()
        }];
        assert_eq!(
            Labels::of(&samples).count(samples.iter()),
            [(Candidate::Everything, Tally::new(1, 2))]
        );
    }
}
