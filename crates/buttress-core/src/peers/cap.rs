//! How many of a set may be out at once.

use crate::{PolicyError, Ratio};

/// How many endpoints of a set may be ejected at once, whatever they are ejected for.
///
/// At most `at_most` of a priority, rounded down but never less than one, and never so many that fewer than
/// `min_healthy` are left. For sets only: a breaker around a single service may always open.
///
/// # Examples
///
/// ```
/// use buttress_core::EjectionPolicy;
///
/// let policy = EjectionPolicy::new();
/// assert_eq!([1, 2, 3, 10].map(|members| policy.allowed(members)), [0, 1, 1, 5]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields, default)
)]
pub struct EjectionPolicy {
    /// The largest share of a priority that may be out, 50 % by default; one may be out in any case.
    pub at_most: Ratio,
    /// So many stay in, come what may; 1 by default.
    pub min_healthy: u32,
    /// With a smaller share of a priority usable, its health is disregarded (panic); 50 % by default, 0 for never.
    pub panic_below: Ratio,
}

impl EjectionPolicy {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            at_most: Ratio::new(0.5),
            min_healthy: 1,
            panic_below: Ratio::new(0.5),
        }
    }

    /// Sets the largest share of a priority that may be out.
    #[must_use]
    pub const fn at_most(mut self, share: Ratio) -> Self {
        self.at_most = share;
        self
    }

    /// Sets how many stay in, come what may.
    #[must_use]
    pub const fn min_healthy(mut self, members: u32) -> Self {
        self.min_healthy = members;
        self
    }

    /// Sets below which usable share of a priority its health is disregarded.
    #[must_use]
    pub const fn panic_below(mut self, share: Ratio) -> Self {
        self.panic_below = share;
        self
    }

    /// Can it be?
    ///
    /// # Errors
    ///
    /// Names the field, its value and what would do.
    pub fn check(&self) -> Result<(), PolicyError> {
        self.at_most.check("ejection.at_most")?;
        self.panic_below.check("ejection.panic_below")
    }

    /// How many of a set of `members` may be out at once.
    #[must_use]
    pub fn allowed(&self, members: usize) -> usize {
        self.allowed_beside(members, 0)
    }

    /// The same for one priority, when other priorities have `elsewhere` usable members: these count as left, so
    /// that a primary alone in its priority can be ejected in favour of its standby.
    pub(crate) fn allowed_beside(&self, members: usize, elsewhere: usize) -> usize {
        let keep = usize::try_from(self.min_healthy).unwrap_or(usize::MAX);
        share_of(self.at_most, members)
            .max(1)
            .min(members.saturating_add(elsewhere).saturating_sub(keep))
            .min(members)
    }

    /// May one more of a priority go, `out` of whose `members` are out for whatever reason?
    pub(crate) fn admits(&self, members: usize, out: usize, elsewhere: usize) -> bool {
        out < self.allowed_beside(members, elsewhere)
    }

    /// Are so few of a priority usable that choosing by health would drown them?
    pub(crate) fn panics(&self, members: usize, usable: usize) -> bool {
        (usable as f64) < self.panic_below.as_f64().clamp(0.0, 1.0) * members as f64
    }
}

impl Default for EjectionPolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// `⌊share · members⌋`, where 29 % of 100 are 29 in spite of binary fractions. Saturates; no number is none.
fn share_of(share: Ratio, members: usize) -> usize {
    const ROUNDING: f64 = 1e-9;
    (share.as_f64() * members as f64 + ROUNDING) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn percent(percent: u32) -> EjectionPolicy {
        EjectionPolicy::new().at_most(Ratio::percent(percent))
    }

    #[test]
    fn one_may_always_go_and_one_must_stay() {
        for (members, share, expected) in [
            (3, 10, 1),
            (9, 10, 1),
            (10, 10, 1),
            (3, 67, 2),
            (3, 50, 1),
            (2, 50, 1),
            (20, 10, 2),
            (1, 50, 0),
            (1, 100, 0),
            (0, 50, 0),
            (100, 29, 29),
            (4, 100, 3),
        ] {
            assert_eq!(
                percent(share).allowed(members),
                expected,
                "{share} % of {members}"
            );
        }
        assert_eq!(percent(100).min_healthy(3).allowed(4), 1);
        assert_eq!(percent(50).min_healthy(u32::MAX).allowed(1_000), 0);
    }

    #[test]
    fn a_primary_alone_goes_while_its_standby_is_usable() {
        assert!(percent(50).admits(1, 0, 1));
        assert!(!percent(50).admits(1, 0, 0));
        assert!(!percent(50).admits(1, 1, 9));
        assert!(percent(50).admits(4, 1, 0) && !percent(50).admits(4, 2, 0));
    }

    #[test]
    fn fewer_than_half_usable_is_panic() {
        let policy = EjectionPolicy::new();
        for (members, usable, expected) in [
            (10, 5, false),
            (10, 4, true),
            (3, 1, true),
            (3, 2, false),
            (1, 0, true),
            (0, 0, false),
        ] {
            assert_eq!(
                policy.panics(members, usable),
                expected,
                "{usable} of {members}"
            );
        }
        assert!(!policy.panic_below(Ratio::percent(0)).panics(10, 0));
    }

    #[test]
    fn a_share_that_is_none_is_named() {
        assert_eq!(
            percent(101).check().unwrap_err().field(),
            "ejection.at_most"
        );
        let panic = EjectionPolicy::new().panic_below(Ratio::new(f64::NAN));
        assert_eq!(panic.check().unwrap_err().field(), "ejection.panic_below");
        assert!(EjectionPolicy::default().check().is_ok());
    }

    proptest! {
        #[test]
        fn whatever_the_policy_enough_stay(members in 0..5_000_usize, elsewhere in 0..50_usize, share: f64, keep in 0..20_u32) {
            let policy = EjectionPolicy::new().at_most(Ratio::new(share)).min_healthy(keep);
            let out = policy.allowed_beside(members, elsewhere);
            prop_assert!(out <= members);
            prop_assert!(out == 0 || members - out + elsewhere >= keep as usize);
        }
    }
}
