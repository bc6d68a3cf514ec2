//! Whether a service that has ended is run again.
//!
//! ```text
//!            it ended                       run again, after a wait that grows
//! Running ──────────────► what does its ──► too often of late: given up, once
//!    ▲                    policy say?   └─► done
//!    └────── wait over ────────┘
//! ```

mod policy;

use std::{collections::VecDeque, time::Duration};

pub use policy::{Restart, SupervisorPolicy};

use crate::{Backoff, Nanos};

/// What is done about a service that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is run again.
    Restart {
        /// So much later.
        after: Duration,
    },
    /// It has done what it was to do.
    Finish,
    /// It has failed too often of late.
    GiveUp {
        /// Restarts that did not help, within the period.
        restarts: u32,
    },
}

/// What is known of the runs of one service. Pure: told `now`, seeded once.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use buttress_core::{Nanos, Next, Supervision, SupervisorPolicy};
///
/// let policy = SupervisorPolicy::new().intensity(1, Duration::from_secs(5));
/// let mut supervision = Supervision::new(policy, 1);
/// let at = |seconds| Nanos::ZERO.after(Duration::from_secs(seconds));
/// assert!(matches!(supervision.ended(at(0), at(0), true), Next::Restart { .. }));
/// assert!(matches!(supervision.ended(at(0), at(6), true), Next::Restart { .. }));
/// assert_eq!(supervision.ended(at(6), at(8), true), Next::GiveUp { restarts: 1 });
/// ```
#[derive(Debug)]
pub struct Supervision {
    policy: SupervisorPolicy,
    backoff: Backoff,
    /// When it was decided on restarts that may still count: at most as many as the limit allows.
    restarts: VecDeque<Nanos>,
}

impl Supervision {
    /// Of a service that is about to be run for the first time. The policy is one that was checked.
    #[must_use]
    pub const fn new(policy: SupervisorPolicy, seed: u64) -> Self {
        Self {
            policy,
            backoff: Backoff::new(policy.backoff, seed),
            restarts: VecDeque::new(),
        }
    }

    /// A run begun at `started` has ended by itself at `now`, in failure or not: what next?
    ///
    /// A restart counts from when it is decided on, as with OTP, and whatever it was for: one that returns at once and is
    /// always run again is a crash loop too.
    pub fn ended(&mut self, started: Nanos, now: Nanos, failed: bool) -> Next {
        match self.policy.restart {
            // Running => done
            Restart::Never => return Next::Finish,
            Restart::OnFailure if !failed => return Next::Finish,
            Restart::OnFailure | Restart::Always => {}
        }
        if now.since(started) >= self.policy.reset_after {
            self.backoff.reset();
        }
        // Running => given up
        if self.policy.is_limited() && !self.count(now) {
            let restarts = self.policy.intensity;
            return Next::GiveUp { restarts };
        }
        // Running => waiting
        Next::Restart {
            after: self.backoff.failed(),
        }
    }

    /// Counts one more restart, if it may be.
    fn count(&mut self, now: Nanos) -> bool {
        let period = self.policy.period;
        while self
            .restarts
            .front()
            .is_some_and(|at| now.since(*at) >= period)
        {
            self.restarts.pop_front();
        }
        let allowed =
            self.restarts.len() < usize::try_from(self.policy.intensity).unwrap_or(usize::MAX);
        if allowed {
            self.restarts.push_back(now);
        }
        allowed
    }
}

#[cfg(test)]
mod tests;
