//! Coming back by degrees, as fast as calls go well.

use std::time::Duration;

use super::policy::RampPolicy;
use crate::{Nanos, math::at_least};

/// How long one degree lasts at least.
const STEP: Duration = Duration::from_millis(500);

/// A degree in which as many calls failed and none went well ends it.
const CLEARLY_ILL: u32 = 3;

/// Failures this rare at the tolerable rate hold it back. At many calls a second there are some in every degree, however
/// well it is.
const TROUBLE: f64 = 0.01;

/// The share of calls that an endpoint gets on its way back, and how they went since it was last changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ramp {
    policy: RampPolicy,
    /// The share of calls that may fail.
    tolerable: f64,
    share: f64,
    began: Nanos,
    good: u32,
    bad: u32,
    /// Has a call been let through in this degree? The first always is: without any, it would never end.
    tried: bool,
}

/// What a call on the way back comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It goes on.
    On,
    /// It has its full share.
    Full,
    /// It is clearly ill.
    Ill,
}

impl Ramp {
    pub(super) const fn new(policy: RampPolicy, tolerable: f64, now: Nanos) -> Self {
        Self {
            share: policy.from.as_f64(),
            policy,
            tolerable,
            began: now,
            good: 0,
            bad: 0,
            tried: false,
        }
    }

    pub(super) const fn share(&self) -> f64 {
        self.share
    }

    /// May a call through, `draw` being one of 0 to 1?
    pub(super) fn admits(&mut self, draw: f64) -> bool {
        let first = !std::mem::replace(&mut self.tried, true);
        first || draw < self.share
    }

    /// Would one more failed call make it clearly ill?
    pub(super) const fn on_the_brink(&self) -> bool {
        self.good == 0 && self.bad + 1 >= CLEARLY_ILL
    }

    /// It is clearly ill, and must be borne: back to where it began.
    pub(super) const fn stay(&mut self, now: Nanos) {
        *self = Self::new(self.policy, self.tolerable, now);
    }

    /// When the present degree ends at the soonest.
    pub(super) fn ends(&self) -> Nanos {
        self.began.after(STEP)
    }

    /// Do no more calls fail than may?
    fn goes_well(&self) -> bool {
        let (bad, calls) = (
            u64::from(self.bad),
            u64::from(self.good) + u64::from(self.bad),
        );
        // Of so few calls that none was to fail, one that does is news.
        let awaited = self.tolerable * calls as f64 >= 1.0;
        bad == 0 || (awaited && at_least(bad, calls, self.tolerable) >= TROUBLE)
    }

    /// Takes one call into account. Clocked by calls that go well, not by time alone: without any, nothing grows.
    pub(super) fn observe(&mut self, now: Nanos, good: bool) -> Turn {
        if good {
            self.good = self.good.saturating_add(1);
        } else {
            self.bad = self.bad.saturating_add(1);
        }
        if self.good == 0 && self.bad >= CLEARLY_ILL {
            return Turn::Ill;
        }
        if now < self.ends() {
            return Turn::On;
        }
        self.share = if self.goes_well() {
            (self.share * self.policy.factor).min(1.0)
        } else {
            // Cut in proportion to what failed, by half at most, never below where it began.
            let part = f64::from(self.good) / f64::from(self.good.saturating_add(self.bad));
            (self.share * (0.95 * part).max(0.5)).max(self.policy.from.as_f64())
        };
        (self.began, self.good, self.bad, self.tried) = (now, 0, 0, false);
        if self.share >= 1.0 {
            Turn::Full
        } else {
            Turn::On
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::Ratio;

    fn at(millis: u64) -> Nanos {
        Nanos::ZERO.after(Duration::from_millis(millis))
    }

    fn ramp(from: u32) -> Ramp {
        let policy = RampPolicy {
            from: Ratio::percent(from),
            factor: 1.25,
        };
        Ramp::new(policy, 0.01, Nanos::ZERO)
    }

    #[test]
    fn grows_by_a_quarter_each_half_second_in_which_calls_go_well_to_the_full_share_in_seven() {
        let mut ramp = ramp(5);
        let ended = (1..=100).find(|step| ramp.observe(at(500 * step), true) == Turn::Full);
        assert_eq!(ended, Some(14), "0.05 · 1.25^14 is the first of at least 1");
    }

    #[test]
    fn many_good_calls_in_one_degree_are_one_degree() {
        let mut ramp = ramp(20);
        (0..499).for_each(|millis| assert_eq!(ramp.observe(at(millis), true), Turn::On));
        assert!((ramp.share() - 0.2).abs() < 1e-12);
        ramp.observe(at(500), true);
        assert!((ramp.share() - 0.25).abs() < 1e-12);
    }

    #[test]
    fn failures_cut_it_in_proportion_and_never_below_where_it_began() {
        let mut ramp = Ramp {
            share: 0.8,
            ..ramp(20)
        };
        for (good, expected) in [(3, 0.8 * 0.95 * 0.75), (0, 0.8 * 0.95 * 0.75 * 0.5)] {
            let now = ramp.ends();
            (0..good).for_each(|_| _ = ramp.observe(ramp.began, true));
            ramp.observe(now, false);
            assert!((ramp.share() - expected).abs() < 1e-12, "{ramp:?}");
        }
        let now = ramp.ends();
        ramp.observe(now, false);
        assert!((ramp.share() - 0.2).abs() < 1e-12);
    }

    #[test]
    fn three_failures_without_a_success_are_clear() {
        let mut ramp = ramp(20);
        assert_eq!(ramp.observe(at(1), false), Turn::On);
        assert_eq!(ramp.observe(at(2), false), Turn::On);
        assert_eq!(ramp.observe(at(3), false), Turn::Ill);
    }

    #[test]
    fn the_first_call_of_each_degree_goes_through_and_of_the_others_their_share() {
        let mut ramp = ramp(20);
        assert!(ramp.admits(0.99) && !ramp.admits(0.99) && !ramp.admits(0.2) && ramp.admits(0.19));
        ramp.observe(at(500), true);
        assert!(ramp.admits(0.99) && !ramp.admits(0.99));
    }

    #[test]
    fn time_alone_brings_nothing_back() {
        let mut ramp = ramp(20);
        assert_eq!(ramp.observe(at(3_600_000), true), Turn::On);
        assert!((ramp.share() - 0.25).abs() < 1e-12);
    }
}
