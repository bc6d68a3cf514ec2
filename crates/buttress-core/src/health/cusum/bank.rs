//! Two counters, one for slow trouble and one for fast.

use super::solve::{Steps, arl, thresholds};

/// One CUSUM counter: how it moves, and where it trips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counter {
    pub(crate) steps: Steps,
    pub(crate) threshold: u32,
}

/// Two counters that hear the same calls; whichever trips first raises the alarm.
///
/// One counter is best at one failure rate. Two, a factor of 20 in odds apart, are at most a third slower than the best at
/// any rate from 5 times the tolerable one, and at most rates within a tenth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bank {
    /// The failure rate it puts up with.
    pub(crate) tolerable: f64,
    pub(crate) slow: Counter,
    pub(crate) fast: Counter,
}

/// The odds of a failure, in multiples of the tolerable odds, for which each counter is made: those of 5 % and 50 %
/// to 1 %. Odds rather than rates, so that one rule does for every tolerable rate and never asks for more than 100 %:
///
/// | tolerable | slow   | fast |
/// |----------:|-------:|-----:|
/// |    0.01 % | 0.05 % |  1 % |
/// |     0.1 % |  0.5 % |  9 % |
/// |       1 % |    5 % | 50 % |
/// |       5 % |   22 % | 84 % |
/// |      20 % |   57 % | 96 % |
/// |      50 % |   84 % | 99 % |
const SLOW: f64 = odds(0.05) / odds(0.01);
const FAST: f64 = odds(0.5) / odds(0.01);

const fn odds(rate: f64) -> f64 {
    rate / (1.0 - rate)
}

impl Bank {
    /// The bank that at the failure rate `tolerable` runs for at least `target` calls between alarms.
    pub(crate) fn design(tolerable: f64, target: f64) -> Self {
        let [bank] = Self::designs(tolerable, [target]);
        bank
    }

    /// Banks for ascending targets, at the price of one.
    pub(crate) fn designs<const N: usize>(tolerable: f64, targets: [f64; N]) -> [Self; N] {
        let tolerable = Self::sane(tolerable);
        // Each false alarm is one of either counter: at half the frequency each, they keep to the target together.
        let singles = targets.map(|target| 2.0 * target);
        let counters = |factor: f64| {
            let odds = factor * odds(tolerable);
            let steps = Steps::between(tolerable, odds / (1.0 + odds));
            thresholds(steps, tolerable, singles).map(|threshold| Counter { steps, threshold })
        };
        let (slow, fast) = (counters(SLOW), counters(FAST));
        std::array::from_fn(|index| Self {
            tolerable,
            slow: slow[index],
            fast: fast[index],
        })
    }

    /// The tolerable rate a bank can be made for: one in 10 000 to one in two. Below, a counter would have to remember
    /// more than it will live to see; above, it is not failures that are the exception. Nonsense counts as 1 %.
    fn sane(tolerable: f64) -> f64 {
        if tolerable.is_nan() {
            0.01
        } else {
            tolerable.clamp(1e-4, 0.5)
        }
    }

    /// Calls until the alarm, from zero, at the failure rate `p`: never fewer than this at the tolerable rate or below,
    /// where alarms are rare and the counters trip at most as often together as one by one.
    pub(crate) fn arl_bound(&self, p: f64) -> f64 {
        let [slow, fast] = self.counters().map(|counter| counter.arl(p));
        (slow.recip() + fast.recip()).recip()
    }

    pub(crate) const fn counters(&self) -> [Counter; 2] {
        [self.slow, self.fast]
    }
}

impl Counter {
    /// Average run length from zero at the failure rate `p`.
    pub(crate) fn arl(self, p: f64) -> f64 {
        arl(self.steps, self.threshold, p)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(bank: &Bank) -> [(u32, u32, u32); 2] {
        bank.counters()
            .map(|Counter { steps, threshold }| (steps.up, steps.down, threshold))
    }

    #[test]
    fn designs_the_banks_of_the_tables() {
        for (target, slow, fast) in [
            (1e6, 249, 20),
            (1e7, 305, 24),
            (1e8, 361, 27),
            (2.592e8, 384, 29),
            (7.776e8, 411, 30),
            (1e9, 417, 31),
            (1e10, 472, 35),
        ] {
            let bank = Bank::design(0.01, target);
            assert_eq!(rule(&bank), [(39, 1, slow), (6, 1, fast)], "{target}");
        }
    }

    #[test]
    fn is_near_the_best_at_every_rate_and_keeps_to_its_target() {
        for tolerable in [1e-4, 1e-3, 0.01, 0.05, 0.2, 0.5] {
            let bank = Bank::design(tolerable, 1e8);
            let run = bank.arl_bound(tolerable);
            assert!((1e8..2e8).contains(&run), "{tolerable}: {run}");
            for factor in [SLOW, 10.0, 22.0, 50.0, FAST, 1e6] {
                let odds = factor * odds(tolerable);
                let p = odds / (1.0 + odds);
                let best = (0..24)
                    .map(|step| {
                        let odds = odds * 0.5 * 1.06_f64.powi(step);
                        let steps = Steps::between(tolerable, odds / (1.0 + odds));
                        let [threshold] = thresholds(steps, tolerable, [1e8]);
                        arl(steps, threshold, p)
                    })
                    .fold(f64::INFINITY, f64::min);
                let delay = bank.slow.arl(p).min(bank.fast.arl(p));
                assert!(delay < 1.45 * best + 1.0, "{tolerable} {p}: {delay} {best}");
            }
        }
    }

    #[test]
    fn a_total_outage_is_noticed_within_a_few_calls() {
        for (tolerable, calls) in [
            (1e-4, 3.0),
            (1e-3, 4.0),
            (0.01, 5.0),
            (0.05, 7.0),
            (0.2, 12.0),
        ] {
            let bank = Bank::design(tolerable, 1e8);
            let noticed = bank.fast.arl(1.0).min(bank.slow.arl(1.0));
            assert!((noticed - calls).abs() < 1e-9, "{tolerable}: {noticed}");
        }
    }

    #[test]
    fn nonsense_is_made_sane() {
        assert_eq!(Bank::design(f64::NAN, 1e8), Bank::design(0.01, 1e8));
        assert_eq!(Bank::design(-1.0, 1e8), Bank::design(1e-4, 1e8));
        assert_eq!(Bank::design(7.0, 1e8), Bank::design(0.5, 1e8));
        for target in [f64::NAN, 0.0, -1.0, f64::INFINITY] {
            assert!(Bank::design(0.01, target).slow.threshold >= 1);
        }
    }
}
