//! Which candidate accounts best for the failures, and how surely.
//!
//! Each hypothesis says that the calls of its causes fail at rates of their own, any rate being as likely as any
//! other, and that all other calls fail at the healthy rate. The likelihood of that has a closed form, a beta
//! function; with a prior for each hypothesis, its share of the sum over all of them is its probability.

use super::candidate::{Candidate, Dimension, Labels, Sample};
use crate::{math::ln_beta, peers::Tally};

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

/// How likely each sort of fault is before any call is seen: shares of 1.
const EVERYTHING: f64 = 0.15;
const SINGLE: f64 = 0.60;
const PAIR: f64 = 0.25;
/// That nothing is wrong, once an alarm has been raised.
const NOTHING: f64 = 1e-3;
/// That there is yet another fault at the same time.
const ANOTHER: f64 = 0.05;
/// The most faults at once that are looked for.
const MOST: usize = 3;
/// Beyond this multiple of the healthy rate a candidate is worth a look.
const RAISED: f64 = 2.0;

/// Weighs every candidate on what `samples` show, given the rate at which healthy calls fail.
pub(crate) fn diagnose(samples: &[Sample], healthy: f64) -> Diagnosis {
    let search = Search::new(samples, healthy);
    let counted = search.labels.count(samples.iter());
    let hypotheses = search.hypotheses(&counted);
    let Some(best) = hypotheses.iter().max_by(|a, b| a.score.total_cmp(&b.score)) else {
        return Diagnosis {
            causes: Vec::new(),
            rivals: Vec::new(),
        };
    };
    let sum: f64 = hypotheses
        .iter()
        .map(|hypothesis| (hypothesis.score - best.score).exp())
        .sum::<f64>()
        + (NOTHING.ln() - best.score).exp();
    let weight = |holds: &dyn Fn(&Candidate) -> bool| -> f64 {
        hypotheses
            .iter()
            .filter(|hypothesis| hypothesis.causes.iter().any(holds))
            .map(|hypothesis| (hypothesis.score - best.score).exp() / sum)
            .sum::<f64>()
            .min(1.0)
    };
    let finding = |candidate: Candidate, named: &[Candidate]| {
        let aliases = search.aliases(candidate, &counted);
        Finding {
            candidate: aliases.first().copied().unwrap_or(candidate),
            probability: weight(&|cause| aliases.contains(cause)),
            here: search.tally(|sample| candidate.covers(sample)),
            elsewhere: search.tally(|sample| {
                !candidate.covers(sample) && !named.iter().any(|cause| cause.covers(sample))
            }),
            ties: aliases.into_iter().skip(1).collect(),
        }
    };
    let causes: Vec<Finding> = if best.score > NOTHING.ln() {
        best.causes
            .iter()
            .map(|cause| finding(*cause, &best.causes))
            .collect()
    } else {
        Vec::new()
    };
    let taken = |candidate: &Candidate| {
        causes
            .iter()
            .any(|cause| cause.candidate == *candidate || cause.ties.contains(candidate))
    };
    let mut rivals: Vec<Finding> = Vec::new();
    for sort in 0..Candidate::SORTS {
        let weighed = counted
            .iter()
            .map(|(candidate, _)| *candidate)
            .filter(|candidate| candidate.sort() == sort && !taken(candidate))
            .map(|candidate| (weight(&|cause| *cause == candidate), candidate));
        if let Some((_, likeliest)) = weighed.max_by(|a, b| a.0.total_cmp(&b.0)) {
            let rival = finding(likeliest, &[]);
            if !rivals
                .iter()
                .any(|other| other.candidate == rival.candidate)
            {
                rivals.push(rival);
            }
        }
    }
    rivals.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    Diagnosis { causes, rivals }
}

/// One account of all failures.
#[derive(Clone, Debug)]
struct Hypothesis {
    causes: Vec<Candidate>,
    /// The logarithm of prior times likelihood, over the likelihood that nothing is wrong.
    score: f64,
}

impl Hypothesis {
    fn says_what(&self, other: &Self) -> bool {
        self.causes.len() == other.causes.len()
            && self.causes.iter().all(|cause| other.causes.contains(cause))
    }
}

struct Search<'a> {
    samples: &'a [Sample],
    labels: Labels,
    healthy: f64,
    /// Dimensions that divide the calls, and those of them that go with a route.
    dividing: usize,
    pairing: usize,
}

impl<'a> Search<'a> {
    fn new(samples: &'a [Sample], healthy: f64) -> Self {
        let labels = Labels::of(samples);
        let divides = |dimension: &&Dimension| labels.distinct(**dimension) > 1;
        let pairing = if labels.distinct(Dimension::Route) > 1 {
            Dimension::WITH_ROUTE.iter().filter(divides).count()
        } else {
            0
        };
        Self {
            samples,
            dividing: Dimension::ALL.iter().filter(divides).count(),
            pairing,
            // Below 1e-4 a single stray failure would convict; above a half nothing could.
            healthy: if healthy.is_nan() {
                1e-4
            } else {
                healthy.clamp(1e-4, 0.5)
            },
            labels,
        }
    }

