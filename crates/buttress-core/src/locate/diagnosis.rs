//! What a look at the calls comes to: what is at fault, what is not, and how sure that is.

use super::{
    candidate::{Candidate, Labels, Sample},
    score::{Hypothesis, NOTHING, Search},
};
use crate::peers::Tally;

/// What a look at the calls came to.
#[derive(Debug)]
pub(crate) struct Diagnosis {
    /// What is at fault, the strongest evidence first: more than one where several faults explain it best. Empty if
    /// nothing stands out.
    pub(crate) causes: Vec<Finding>,
    /// The best of each sort that was not named a cause, the likeliest first.
    pub(crate) rivals: Vec<Finding>,
}

/// One candidate, weighed.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) candidate: Candidate,
    /// Other names for the very same calls: which of them it is, no call has shown.
    pub(crate) ties: Vec<Candidate>,
    pub(crate) probability: f64,
    /// What its calls came to.
    pub(crate) here: Tally,
    /// What the calls of no cause came to.
    pub(crate) elsewhere: Tally,
}

/// Weighs every candidate on what `samples` show, given the rate at which healthy calls fail.
pub(crate) fn diagnose(samples: &[Sample], healthy: f64) -> Diagnosis {
    let labels = Labels::of(samples);
    let counted = labels.count(samples.iter());
    let weighed = Weighed {
        samples,
        shares: shares(Search::new(samples, &labels, healthy).hypotheses(&counted)),
        counted,
    };
    let causes = weighed.causes();
    let rivals = weighed.rivals(&causes);
    Diagnosis { causes, rivals }
}

/// The probability of each hypothesis, the likeliest first; what is missing to 1 is that of nothing being wrong.
fn shares(mut hypotheses: Vec<Hypothesis>) -> Vec<(Vec<Candidate>, f64)> {
    hypotheses.sort_by(|a, b| b.score.total_cmp(&a.score));
    let nothing = NOTHING.ln();
    let top = hypotheses
        .first()
        .map_or(nothing, |best| best.score.max(nothing));
    let weight = |score: f64| (score - top).exp();
    let sum = weight(nothing) + hypotheses.iter().map(|one| weight(one.score)).sum::<f64>();
    hypotheses
        .into_iter()
        .map(|one| (one.causes, weight(one.score) / sum))
        .collect()
}

struct Weighed<'a> {
    samples: &'a [Sample],
    counted: Vec<(Candidate, Tally)>,
    shares: Vec<(Vec<Candidate>, f64)>,
}

impl Weighed<'_> {
    /// What the likeliest hypothesis says, if it is likelier than nothing being wrong.
    fn causes(&self) -> Vec<Finding> {
        let nothing = 1.0 - self.shares.iter().map(|(_, share)| share).sum::<f64>();
        self.shares
            .first()
            .filter(|(_, share)| *share > nothing)
            .map(|(causes, _)| {
                causes
                    .iter()
                    .map(|cause| self.finding(*cause, causes))
                    .collect()
            })
            .unwrap_or_default()
    }

    /// The likeliest of each sort beside `causes`, and not another name for one of them or for each other.
    fn rivals(&self, causes: &[Finding]) -> Vec<Finding> {
        let mut rivals: Vec<Finding> = Vec::new();
        for sort in 0..Candidate::SORTS {
            let free = self
                .counted
                .iter()
                .map(|(candidate, _)| *candidate)
                .filter(|candidate| candidate.sort() == sort)
                .filter(|candidate| !causes.iter().chain(&rivals).any(|one| one.is(*candidate)));
            let likeliest = free
                .map(|candidate| (self.probability(&[candidate]), candidate))
                .max_by(|a, b| a.0.total_cmp(&b.0));
            // What never had a chance is worth a word only where its whole sort had none.
            let idle = |chance: f64| {
                chance == 0.0 && causes.iter().any(|cause| cause.candidate.sort() == sort)
            };
            if let Some((_, candidate)) = likeliest.filter(|(chance, _)| !idle(*chance)) {
                rivals.push(self.finding(candidate, &[]));
            }
        }
        rivals.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        rivals
    }

    /// One candidate, set against all calls but its own and those of the causes `named` with it.
    fn finding(&self, candidate: Candidate, named: &[Candidate]) -> Finding {
        let names = self.names(candidate);
        Finding {
            probability: self.probability(&names),
            here: self.tally(|sample| candidate.covers(sample)),
            elsewhere: self.tally(|sample| {
                !candidate.covers(sample) && !named.iter().any(|cause| cause.covers(sample))
            }),
            candidate: names.first().copied().unwrap_or(candidate),
            ties: names.into_iter().skip(1).collect(),
        }
    }

    /// That the calls with these names are at fault, alone or with others.
    fn probability(&self, names: &[Candidate]) -> f64 {
        self.shares
            .iter()
            .filter(|(causes, _)| causes.iter().any(|cause| names.contains(cause)))
            .fold(0.0, |sum, (_, share)| sum + share)
            .min(1.0)
    }

    /// All names of a candidate's calls, the one to be told first in front.
    fn names(&self, candidate: Candidate) -> Vec<Candidate> {
        let own = self.tally(|sample| candidate.covers(sample));
        let same = |other: Candidate| {
            self.samples.iter().all(|sample| {
                sample.tally.calls == 0 || other.covers(sample) == candidate.covers(sample)
            })
        };
        let mut names: Vec<Candidate> = self
            .counted
            .iter()
            .filter(|(other, tally)| *tally == own && same(*other))
            .map(|(other, _)| *other)
            .collect();
        names.sort_by_key(|name| (name.sort(), *name));
        names
    }

    fn tally(&self, belongs: impl Fn(&Sample) -> bool) -> Tally {
        self.samples
            .iter()
            .filter(|sample| belongs(sample))
            .fold(Tally::default(), |sum, sample| sum.plus(sample.tally))
    }
}

