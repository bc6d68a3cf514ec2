//! An average success rate that forgets exponentially.

use std::time::Duration;

use super::{
    Alarm, EwmaPolicy, Fact,
    window::{Call, Flaws, Sliding},
};
use crate::{Nanos, Sign, Window};

/// Finagle's success-rate accrual: the average forgets by `w = e^(−elapsed/window)`, elapsed being time or calls, and
/// is judged only when a call failed, at least a window after the first call.
#[derive(Debug)]
pub(crate) struct Ewma {
    policy: EwmaPolicy,
    /// Weighted share of successes.
    average: f64,
    /// End of the first call, and of the latest; none yet, none.
    seen: Option<(Nanos, Nanos)>,
    recent: Sliding,
    decline: Decline,
}

impl Ewma {
    pub(crate) fn new(policy: EwmaPolicy) -> Self {
        Self {
            policy,
            average: 1.0,
            seen: None,
            recent: Sliding::new(policy.window),
            decline: Decline::default(),
        }
    }

    pub(crate) fn record(&mut self, fact: &Fact) -> Option<Alarm> {
        let failed = match fact.sign() {
            Sign::Silent => return None,
            Sign::Good => false,
            Sign::Bad => true,
        };
        self.recent.push(&Call {
            started: fact.started,
            ended: fact.now,
            flaws: Flaws::default(),
        });
        let elapsed = self.average_in(f64::from(u8::from(!failed)), fact.now);
        let required = self.policy.required.as_f64();
        self.decline.follow(failed, fact.started, required);
        let full = match self.policy.window {
            Window::Calls(calls) => self.recent.tally().calls >= u64::from(calls),
            Window::Span(span) => elapsed >= span,
        };
        let enough = self.recent.tally().calls >= u64::from(self.policy.at_least);
        (failed && full && enough && self.average < required).then_some(Alarm {
            since: self.decline.since,
        })
    }

    pub(crate) const fn calm(&self) -> bool {
        self.decline.over()
    }

    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.policy);
    }

    /// Averages one result in, and tells how long ago the first call ended.
    fn average_in(&mut self, result: f64, now: Nanos) -> Duration {
        let Some((first, last)) = self.seen else {
            self.average = result;
            self.seen = Some((now, now));
            return Duration::ZERO;
        };
        // Calls that end at the same time have no weight beside the first of them; time never runs backwards.
        let now = now.max(last);
        let windows = match self.policy.window {
            Window::Calls(calls) => 1.0 / f64::from(calls.max(1)),
            Window::Span(span) => {
                now.since(last).as_secs_f64() / span.as_secs_f64().max(f64::MIN_POSITIVE)
            }
        };
        let weight = (-windows).exp();
        self.average = result * (1.0 - weight) + self.average * weight;
        self.seen = Some((first, now));
        now.since(first)
    }
}

/// Since when more fail than the rule tolerates: the change-point estimate of Page's CUSUM (Biometrika, 1954), whose
/// reference value is the tolerated share of failures, 1 − required.
///
/// An average alone cannot tell: it decays towards its old value without ever reaching it.
#[derive(Debug, Default)]
struct Decline {
    /// Failures beyond what is tolerated; at zero, the decline is over.
    excess: f64,
    /// Start of the earliest failure since.
    since: Nanos,
}

impl Decline {
    fn follow(&mut self, failed: bool, started: Nanos, required: f64) {
        if failed {
            self.since = if self.over() {
                started
            } else {
                self.since.min(started)
            };
            self.excess += required;
        } else {
            self.excess = (self.excess - (1.0 - required)).max(0.0);
        }
    }

    const fn over(&self) -> bool {
        self.excess <= 0.0
    }
}

#[cfg(test)]
mod tests;
