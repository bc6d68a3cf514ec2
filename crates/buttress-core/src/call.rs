//! What one request asks for.

use std::time::Duration;

use crate::{Nanos, Priority};

/// What one request asks for beside its policy: less time, fewer sends. It tightens the policy and never loosens it.
///
/// For HTTP it is a request extension; other protocols read it from wherever their requests keep it, see
/// [`Describe::call`](crate::Describe::call).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use buttress_core::{Call, Nanos};
///
/// let call = Call::new().within(Duration::from_millis(300)).no_retry();
/// assert_eq!(call.due(Nanos::ZERO), Nanos::new(300_000_000));
/// assert_eq!(Call::new().due(Nanos::ZERO), Nanos::MAX, "no deadline");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// When it must be over, by the clock of the layers.
    pub deadline: Option<Nanos>,
    /// How long it may take, from when it is begun.
    pub within: Option<Duration>,
    /// Is it made in one attempt, whatever comes of it?
    pub no_retry: bool,
    /// Is it sent to one endpoint at a time?
    pub no_hedge: bool,
    /// Does the caller vouch that it may be handled twice? That is evidence, and no wish: nothing is sent again that the
    /// policy would not send again.
    pub idempotent: bool,
    /// Is it an extra send of whoever asks, or have they no budget for any? Then nothing is sent twice within it, and it is passed on to
    /// what is called within: else every layer of services would multiply the sends of the one before.
    pub extra: bool,
    /// How much it matters; where nothing is said, as much as what it is a part of.
    pub priority: Option<Priority>,
}

impl Call {
    /// Nothing beside the policy.
    #[inline]
    #[must_use]
    pub const fn new() -> Self {
        Self {
            deadline: None,
            within: None,
            no_retry: false,
            no_hedge: false,
            idempotent: false,
            extra: false,
            priority: None,
        }
    }

    /// Sets when it must be over, by the clock of the layers.
    #[must_use]
    pub const fn deadline(mut self, at: Nanos) -> Self {
        self.deadline = Some(at);
        self
    }

    /// Sets how long it may take, from when it is begun.
    #[must_use]
    pub const fn within(mut self, span: Duration) -> Self {
        self.within = Some(span);
        self
    }

    /// One attempt, whatever comes of it.
    #[must_use]
    pub const fn no_retry(mut self) -> Self {
        self.no_retry = true;
        self
    }

    /// To one endpoint at a time.
    #[must_use]
    pub const fn no_hedge(mut self) -> Self {
        self.no_hedge = true;
        self
    }

    /// It may be handled twice: the caller's word.
    #[must_use]
    pub const fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// It is an extra send already: nothing is sent twice within it.
    #[must_use]
    pub const fn extra(mut self) -> Self {
        self.extra = true;
        self
    }

    /// Sets how much it matters.
    #[must_use]
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    /// What both ask for: the earlier end, fewer sends, the lower priority, and whatever either vouches for.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            deadline: least(self.deadline, other.deadline),
            within: least(self.within, other.within),
            no_retry: self.no_retry || other.no_retry,
            no_hedge: self.no_hedge || other.no_hedge,
            idempotent: self.idempotent || other.idempotent,
            extra: self.extra || other.extra,
            priority: least(self.priority, other.priority),
        }
    }

    /// When it must be over if it begins at `now`; [`Nanos::MAX`] where it does not say.
    #[inline]
    #[must_use]
    pub fn due(&self, now: Nanos) -> Nanos {
        let within = self.within.map_or(Nanos::MAX, |span| now.after(span));
        within.min(self.deadline.unwrap_or(Nanos::MAX))
    }
}

fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn calls() -> impl Strategy<Value = Call> {
        let flags = any::<[bool; 4]>();
        let priority = prop::option::of(prop::sample::select(Priority::ALL.to_vec()));
        let times = (any::<Option<u64>>(), any::<Option<Duration>>());
        (times, flags, priority).prop_map(|((at, within), flags, priority)| Call {
            deadline: at.map(Nanos::new),
            within,
            no_retry: flags[0],
            no_hedge: flags[1],
            idempotent: flags[2],
            extra: flags[3],
            priority,
        })
    }

    proptest! {
        #[test]
        fn both_together_are_as_tight_as_either(one in calls(), other in calls(), now: u64) {
            let (both, now) = (one.and(other), Nanos::new(now));
            prop_assert_eq!(both.due(now), one.due(now).min(other.due(now)));
            prop_assert_eq!(both, other.and(one));
            prop_assert_eq!(both.and(one), both);
            prop_assert_eq!(one.and(Call::new()), one);
            prop_assert!(both.no_retry >= one.no_retry && both.no_hedge >= one.no_hedge);
            prop_assert!(both.extra >= one.extra);
        }
    }

    #[test]
    fn the_earlier_of_its_two_ends_counts() {
        let call = Call::new().deadline(Nanos::new(50));
        assert_eq!(call.due(Nanos::new(60)), Nanos::new(50), "even when past");
        let call = call.within(Duration::from_nanos(10));
        assert_eq!(call.due(Nanos::new(20)), Nanos::new(30));
        assert_eq!(call.due(Nanos::new(45)), Nanos::new(50));
        let endless = Call::new().within(Duration::MAX);
        assert_eq!(endless.due(Nanos::new(1)), Nanos::MAX);
    }
}