impl Finding {
    fn is(&self, candidate: Candidate) -> bool {
        self.candidate == candidate || self.ties.contains(&candidate)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::candidate::Dimension, *};

    const HEALTHY: f64 = 0.002;

    /// Eight endpoints in three zones, two versions, four routes, two methods; 50 calls of each route to each endpoint.
    /// Of the calls that `fault` covers every second fails.
    fn fleet(fault: &[Candidate]) -> Vec<Sample> {
        let mut samples = Vec::new();
        for endpoint in 1..=8_u16 {
            for route in 1..=4_u16 {
                let sample = Sample {
                    endpoint,
                    zone: (endpoint - 1) / 3 + 1,
                    version: if [5, 8].contains(&endpoint) { 2 } else { 1 },
                    route,
                    method: (route + endpoint) % 2 + 1,
                    tally: Tally::default(),
                };
                let ill = fault.iter().any(|cause| cause.covers(&sample));
                let tally = Tally::new(if ill { 25 } else { 0 }, 50);
                samples.push(Sample { tally, ..sample });
            }
        }
        samples
    }

    fn named(samples: &[Sample]) -> Vec<Candidate> {
        let causes = diagnose(samples, HEALTHY).causes;
        causes.iter().map(|cause| cause.candidate).collect()
    }

    #[test]
    fn every_sort_of_fault_is_named_as_what_it_is() {
        for fault in [
            Candidate::Everything,
            Candidate::Single(Dimension::Endpoint, 3),
            Candidate::Single(Dimension::Endpoint, 8),
            Candidate::Single(Dimension::Zone, 2),
            Candidate::Single(Dimension::Version, 2),
            Candidate::Single(Dimension::Route, 4),
            Candidate::Single(Dimension::Method, 1),
            Candidate::Pair {
                route: 1,
                with: Dimension::Endpoint,
                label: 6,
            },
            Candidate::Pair {
                route: 2,
                with: Dimension::Version,
                label: 2,
            },
            Candidate::Pair {
                route: 3,
                with: Dimension::Zone,
                label: 1,
            },
        ] {
            let diagnosis = diagnose(&fleet(&[fault]), HEALTHY);
            assert_eq!(diagnosis.causes.len(), 1, "{fault:?}");
            assert_eq!(diagnosis.causes[0].candidate, fault);
            assert!(diagnosis.causes[0].probability > 0.99, "{fault:?}");
            assert!(
                diagnosis
                    .rivals
                    .iter()
                    .all(|rival| rival.probability < 0.01),
                "{fault:?}"
            );
            assert_eq!(diagnosis.causes[0].elsewhere.failures, 0, "{fault:?}");
        }
    }

