//! So many failures in a row.

use super::{Alarm, Fact};
use crate::{Nanos, Sign};

/// Failures in a row, and when the first of them began.
#[derive(Debug)]
pub(crate) struct Consecutive {
    threshold: u32,
    run: u32,
    since: Nanos,
}

impl Consecutive {
    pub(crate) const fn new(threshold: u32) -> Self {
        Self {
            threshold,
            run: 0,
            since: Nanos::ZERO,
        }
    }

    pub(crate) fn record(&mut self, fact: &Fact) -> Option<Alarm> {
        match fact.sign() {
            Sign::Silent => return None,
            Sign::Good => self.run = 0,
            Sign::Bad => {
                // Calls end out of order: the trouble began with the earliest of them.
                self.since = if self.run == 0 {
                    fact.started
                } else {
                    self.since.min(fact.started)
                };
                self.run = self.run.saturating_add(1);
            }
        }
        (self.run >= self.threshold).then_some(Alarm { since: self.since })
    }

    pub(crate) const fn calm(&self) -> bool {
        self.run == 0
    }

    pub(crate) const fn reset(&mut self) {
        self.run = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cause, Outcome};

    fn fact(at: u64, outcome: Outcome) -> Fact {
        Fact {
            started: Nanos::new(at),
            now: Nanos::new(at),
            outcome,
        }
    }

    /// Feeds `signs` one a nanosecond from 1 on, and tells where the first alarm came and since when.
    fn first_alarm(threshold: u32, signs: &str) -> Option<(usize, u64)> {
        let mut rule = Consecutive::new(threshold);
        signs.chars().enumerate().find_map(|(index, sign)| {
            let outcome = match sign {
                'F' => Outcome::Failure(Cause::Error),
                'S' => Outcome::Success,
                _ => Outcome::Cancelled,
            };
            rule.record(&fact(index as u64 + 1, outcome))
                .map(|alarm| (index + 1, alarm.since.as_u64()))
        })
    }

    #[test]
    fn alarms_at_the_threshold_as_finagle_does() {
        assert_eq!(first_alarm(3, "FF"), None);
        assert_eq!(first_alarm(3, "FFF"), Some((3, 1)));
        assert_eq!(first_alarm(3, "FSFF"), None);
        assert_eq!(first_alarm(3, "FSFFF"), Some((5, 3)));
    }

    #[test]
    fn silence_neither_counts_nor_clears() {
        assert_eq!(first_alarm(3, "F.F..F"), Some((6, 1)));
    }

    #[test]
    fn the_trouble_began_with_the_earliest_call_of_the_run() {
        let mut rule = Consecutive::new(2);
        assert_eq!(rule.record(&fact(50, Outcome::Late)), None);
        assert_eq!(
            rule.record(&fact(10, Outcome::Late)),
            Some(Alarm {
                since: Nanos::new(10)
            })
        );
    }
}
