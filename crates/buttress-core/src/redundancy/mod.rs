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
mod tests {
    use super::*;
    use crate::Cause;

    const FAILED: Outcome = Outcome::Failure(Cause::Error);
    const UNSENT: Outcome = Outcome::Failure(Cause::Connect);

    fn after(launched: u32, outcome: Outcome) -> Progress {
        Progress {
            deadline: None,
            launched,
            running: 0,
            sent: Nanos::new(100),
            hedge: None,
            agreed: 0,
            last: Some(Ended {
                outcome,
                at: Nanos::new(1_000),
            }),
            fresh: true,
            copy: true,
            idempotent: true,
            draw: u64::MAX,
        }
    }

    #[test]
    fn one_call_may_ask_for_less_and_not_for_more() {
        let failover = Redundancy::failover(3);
        assert_eq!(failover.tightened(&Call::new().no_hedge()), failover);
        for redundancy in [failover, Redundancy::race(2), Redundancy::None] {
            for call in [Call::new().no_retry(), Call::new().extra()] {
                assert_eq!(redundancy.tightened(&call), Redundancy::None);
            }
        }
    }

    #[test]
    fn failover_as_a_table() {
        let post = |launched, outcome| Progress {
            idempotent: false,
            ..after(launched, outcome)
        };
        let over = |launched, outcome| Progress {
            deadline: Some(Nanos::new(1_000)),
            ..after(launched, outcome)
        };
        for (what, progress, step) in [
            (
                "nothing sent",
                Progress {
                    last: None,
                    ..after(0, FAILED)
                },
                Step::Launch,
            ),
            (
                "one under way",
                Progress {
                    last: None,
                    running: 1,
                    ..after(1, FAILED)
                },
                Step::Wait,
            ),
            ("success", after(1, Outcome::Success), Step::Stop),
            ("caller's fault", after(1, Outcome::CallerFault), Step::Stop),
            ("failure", after(1, FAILED), Step::Launch),
            (
                "overload, another endpoint",
                after(1, Outcome::Overload(None)),
                Step::Launch,
            ),
            ("second failure", after(2, FAILED), Step::Launch),
            ("attempts used up", after(3, FAILED), Step::Stop),
            ("deadline passed", over(1, FAILED), Step::Stop),
            (
                "no copy",
                Progress {
                    copy: false,
                    ..after(1, FAILED)
                },
                Step::Stop,
            ),
            ("not idempotent", post(1, FAILED), Step::Stop),
            (
                "not idempotent, timed out",
                post(1, Outcome::Failure(Cause::Timeout)),
                Step::Stop,
            ),
            (
                "not idempotent, reset",
                post(1, Outcome::Failure(Cause::Reset)),
                Step::Stop,
            ),
            ("not idempotent, unsent", post(1, UNSENT), Step::Launch),
        ] {
            assert_eq!(Redundancy::failover(3).next(&progress), step, "{what}");
        }
    }

    /// One is under way since 100, and nothing has failed.
    fn under_way(launched: u32) -> Progress {
        Progress {
            running: launched,
            last: None,
            draw: 0,
            ..after(launched, FAILED)
        }
    }

    #[test]
    fn a_hedge_as_a_table() {
        let delay = Duration::from_nanos(50);
        let (fixed, learned) = (Redundancy::hedge_after(3, delay), Redundancy::hedge(3));
        let known = |chance, draw| Progress {
            hedge: Some(HedgeAfter { delay, chance }),
            draw,
            ..under_way(1)
        };
        let at = Step::LaunchAt(Nanos::new(150));
        let with = |change: fn(&mut Progress)| {
            let mut progress = under_way(1);
            change(&mut progress);
            progress
        };
        let failed = |running, fresh| Progress {
            running,
            fresh,
            ..after(1 + running, FAILED)
        };
        for (what, way, progress, step) in [
            ("one under way", fixed, under_way(1), at),
            ("two under way", fixed, under_way(2), at),
            ("all under way", fixed, under_way(3), Step::Wait),
            ("no delay known", learned, under_way(1), Step::Wait),
            ("delay known", learned, known(1.0, u64::MAX), at),
            ("drawn", learned, known(0.5, 1 << 62), at),
            ("not drawn", learned, known(0.5, 3 << 62), Step::Wait),
            (
                "nobody else",
                fixed,
                with(|it| it.fresh = false),
                Step::Wait,
            ),
            ("no copy", fixed, with(|it| it.copy = false), Step::Wait),
            (
                "not idempotent",
                fixed,
                with(|it| it.idempotent = false),
                Step::Wait,
            ),
            (
                "too late for it",
                fixed,
                with(|it| it.deadline = Some(Nanos::new(150))),
                Step::Wait,
            ),
            (
                "a failure goes on at once",
                fixed,
                failed(1, true),
                Step::Launch,
            ),
            (
                "a failure, and nobody else",
                fixed,
                failed(1, false),
                Step::Wait,
            ),
            ("the last failure", fixed, after(3, FAILED), Step::Stop),
            ("an answer", fixed, after(2, Outcome::Success), Step::Stop),
        ] {
            assert_eq!(way.next(&progress), step, "{what}");
        }
    }