    #[test]
    fn faults_that_coincide_are_told_apart() {
        let endpoint = |label| Candidate::Single(Dimension::Endpoint, label);
        let route = Candidate::Single(Dimension::Route, 2);
        for faults in [
            vec![endpoint(1), endpoint(7)],
            vec![endpoint(1), endpoint(4), endpoint(7)],
            vec![route, endpoint(3)],
        ] {
            let mut found = named(&fleet(&faults));
            found.sort_unstable();
            let mut expected = faults;
            expected.sort_unstable();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn names_for_the_same_calls_are_told_together() {
        // Version 2 lives on endpoint 8 alone.
        let mut samples = fleet(&[Candidate::Single(Dimension::Endpoint, 8)]);
        samples
            .iter_mut()
            .filter(|sample| sample.endpoint != 8)
            .for_each(|sample| sample.version = 1);
        let diagnosis = diagnose(&samples, HEALTHY);
        assert_eq!(
            diagnosis.causes[0].candidate,
            Candidate::Single(Dimension::Endpoint, 8)
        );
        assert_eq!(
            diagnosis.causes[0].ties,
            [Candidate::Single(Dimension::Version, 2)]
        );
        assert!(diagnosis.causes[0].probability > 0.99);
        let version = Candidate::Single(Dimension::Version, 2);
        assert!(
            diagnosis
                .rivals
                .iter()
                .all(|rival| rival.candidate != version)
        );
    }

    #[test]
    fn the_only_endpoint_is_named_before_everything() {
        let samples: Vec<Sample> = (1..=3)
            .map(|route| Sample {
                endpoint: 1,
                route,
                tally: Tally::new(20, 40),
                ..Sample::default()
            })
            .collect();
        let diagnosis = diagnose(&samples, HEALTHY);
        assert_eq!(
            diagnosis.causes[0].candidate,
            Candidate::Single(Dimension::Endpoint, 1)
        );
        assert_eq!(diagnosis.causes[0].ties, [Candidate::Everything]);
        assert_eq!(diagnosis.causes[0].elsewhere, Tally::default());
    }

    #[test]
    fn everything_is_named_before_the_only_version() {
        let mut samples = fleet(&[Candidate::Everything]);
        samples.iter_mut().for_each(|sample| sample.version = 1);
        let diagnosis = diagnose(&samples, HEALTHY);
        assert_eq!(diagnosis.causes[0].candidate, Candidate::Everything);
        assert_eq!(
            diagnosis.causes[0].ties,
            [Candidate::Single(Dimension::Version, 1)]
        );
    }

    #[test]
    fn where_nothing_stands_out_nothing_is_named() {
        assert_eq!(named(&fleet(&[])), []);
        assert_eq!(named(&[]), []);
        // Two stray failures are fewer than the healthy rate brings: no suspicion is likelier than not.
        let mut samples = fleet(&[]);
        samples[5].tally.failures = 1;
        samples[20].tally.failures = 1;
        let diagnosis = diagnose(&samples, HEALTHY);
        let mut all = diagnosis.causes.iter().chain(&diagnosis.rivals);
        assert!(
            all.all(|finding| finding.probability < 0.5),
            "{diagnosis:?}"
        );
    }

    proptest! {
        #[test]
        fn probabilities_are_such_whatever_is_counted(
            rows in prop::collection::vec((any::<[u16; 5]>(), any::<u64>(), any::<u64>()), 0..30),
            healthy: f64,
        ) {
            let samples: Vec<Sample> = rows
                .into_iter()
                .map(|([endpoint, zone, version, route, method], failures, calls)| Sample {
                    endpoint: endpoint % 4,
                    zone,
                    version: version % 3,
                    route: route % 5,
                    method: method % 2,
                    tally: Tally::new(failures, calls),
                })
                .collect();
            let diagnosis = diagnose(&samples, healthy);
            for finding in diagnosis.causes.iter().chain(&diagnosis.rivals) {
                prop_assert!((0.0..=1.0).contains(&finding.probability), "{:?}", finding);
            }
            prop_assert!(diagnosis.causes.len() <= 3 && diagnosis.rivals.len() <= usize::from(Candidate::SORTS));
        }
    }
}
