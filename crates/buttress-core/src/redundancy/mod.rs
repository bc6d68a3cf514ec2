//! Whom to ask is the picker's choice; how many and when is decided here.

mod hedge;
mod quorum;
mod single_r;

use std::{fmt, time::Duration};

use crate::{Call, Nanos, Outcome, PolicyError, random::unit};

pub use hedge::{HedgeAfter, HedgePolicy};
pub use quorum::QuorumPolicy;
pub(crate) use single_r::single_r;

/// The most attempts one call may make. More than this is a storm, whatever the reason.
pub const MAX_ATTEMPTS: u32 = 10;

/// The longest hint of a server that is obeyed: servers are not trusted with our time.
const LONGEST_HINT: Duration = Duration::from_secs(30);

/// Backoff before asking the same endpoint again: full jitter over 50 ms · 2ⁿ, at most 1 s (Brooker, "Exponential
/// backoff and jitter", AWS 2015).
const BACKOFF_BASE: Duration = Duration::from_millis(50);
const BACKOFF_CAP: Duration = Duration::from_secs(1);

/// How a call is made safe by asking more than once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Redundancy {
    /// One attempt.
    #[default]
    None,
    /// One attempt after another, up to so many in all: at another endpoint while there is one not yet tried.
    Failover(u32),
    /// The same, and where an attempt is not answered in time, another one beside it: the first good answer stands.
    Hedge(HedgePolicy),
    /// So many endpoints at once: the first good answer stands.
    Race(u32),
    /// Several endpoints at once: what enough of them agree on stands.
    Quorum(QuorumPolicy),
}

/// What has happened to one call so far.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// When the call must be over, if ever.
    pub deadline: Option<Nanos>,
    /// Attempts sent so far.
    pub launched: u32,
    /// Attempts under way.
    pub running: u32,
    /// When the last of them was sent.
    pub sent: Nanos,
    /// After how long another is sent beside it, as far as that is known.
    pub hedge: Option<HedgeAfter>,
    /// Good answers that agree, at most.
    pub agreed: u32,
    /// How the last attempt ended, if that is what has happened.
    pub last: Option<Ended>,
    /// Is there an endpoint not yet tried?
    pub fresh: bool,
    /// Is there a copy of the request to send?
    pub copy: bool,
    /// May the request be handled twice?
    pub idempotent: bool,
    /// A uniform draw for the jitter of this step.
    pub draw: u64,
}

/// The end of an attempt.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// How it went.
    pub outcome: Outcome,
    /// When.
    pub at: Nanos,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send an attempt now.
    Launch,
    /// Send an attempt at this time, unless something happens before.
    LaunchAt(Nanos),
    /// Wait for what is under way.
    Wait,
    /// It is over: the last answer stands.
    Stop,
}

/// As a file has it.
impl fmt::Display for Redundancy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Failover(attempts) => write!(f, "{{ failover = {attempts} }}"),
            Self::Hedge(hedge) => write!(f, "{{ hedge = {hedge} }}"),
            Self::Race(attempts) => write!(f, "{{ race = {attempts} }}"),
            Self::Quorum(quorum) => write!(f, "{{ quorum = {quorum} }}"),
        }
    }
}

impl Redundancy {
    /// Up to `attempts` in all, one after another.
    #[must_use]
    pub const fn failover(attempts: u32) -> Self {
        Self::Failover(attempts)
    }

    /// Up to `attempts` in all: another beside one that is slow, or after one that failed. The delay is learned, so that it
    /// costs the extra load that the policy allows, and no more.
    ///
    /// Source: Dean and Barroso, "The tail at scale", CACM 2013; Kaler, He and Elnikety, "Optimal reissue policies", SPAA 2017.
    #[must_use]
    pub const fn hedge(attempts: u32) -> Self {
        Self::Hedge(HedgePolicy {
            attempts,
            after: None,
        })
    }

    /// The same after a fixed delay.
    #[must_use]
    pub const fn hedge_after(attempts: u32, after: Duration) -> Self {
        Self::Hedge(HedgePolicy {
            attempts,
            after: Some(after),
        })
    }

    /// `attempts` at once.
    #[must_use]
    pub const fn race(attempts: u32) -> Self {
        Self::Race(attempts)
    }

    /// `of` at once, until `agree` of them agree.
    #[must_use]
    pub const fn quorum(agree: u32, of: u32) -> Self {
        Self::Quorum(QuorumPolicy { agree, of })
    }

