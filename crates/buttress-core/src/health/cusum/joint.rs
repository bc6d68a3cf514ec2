//! How long both counters run together, solved exactly.

use super::bank::Bank;

/// A walk of more states is not solved: see [`Bank::delay`].
const MOST_STATES: usize = 1 << 20;

impl Bank {
    /// Mean calls from zero until the alarm at the failure rate `p`, to about ten digits: the time between false alarms
    /// at the tolerable rate, the delay of the alarm at a worse one. It takes milliseconds, for 0.1 % nearly a second.
    ///
    /// Where the two counters have more than a million states together, an estimate from their own run lengths: where
    /// alarms are chance, the bound, too short by about a hundredth; else the shorter, too long by about a tenth.
    pub(crate) fn delay(&self, p: f64) -> f64 {
        let single = self.slow.arl(p).min(self.fast.arl(p));
        if single <= 0.0 || single.is_infinite() {
            return single;
        }
        let states = u64::from(self.slow.threshold) * u64::from(self.fast.threshold);
        if states <= MOST_STATES as u64 {
            Pair::new(self, p.min(1.0)).run()
        } else if self.slow.steps.sinks(p) {
            self.arl_bound(p)
        } else {
            single
        }
    }
}

/// The joint walk from both at zero until an alarm or the first return there: mean length and probability of an alarm.
/// Both are small sums of positive terms, however long the run of which they are a part.
struct Pair {
    p: f64,
    slow: [usize; 2],
    fast: [usize; 2],
    height: usize,
    width: usize,
    /// For each state, row by row: mean calls to the end of the cycle, probability that an alarm ends it.
    states: Vec<[f64; 2]>,
}

impl Pair {
    fn new(bank: &Bank, p: f64) -> Self {
        let [slow, fast] = bank
            .counters()
            .map(|counter| [counter.steps.up as usize, counter.steps.down as usize]);
        let (height, width) = (bank.slow.threshold as usize, bank.fast.threshold as usize);
        Self {
            p,
            slow,
            fast,
            height,
            width,
            states: vec![[0.0; 2]; height * width],
        }
    }

    /// Gauss and Seidel's iteration, from below. Rows ascend, so a sweep takes in all the successes up to the next
    /// failure; it needs about as many sweeps as a cycle has failures.
    fn run(mut self) -> f64 {
        let mut before = f64::INFINITY;
        for _ in 0..10_000 {
            for row in 0..self.height {
                for column in 0..self.width {
                    self.states[row * self.width + column] = self.after_call(row, column);
                }
            }
            // The first call fails or the cycle is over, as a call that succeeds at zero stays there.
            let [time, alarm] = self.after_call(0, 0);
            let run = time / alarm;
            if (run - before).abs() <= 1e-13 * run {
                return run;
            }
            before = run;
        }
        before
    }

    fn after_call(&self, row: usize, column: usize) -> [f64; 2] {
        let (p, q) = (self.p, 1.0 - self.p);
        let below = (
            row.saturating_sub(self.slow[1]),
            column.saturating_sub(self.fast[1]),
        );
        let above = (row + self.slow[0], column + self.fast[0]);
        let good = match below {
            (0, 0) => [0.0, 0.0],
            (row, column) => self.states[row * self.width + column],
        };
        let bad = match above {
            (row, column) if row < self.height && column < self.width => {
                self.states[row * self.width + column]
            }
            _ => [0.0, 1.0],
        };
        [1.0 + q * good[0] + p * bad[0], q * good[1] + p * bad[1]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_as_long_as_a_sparse_solve_of_the_chain_says() {
        // scipy's sparse LU of the same 9 747 equations.
        let bank = Bank::design(0.01, 1e8);
        for (p, want) in [
            (0.01, 101_801_429.4),
            (0.02, 25_674.752_41),
            (0.05, 351.008_747_3),
            (0.1, 120.414_312_1),
            (0.2, 45.322_066_99),
            (0.5, 11.196_225_55),
            (1.0, 5.0),
        ] {
            let got = bank.delay(p);
            assert!((got / want - 1.0).abs() < 1e-8, "{p}: {got} {want}");
        }
    }

    #[test]
    fn the_bound_is_one() {
        for tolerable in [0.01, 0.05, 0.2, 0.5] {
            let bank = Bank::design(tolerable, 1e6);
            let (run, bound) = (bank.delay(tolerable), bank.arl_bound(tolerable));
            assert!(
                run >= bound && run < 1.1 * bound,
                "{tolerable}: {run} {bound}"
            );
        }
    }

    #[test]
    fn a_bank_too_large_to_solve_is_estimated() {
        let bank = Bank::design(1e-4, 1e8);
        for p in [1e-5, 1e-4, 5e-4, 1e-2, 1.0] {
            let (got, low) = (bank.delay(p), bank.arl_bound(p));
            let high = bank.slow.arl(p).min(bank.fast.arl(p));
            assert!((low..=high).contains(&got), "{p}: {got}");
        }
    }

    #[test]
    fn nonsense_neither_hangs_nor_panics() {
        let bank = Bank::design(0.01, 1e5);
        assert!(bank.delay(0.0).is_infinite());
        assert!(bank.delay(-1.0).is_infinite());
        assert!(bank.delay(f64::NAN) == 0.0);
        assert!(bank.delay(2.0) == bank.delay(1.0));
    }
}
