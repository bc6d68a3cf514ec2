//! How much evidence is enough here.

use crate::{
    Rules,
    health::{Bank, Ladder, Quiet, Rung},
    sync::Arc,
};

/// Late calls come on top of what is tolerable: thresholds are solved for both together, in steps of this share so
/// that they stand still while the share wavers.
const LATE_STEP: f64 = 0.000_5;

/// More late calls than this are not the age's doing, and evidence.
const LATE_MOST: f64 = 0.005;

/// Thresholds, as measured traffic asks for them.
#[derive(Debug)]
pub(crate) struct Vigilance {
    tolerable: f64,
    seconds: f64,
    late_steps: u32,
    ladder: Arc<Ladder>,
    rung: Rung,
}

impl Vigilance {
    pub(crate) fn new(rules: &Rules) -> Self {
        let tolerable = rules.tolerable.as_f64();
        Self {
            tolerable,
            seconds: rules.false_alarm_every.as_secs_f64(),
            late_steps: 0,
            ladder: Ladder::of(tolerable),
            rung: Rung::default(),
        }
    }

    pub(crate) fn bank(&self) -> Bank {
        self.ladder.bank(self.rung)
    }

    /// Adapts to `rate` calls a second to each of `endpoints`, of which the share `late` is late though all is well.
    /// Gives the new thresholds if they change.
    pub(crate) fn adapt(&mut self, rate: f64, endpoints: usize, late: f64) -> Option<Bank> {
        let before = self.bank();
        // Up as soon as a step is exceeded, down only when it is by more than one too many. No number is no step.
        let steps = (late.clamp(0.0, LATE_MOST) / LATE_STEP).ceil() as u32;
        if steps > self.late_steps || steps + 1 < self.late_steps {
            self.late_steps = steps;
            self.ladder = Ladder::of(self.tolerable + f64::from(steps) * LATE_STEP);
        }
        self.rung = self.rung.step(Quiet {
            rate,
            seconds: self.seconds,
            endpoints: u32::try_from(endpoints).unwrap_or(u32::MAX),
        });
        Some(self.bank()).filter(|bank| *bank != before)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn vigilance() -> Vigilance {
        Vigilance::new(&Rules::default())
    }

    #[test]
    fn more_traffic_asks_for_more_evidence_and_less_for_less() {
        let mut vigilance = vigilance();
        let before = vigilance.bank().slow.threshold;
        // 100 calls a second to three endpoints, one false alarm a month: 7.8e8 calls each.
        let busy = vigilance.adapt(100.0, 3, 0.0).unwrap().slow.threshold;
        assert!(busy > before, "{busy} {before}");
        assert_eq!(vigilance.adapt(90.0, 3, 0.0), None);
        let idle = vigilance.adapt(0.01, 3, 0.0).unwrap().slow.threshold;
        assert!(idle < before, "{idle} {before}");
    }

    #[test]
    fn late_calls_of_good_times_are_allowed_for() {
        let mut vigilance = vigilance();
        vigilance.adapt(100.0, 3, 0.0);
        let without = vigilance.bank();
        let with = vigilance.adapt(100.0, 3, 0.001).unwrap();
        assert!(with.arl_bound(0.011) > without.arl_bound(0.011));
        // It does not go back and forth with a wavering share, and no number changes nothing.
        for late in [0.0009, 0.001, 0.0007, f64::NAN, f64::INFINITY] {
            let _ = vigilance.adapt(100.0, 3, late);
        }
        assert!(vigilance.late_steps <= 10);
    }
}
