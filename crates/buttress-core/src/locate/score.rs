//! Which candidate accounts best for the failures, and how surely.
//!
//! Each hypothesis says that the calls of its causes fail at rates of their own, any rate being as likely as any
//! other, and that all other calls fail at the healthy rate. The likelihood of that has a closed form, a beta
//! function; with a prior for each hypothesis, its share of the sum over all of them is its probability.

use super::candidate::{Candidate, Dimension, Labels, Sample};
use crate::{
    math::{jeffreys_mean, ln_beta},
    peers::Tally,
};

/// How likely each sort of fault is before any call is seen: shares of 1.
const EVERYTHING: f64 = 0.15;
const SINGLE: f64 = 0.60;
const PAIR: f64 = 0.25;
/// That nothing is wrong, once an alarm has been raised.
pub(super) const NOTHING: f64 = 1e-3;
/// That there is yet another fault at the same time.
const ANOTHER: f64 = 0.05;
/// The most faults at once that are looked for.
const MOST: usize = 3;
/// Beyond this multiple of the healthy rate a candidate is worth a look.
const RAISED: f64 = 2.0;

/// No healthy rate is taken to be lower: below it a single stray failure would convict whom it met.
const LOWEST: f64 = 1e-4;

/// The rate at which calls fail when all is well, from calls before the trouble began: Jeffreys' mean, but no more
/// than is tolerable unless more was seen, for of few calls that mean is far too high.
pub(crate) fn healthy_rate(before: Tally, tolerable: f64) -> f64 {
    let most = before.rate().unwrap_or(0.0).max(tolerable);
    jeffreys_mean(before.failures, before.calls)
        .min(most)
        .max(LOWEST)
}

/// One account of all failures.
#[derive(Clone, Debug)]
pub(super) struct Hypothesis {
    pub(super) causes: Vec<Candidate>,
    /// The logarithm of prior times likelihood, over the likelihood that nothing is wrong.
    pub(super) score: f64,
}

impl Hypothesis {
    fn says_what(&self, other: &Self) -> bool {
        self.causes.len() == other.causes.len()
            && self.causes.iter().all(|cause| other.causes.contains(cause))
    }
}

/// The search for hypotheses that explain what `samples` show.
#[derive(Debug)]
pub(super) struct Search<'a> {
    samples: &'a [Sample],
    labels: &'a Labels,
    healthy: f64,
    /// How many labels, and how many pairs of them, name less than everything.
    singles: usize,
    pairs: usize,
}

impl<'a> Search<'a> {
    pub(super) fn new(samples: &'a [Sample], labels: &'a Labels, healthy: f64) -> Self {
        let among = |dimensions: &[Dimension]| -> usize {
            let distinct = dimensions.iter().map(|one| labels.distinct(*one));
            distinct.filter(|labels| *labels > 1).sum()
        };
        Self {
            samples,
            singles: among(&Dimension::ALL),
            pairs: labels.distinct(Dimension::Route) * among(&Dimension::WITH_ROUTE),
            // Above a half nothing could stand out.
            healthy: if healthy.is_nan() {
                LOWEST
            } else {
                healthy.clamp(LOWEST, 0.5)
            },
            labels,
        }
    }

    /// Every single cause; and from the best of each sort on, what explains the rest best: anything, or more of the
    /// same sort, for "two endpoints" may be the truth where a zone explains more at a stroke.
    pub(super) fn hypotheses(&self, counted: &[(Candidate, Tally)]) -> Vec<Hypothesis> {
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

    /// Every candidate of a depth is as likely as any other. None if it names no less than everything.
    fn ln_prior(&self, candidate: Candidate) -> Option<f64> {
        let divides = |dimension| self.labels.distinct(dimension) > 1;
        let (share, among) = match candidate {
            Candidate::Everything => (EVERYTHING, 1),
            Candidate::Single(dimension, _) if divides(dimension) => (SINGLE, self.singles),
            Candidate::Pair { with, .. } if divides(with) && divides(Dimension::Route) => {
                (PAIR, self.pairs)
            }
            _ => return None,
        };
        Some((share / among as f64).ln())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_that_of_the_worked_examples() {
        for (failures, calls, healthy, expected) in [
            (12, 30, 0.002, 52.901_769_380),
            (3, 400, 0.002, -2.730_460_572),
            (25, 60, 0.01, 72.881_749_943),
            (1, 5, 0.01, 1.244_174_148),
        ] {
            let found = evidence(Tally::new(failures, calls), healthy);
            assert!(
                (found - expected).abs() < 1e-8,
                "{failures} of {calls}: {found}"
            );
        }
    }

    #[test]
    fn the_healthy_rate_is_what_was_seen_and_never_nothing() {
        for (failures, calls, expected) in [
            (9, 9_999, 0.000_95),
            (0, 1_000_000, 1e-4),
            (0, 20, 0.01),
            (0, 0, 0.01),
            (500, 9_999, 500.0 / 9_999.0),
        ] {
            let found = healthy_rate(Tally::new(failures, calls), 0.01);
            assert!(
                (found - expected).abs() < 1e-12,
                "{failures} of {calls}: {found}"
            );
        }
    }

    #[test]
    fn priors_add_up_to_one_over_what_divides_the_calls() {
        let samples: Vec<Sample> = (0..60_u16)
            .map(|index| Sample {
                endpoint: index % 5 + 1,
                zone: 1,
                version: index % 2 + 1,
                route: index % 3 + 1,
                method: 0,
                tally: Tally::new(1, 2),
            })
            .collect();
        let labels = Labels::of(&samples);
        let search = Search::new(&samples, &labels, 0.01);
        let sum: f64 = labels
            .count(samples.iter())
            .iter()
            .filter_map(|(candidate, _)| search.ln_prior(*candidate))
            .map(f64::exp)
            .sum();
        assert!((sum - 1.0).abs() < 1e-12, "{sum}");
        // A zone that is everywhere is no narrower a place than everywhere.
        assert_eq!(search.ln_prior(Candidate::Single(Dimension::Zone, 1)), None);
    }
}