    /// The most attempts one call makes.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        match *self {
            Self::None => 1,
            Self::Failover(attempts) | Self::Race(attempts) => attempts,
            Self::Hedge(HedgePolicy { attempts, .. }) => attempts,
            Self::Quorum(QuorumPolicy { of, .. }) => of,
        }
    }

    /// How many of them come one after another, each with its part of the time.
    #[must_use]
    pub const fn in_turn(&self) -> u32 {
        match *self {
            Self::Failover(attempts) => attempts,
            _ => 1,
        }
    }

    /// How many sends each call costs beyond one, though nothing is slow and nothing fails.
    #[must_use]
    pub const fn always_extra(&self) -> u32 {
        match *self {
            Self::Race(_) | Self::Quorum(_) => self.attempts().saturating_sub(1),
            _ => 0,
        }
    }

    /// How many good answers have to agree; absent where one is enough.
    #[must_use]
    pub const fn agreement(&self) -> Option<u32> {
        match self {
            Self::Quorum(quorum) => Some(quorum.agree),
            _ => None,
        }
    }

    /// Is nothing sent beside an attempt that is under way?
    #[must_use]
    pub const fn waits(&self) -> bool {
        matches!(self, Self::None | Self::Failover(_))
    }

    /// The same for one call, which may ask for less.
    #[must_use]
    pub const fn tightened(self, call: &Call) -> Self {
        match self {
            _ if call.no_retry || call.extra => Self::None,
            Self::Hedge(HedgePolicy { attempts, .. }) | Self::Race(attempts) if call.no_hedge => {
                Self::Failover(attempts)
            }
            _ => self,
        }
    }

    /// Decides the next step from what has happened so far.
    #[must_use]
    pub fn next(&self, progress: &Progress) -> Step {
        if progress.launched == 0 {
            return Step::Launch;
        }
        let forbidden = (progress.last).is_some_and(|last| last.outcome.forbids_more());
        let progress = &Progress {
            copy: progress.copy && !forbidden,
            ..*progress
        };
        let enough = match self {
            Self::Quorum(quorum) => progress.agreed >= quorum.agree,
            _ => progress
                .last
                .is_some_and(|last| !last.outcome.may_improve()),
        };
        if enough {
            return Step::Stop;
        }
        let room = progress.launched < self.attempts();
        match self {
            Self::Hedge(hedge) if progress.last.is_none() && room => hedge.next(progress),
            Self::Race(_) if room && progress.can_copy() => Step::Launch,
            Self::Quorum(quorum) => quorum.next(progress),
            _ => match progress.last {
                Some(last) if room => after(last, progress),
                _ => Step::rest(progress),
            },
        }
    }

    /// Can it be?
    ///
    /// # Errors
    ///
    /// Names the field, its value and what would do.
    pub fn check(&self) -> Result<(), PolicyError> {
        match *self {
            Self::None => Ok(()),
            Self::Failover(attempts) => check_attempts("redundancy.failover", attempts, 1),
            Self::Race(attempts) => check_attempts("redundancy.race", attempts, 2),
            Self::Hedge(hedge) => hedge.check(),
            Self::Quorum(quorum) => quorum.check(),
        }
    }
}

impl Progress {
    /// May another copy go to another endpoint, while nothing has failed?
    const fn can_copy(&self) -> bool {
        self.fresh && self.copy && self.idempotent
    }
}

impl Step {
    /// Nothing more is sent.
    const fn rest(progress: &Progress) -> Self {
        if progress.running > 0 {
            Self::Wait
        } else {
            Self::Stop
        }
    }
}

/// An attempt has failed, and another may be made: elsewhere at once; at the same endpoint after a while, and only when nothing is
/// under way.
fn after(last: Ended, progress: &Progress) -> Step {
    let resendable = progress.copy && (progress.idempotent || last.outcome.unsent());
    if !resendable || (progress.running > 0 && !progress.fresh) {
        return Step::rest(progress);
    }
    let when = if progress.fresh {
        last.at
    } else {
        last.at.after(pause(progress, last.outcome))
    };
    match progress.deadline {
        Some(deadline) if when >= deadline => Step::rest(progress),
        _ if when == last.at => Step::Launch,
        _ => Step::LaunchAt(when),
    }
}

fn check_attempts(field: &'static str, attempts: u32, least: u32) -> Result<(), PolicyError> {
    if (least..=MAX_ATTEMPTS).contains(&attempts) {
        return Ok(());
    }
    let needs = format!("{least} to {MAX_ATTEMPTS} attempts");
    Err(PolicyError::new(field, attempts, needs))
}

/// How long to leave the same endpoint alone: jittered backoff, or what it asked for if that is longer.
fn pause(progress: &Progress, outcome: Outcome) -> Duration {
    let doubled = BACKOFF_BASE.saturating_mul(1 << progress.launched.saturating_sub(1).min(16));
    let backoff = doubled.min(BACKOFF_CAP).mul_f64(unit(progress.draw));
    match outcome {
        Outcome::Overload(Some(hint)) => backoff.max(hint.min(LONGEST_HINT)),
        _ => backoff,
    }
}

#[cfg(test)]
mod tests;
