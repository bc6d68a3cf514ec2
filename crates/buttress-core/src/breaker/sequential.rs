//! Is it well again, or still ill? As few probes as an answer takes.

/// The failure rate of an endpoint that is well, and that of one that is still ill.
const WELL: f64 = 0.01;
const ILL: f64 = 0.5;

/// The chance of a wrong answer, either way.
const WRONG: f64 = 0.01;

/// Wald's sequential probability ratio test (Annals of Mathematical Statistics 1945). At one failure in a hundred against one in two
/// seven good probes in a row say that it is well, two bad ones that it is ill; half-ill it passes once in 125 times.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sequential {
    /// The logarithm of the likelihood of ill over well.
    score: f64,
}

/// What the probes so far come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Well,
    Ill,
}

impl Sequential {
    /// Takes one probe into account. No answer yet, if none.
    pub(super) fn observe(&mut self, good: bool) -> Option<Answer> {
        self.score += if good {
            ((1.0 - ILL) / (1.0 - WELL)).ln()
        } else {
            (ILL / WELL).ln()
        };
        let enough = ((1.0 - WRONG) / WRONG).ln();
        if self.score <= -enough {
            Some(Answer::Well)
        } else {
            (self.score >= enough).then_some(Answer::Ill)
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::random::{Draws, unit};

    /// How many probes it took, and what they said.
    fn probes(mut good: impl FnMut() -> bool) -> (usize, Answer) {
        let mut test = Sequential::default();
        let mut count = 0;
        loop {
            count += 1;
            if let Some(answer) = test.observe(good()) {
                return (count, answer);
            }
        }
    }

    #[test]
    fn seven_good_ones_or_two_bad_ones_settle_it() {
        assert_eq!(probes(|| true), (7, Answer::Well));
        assert_eq!(probes(|| false), (2, Answer::Ill));
    }

    #[test]
    fn it_is_as_rarely_wrong_and_as_quick_as_wald_says() {
        let run = |rate: f64| {
            let mut draws = Draws::seeded(7);
            let runs: Vec<_> = (0..20_000)
                .map(|_| probes(|| unit(draws.next()) >= rate))
                .collect();
            let passed = runs
                .iter()
                .filter(|(_, answer)| *answer == Answer::Well)
                .count();
            let probes: usize = runs.iter().map(|(count, _)| count).sum();
            (passed as f64 / 20_000.0, probes as f64 / 20_000.0)
        };
        // 0.5^7, and more for paths that fail once: science gives 0.008, and 7.5 probes on average for one that is well.
        let (passed, _) = run(0.5);
        assert!((0.006..0.011).contains(&passed), "{passed}");
        let (passed, probes) = run(0.01);
        assert!(
            passed > 0.99 && (7.2..7.9).contains(&probes),
            "{passed} {probes}"
        );
    }
}
