//! Which bank the traffic asks for.

use super::bank::Bank;

/// Calls between false alarms for which banks are made: two to the decade. Neighbours differ in delay by a twelfth.
const TARGETS: [f64; 15] = [
    1e5,
    3.162_278e5,
    1e6,
    3.162_278e6,
    1e7,
    3.162_278e7,
    1e8,
    3.162_278e8,
    1e9,
    3.162_278e9,
    1e10,
    3.162_278e10,
    1e11,
    3.162_278e11,
    1e12,
];

/// How far the need must have fallen below a lower rung to go down to it. Rates waver; a bank should not.
const SLACK: f64 = 2.0;

/// Banks for one tolerable failure rate, from the most alert to the calmest. All endpoints under a policy share it.
#[derive(Debug)]
pub(crate) struct Ladder([Bank; TARGETS.len()]);

/// Where one endpoint stands on the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rung(usize);

impl Default for Rung {
    /// While the rate of calls is not known: 1e8 calls between false alarms, a month at 40 a second.
    fn default() -> Self {
        Self(6)
    }
}

/// How much traffic must pass, for how long, without a false alarm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quiet {
    /// Calls per second to one endpoint.
    pub(crate) rate: f64,
    /// Seconds in which the policy may expect one false alarm.
    pub(crate) seconds: f64,
    /// Endpoints that share the allowance.
    pub(crate) endpoints: u32,
}

impl Quiet {
    /// Calls to one endpoint between its false alarms: each endpoint has its share of the allowance.
    fn calls(self) -> f64 {
        self.rate * self.seconds * f64::from(self.endpoints)
    }
}

impl Ladder {
    pub(crate) fn new(tolerable: f64) -> Self {
        Self(Bank::designs(tolerable, TARGETS))
    }

    /// The bank at `rung`.
    pub(crate) fn bank(&self, rung: Rung) -> Bank {
        self.0[rung.0.min(TARGETS.len() - 1)]
    }
}

impl Rung {
    /// Where to stand now: up at once when more quiet is needed, down only when much less is. Beyond the top, the top.
    pub(crate) fn step(self, quiet: Quiet) -> Self {
        let need = quiet.calls();
        if need.is_nan() {
            return self;
        }
        Self(self.0.clamp(Self::enough(need), Self::enough(need * SLACK)))
    }

    fn enough(need: f64) -> usize {
        TARGETS
            .iter()
            .position(|target| *target >= need)
            .unwrap_or(TARGETS.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet(calls: f64) -> Quiet {
        Quiet {
            rate: calls / 20.0,
            seconds: 10.0,
            endpoints: 2,
        }
    }

    fn target(rung: Rung) -> f64 {
        TARGETS[rung.0]
    }

    #[test]
    fn begins_at_a_hundred_million_calls() {
        let ladder = Ladder::new(0.01);
        assert_eq!(ladder.bank(Rung::default()), Bank::design(0.01, 1e8));
    }

    #[test]
    fn climbs_at_once_and_descends_with_a_delay() {
        let mut rung = Rung::default();
        for (need, now_at) in [
            (1e8, 1e8),
            (1.01e8, 3.162_278e8),
            (1.6e8, 3.162_278e8),
            (9e7, 3.162_278e8),
            (5.1e7, 3.162_278e8),
            (4.9e7, 1e8),
            (1.0, 1e5),
            (1e30, 1e12),
            (f64::NAN, 1e12),
            (f64::INFINITY, 1e12),
            (-1.0, 1e5),
        ] {
            rung = rung.step(quiet(need));
            assert!(target(rung) == now_at, "{need}: {rung:?}");
        }
    }

    #[test]
    fn every_rung_keeps_its_promise_and_none_is_below_the_one_before() {
        for tolerable in [1e-4, 0.01, 0.3] {
            let ladder = Ladder::new(tolerable);
            for (index, bank) in ladder.0.iter().enumerate() {
                assert!(bank.arl_bound(tolerable) >= TARGETS[index]);
                let before = ladder.0[index.saturating_sub(1)];
                assert!(bank.slow.threshold >= before.slow.threshold);
                assert!(bank.fast.threshold >= before.fast.threshold);
            }
        }
    }
}