    /// Every single cause; and from the best of each sort on, what explains the rest best: anything, or more of the
    /// same sort, for "two endpoints" may be the truth where a zone explains more at a stroke.
    fn hypotheses(&self, counted: &[(Candidate, Tally)]) -> Vec<Hypothesis> {
        let mut singles = self.score(counted);
        singles.sort_by(|a, b| b.1.total_cmp(&a.1));
        let mut found: Vec<Hypothesis> = singles
            .iter()
            .map(|(candidate, score)| Hypothesis {
                causes: vec![*candidate],
                score: *score,
            })
            .collect();
        for sort in 0..Candidate::SORTS {
            let best = singles
                .iter()
                .find(|(start, _)| start.sort() == sort && *start != Candidate::Everything);
            let Some((start, score)) = best else { continue };
            for alike in [true, false] {
                let mut chain = Hypothesis {
                    causes: vec![*start],
                    score: *score,
                };
                while chain.causes.len() < MOST && self.extend(&mut chain, alike) {
                    if !found.iter().any(|other| other.says_what(&chain)) {
                        found.push(chain.clone());
                    }
                }
            }
        }
        found
    }

    /// Adds the cause that explains best what a hypothesis leaves unexplained, if any does.
    fn extend(&self, chain: &mut Hypothesis, alike: bool) -> bool {
        let left = self
            .samples
            .iter()
            .filter(|sample| !chain.causes.iter().any(|cause| cause.covers(sample)));
        let sort = chain.causes.first().map(|start| start.sort());
        let next = self
            .score(&self.labels.count(left))
            .into_iter()
            .filter(|(candidate, _)| *candidate != Candidate::Everything)
            .filter(|(candidate, _)| !alike || Some(candidate.sort()) == sort)
            .max_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((candidate, score)) = next {
            chain.causes.push(candidate);
            chain.score += score + ANOTHER.ln();
        }
        next.is_some()
    }

    /// The score of every candidate whose failures are raised.
    fn score(&self, counted: &[(Candidate, Tally)]) -> Vec<(Candidate, f64)> {
        counted
            .iter()
            .filter(|(_, tally)| tally.failures as f64 > RAISED * self.healthy * tally.calls as f64)
            .filter_map(|(candidate, tally)| {
                let prior = self.ln_prior(*candidate)?;
                Some((*candidate, evidence(*tally, self.healthy) + prior))
            })
            .collect()
    }

    /// Every dimension that divides the calls is as likely as any other, and so is every label within it: else a
    /// dimension of many labels would drown the others. None if it names nothing that [`Candidate::Everything`] does not.
    fn ln_prior(&self, candidate: Candidate) -> Option<f64> {
        let labels = |dimension| self.labels.distinct(dimension);
        let (share, among) = match candidate {
            Candidate::Everything => (EVERYTHING, 1),
            Candidate::Single(dimension, _) if labels(dimension) > 1 => {
                (SINGLE, self.dividing * labels(dimension))
            }
            Candidate::Pair { with, .. } if labels(with) > 1 && labels(Dimension::Route) > 1 => {
                (PAIR, self.pairing * labels(with) * labels(Dimension::Route))
            }
            _ => return None,
        };
        Some((share / among as f64).ln())
    }

    /// All names of a candidate's calls, the one to be told first in front.
    fn aliases(&self, candidate: Candidate, counted: &[(Candidate, Tally)]) -> Vec<Candidate> {
        let own = self.tally(|sample| candidate.covers(sample));
        let mut aliases: Vec<Candidate> = counted
            .iter()
            .filter(|(_, tally)| *tally == own)
            .map(|(other, _)| *other)
            .filter(|other| {
                self.samples.iter().all(|sample| {
                    sample.tally.calls == 0 || other.covers(sample) == candidate.covers(sample)
                })
            })
            .collect();
        aliases.sort_by_key(|alias| (alias.sort(), *alias));
        aliases
    }

    fn tally(&self, belongs: impl Fn(&Sample) -> bool) -> Tally {
        self.samples
            .iter()
            .filter(|sample| belongs(sample))
            .fold(Tally::default(), |sum, sample| sum.plus(sample.tally))
    }
}

/// The logarithm of how much better a rate of its own accounts for a tally than the healthy rate does, any rate being
/// as likely as any other: `ln B(1+f, 1+n−f) − f·ln p₀ − (n−f)·ln(1−p₀)`.
fn evidence(tally: Tally, healthy: f64) -> f64 {
    let (failures, successes) = (tally.failures as f64, (tally.calls - tally.failures) as f64);
    ln_beta(1.0 + failures, 1.0 + successes)
        - failures * healthy.ln()
        - successes * (-healthy).ln_1p()
}
