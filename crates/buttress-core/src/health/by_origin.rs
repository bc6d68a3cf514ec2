//! So many failures in a row, local and remote ones counted apart.

use super::{Alarm, Fact, consecutive::Consecutive};
use crate::{Origin, Sign};

/// Two runs of failures, as Envoy counts with `split_external_local_origin_errors`.
///
/// An answer, even a failed one, shows that the wire works: a remote failure ends the run of local ones. A local
/// failure says nothing of what would have been answered, and leaves the run of remote ones alone.
#[derive(Debug)]
pub(crate) struct ByOrigin {
    local: Consecutive,
    remote: Consecutive,
}

impl ByOrigin {
    pub(crate) const fn new(threshold: u32) -> Self {
        Self {
            local: Consecutive::new(threshold),
            remote: Consecutive::new(threshold),
        }
    }

    pub(crate) fn record(&mut self, fact: &Fact) -> Option<Alarm> {
        match (fact.sign(), fact.outcome.origin()) {
            (Sign::Bad, Some(Origin::Local)) => self.local.record(fact),
            (Sign::Bad, _) => {
                self.local.reset();
                self.remote.record(fact)
            }
            (Sign::Good, _) => {
                self.reset();
                None
            }
            (Sign::Silent, _) => None,
        }
    }

    pub(crate) const fn calm(&self) -> bool {
        self.local.calm() && self.remote.calm()
    }

    pub(crate) const fn reset(&mut self) {
        self.local.reset();
        self.remote.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cause, Nanos, Outcome};

    /// `L`ocal and `R`emote failures, `S`uccesses, and `.` for a cancelled call: where and since when the alarm came.
    fn first_alarm(threshold: u32, calls: &str) -> Option<(usize, u64)> {
        let mut rule = ByOrigin::new(threshold);
        calls.chars().enumerate().find_map(|(index, call)| {
            let at = Nanos::new(index as u64 + 1);
            let outcome = match call {
                'L' => Outcome::Failure(Cause::Connect),
                'R' => Outcome::Failure(Cause::Error),
                'S' => Outcome::Success,
                _ => Outcome::Cancelled,
            };
            let fact = Fact {
                started: at,
                now: at,
                outcome,
            };
            rule.record(&fact)
                .map(|alarm| (index + 1, alarm.since.as_u64()))
        })
    }

    #[test]
    fn each_origin_has_a_run_of_its_own_as_in_envoy() {
        for (calls, alarm) in [
            ("LLL", Some((3, 1))),
            ("RRR", Some((3, 1))),
            ("LLR", None),
            ("LLRLL", None),
            ("RRLR", Some((4, 1))),
            ("LLRLLL", Some((6, 4))),
            ("LRLRLR", Some((6, 2))),
            ("RRSR", None),
            ("LLSLL", None),
            ("L.L.L", Some((5, 1))),
        ] {
            assert_eq!(first_alarm(3, calls), alarm, "{calls}");
        }
    }
}
