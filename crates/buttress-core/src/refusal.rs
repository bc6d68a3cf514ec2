//! How buttress itself says no.

use std::{error::Error, fmt, time::Duration};

/// Everything buttress itself says no with, and after how long to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The breaker is open.
    Open {
        /// Until the next probe may go out.
        retry_after: Duration,
    },
    /// It was taken out by hand.
    Withdrawn,
    /// No endpoint of the set takes the call.
    NoEndpoint {
        /// How many endpoints are known.
        known: usize,
        /// Until the first of them may be probed; absent when none is known.
        retry_after: Option<Duration>,
    },
    /// Too few endpoints of the set take calls, and none took this one.
    Panic {
        /// How many take calls.
        usable: usize,
        /// Of how many.
        known: usize,
        /// Until the first of the others may be probed.
        retry_after: Option<Duration>,
    },
    /// There is no connection, nor is one being made.
    Disconnected {
        /// Until the next attempt to make one.
        retry_after: Duration,
    },
    /// Too few of the endpoints that answered agree.
    Quorum {
        /// So many agree, at most.
        agreed: u32,
        /// So many would have to.
        needed: u32,
    },
    /// There is too much to do, and nothing was sent.
    Overloaded {
        /// Who says so.
        by: Limiter,
        /// When it may be less, where that is known.
        retry_after: Option<Duration>,
    },
    /// One attempt took longer than its timeout, and there was no other to make.
    Timeout {
        /// The attempt timeout.
        after: Duration,
    },
    /// The whole call took longer than its deadline, or was past it before it began.
    Deadline {
        /// How long it had; zero if it was not begun.
        after: Duration,
    },
}

/// Who finds that there is too much to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limiter {
    /// The limit: as many calls are under way as may be, and as many wait as may.
    Concurrency,
    /// The queue: no place came free while the call waited for one.
    Queue,
    /// The throttle: the service turns calls down, and is sent fewer.
    Throttle,
    /// Shedding: too many wait for too long, and others matter more.
    Shed,
}

impl Refusal {
    /// After how long trying again may help, where that is known.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Open { retry_after } | Self::Disconnected { retry_after } => Some(*retry_after),
            Self::NoEndpoint { retry_after, .. }
            | Self::Panic { retry_after, .. }
            | Self::Overloaded { retry_after, .. } => *retry_after,
            Self::Withdrawn
            | Self::Quorum { .. }
            | Self::Timeout { .. }
            | Self::Deadline { .. } => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { retry_after } => {
                write!(f, "circuit open, next probe in {retry_after:.1?}")
            }
            Self::Disconnected { retry_after } => {
                write!(f, "not connected, next attempt in {retry_after:.1?}")
            }
            Self::Withdrawn => f.write_str("taken out by hand"),
            Self::Quorum { agreed, needed } => {
                write!(
                    f,
                    "only {agreed} of the endpoints agree, and {needed} have to"
                )
            }
            Self::NoEndpoint { known: 0, .. } => f.write_str("no endpoint is known"),
            Self::NoEndpoint {
                known,
                retry_after: Some(after),
            } => {
                write!(
                    f,
                    "none of {known} endpoints takes calls, next probe in {after:.1?}"
                )
            }
            Self::NoEndpoint {
                known,
                retry_after: None,
            } => write!(f, "none of {known} endpoints takes calls"),
            Self::Panic { usable, known, .. } => {
                write!(f, "panic: only {usable} of {known} endpoints take calls")
            }
            Self::Overloaded { by, .. } => by.fmt(f),
            Self::Timeout { after } => {
                write!(f, "no answer within the attempt timeout of {after:?}")
            }
            Self::Deadline {
                after: Duration::ZERO,
            } => f.write_str("not begun: its deadline had passed"),
            Self::Deadline { after } => write!(f, "no answer within the deadline of {after:?}"),
        }
    }
}

impl fmt::Display for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Concurrency => "overloaded: as many calls are under way as may be",
            Self::Queue => "overloaded: no place came free in time",
            Self::Shed => "overloaded: too many wait, and others go first",
            Self::Throttle => "overloaded: it turns calls down, and is sent fewer",
        })
    }
}

impl Error for Refusal {}