    #[test]
    fn a_race_and_a_quorum_as_a_table() {
        let (race, quorum) = (Redundancy::race(3), Redundancy::quorum(2, 3));
        let agreed = |agreed, running| Progress {
            agreed,
            running,
            ..under_way(3)
        };
        let post = Progress {
            idempotent: false,
            ..under_way(1)
        };
        let lost = |launched, running, agreed| Progress {
            running,
            agreed,
            ..after(launched, FAILED)
        };
        for (what, way, progress, step) in [
            ("more to send", race, under_way(1), Step::Launch),
            ("all sent", race, under_way(3), Step::Wait),
            ("not idempotent", race, post, Step::Wait),
            ("one has failed", race, lost(3, 2, 0), Step::Wait),
            ("all have failed", race, lost(3, 0, 0), Step::Stop),
            ("more to ask", quorum, under_way(2), Step::Launch),
            ("all asked", quorum, under_way(3), Step::Wait),
            (
                "not idempotent: one cannot be enough",
                quorum,
                post,
                Step::Stop,
            ),
            ("one of two", quorum, agreed(1, 1), Step::Wait),
            ("enough", quorum, agreed(2, 1), Step::Stop),
            (
                "one failed, two may agree",
                quorum,
                lost(3, 2, 0),
                Step::Wait,
            ),
            ("two failed", quorum, lost(3, 1, 0), Step::Stop),
            (
                "one failed, one said something else",
                quorum,
                lost(3, 0, 1),
                Step::Stop,
            ),
        ] {
            assert_eq!(way.next(&progress), step, "{what}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (way, field) in [
            (Redundancy::hedge(1), "redundancy.hedge"),
            (
                Redundancy::hedge_after(2, Duration::ZERO),
                "redundancy.hedge.after",
            ),
            (Redundancy::race(11), "redundancy.race"),
            (Redundancy::quorum(1, 1), "redundancy.quorum.of"),
            (Redundancy::quorum(0, 3), "redundancy.quorum.agree"),
            (Redundancy::quorum(4, 3), "redundancy.quorum.agree"),
        ] {
            assert_eq!(way.check().unwrap_err().field(), field);
        }
    }

    #[test]
    fn none_sends_once() {
        assert_eq!(Redundancy::None.next(&after(1, UNSENT)), Step::Stop);
    }

    #[test]
    fn the_same_endpoint_is_left_alone_for_a_while() {
        let again = Progress {
            fresh: false,
            ..after(1, FAILED)
        };
        let Step::LaunchAt(when) = Redundancy::failover(3).next(&again) else {
            unreachable!("not at once")
        };
        assert!(when.since(Nanos::new(1_000)) <= BACKOFF_BASE);
        let hint = Duration::from_secs(2);
        let asked = Progress {
            fresh: false,
            ..after(1, Outcome::Overload(Some(hint)))
        };
        assert_eq!(
            Redundancy::failover(3).next(&asked),
            Step::LaunchAt(Nanos::new(1_000).after(hint))
        );
    }

    #[test]
    fn a_hint_is_clamped_and_one_beyond_the_deadline_ends_it() {
        let hint = Outcome::Overload(Some(Duration::from_secs(4_000)));
        let asked = Progress {
            fresh: false,
            ..after(1, hint)
        };
        let clamped = Nanos::new(1_000).after(LONGEST_HINT);
        assert_eq!(
            Redundancy::failover(3).next(&asked),
            Step::LaunchAt(clamped)
        );
        let late = Progress {
            deadline: Some(clamped),
            ..asked
        };
        assert_eq!(Redundancy::failover(3).next(&late), Step::Stop);
    }

    #[test]
    fn whoever_asks_not_to_be_sent_it_again_is_obeyed() {
        for redundancy in [
            Redundancy::failover(3),
            Redundancy::hedge(3),
            Redundancy::quorum(1, 3),
        ] {
            for (fresh, running) in [(true, 0), (false, 0), (true, 1), (false, 1)] {
                let forbidden = Progress {
                    fresh,
                    running,
                    ..after(1, Outcome::NOT_AGAIN)
                };
                let step = if running > 0 { Step::Wait } else { Step::Stop };
                assert_eq!(redundancy.next(&forbidden), step, "{redundancy} {fresh}");
            }
        }
        assert!(Outcome::NOT_AGAIN.forbids_more() && Outcome::NOT_AGAIN.may_improve());
        assert!(!Outcome::Overload(Some(Duration::ZERO)).forbids_more());
    }

    #[test]
    fn zero_and_too_many_attempts_are_refused() {
        assert!(Redundancy::failover(0).check().is_err());
        assert!(Redundancy::failover(MAX_ATTEMPTS + 1).check().is_err());
        assert!(Redundancy::failover(MAX_ATTEMPTS).check().is_ok());
    }
}
