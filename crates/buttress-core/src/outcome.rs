//! How an attempt went.

use std::time::Duration;

/// How an attempt went, as the endpoint's record keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The endpoint did its job.
    Success,
    /// The endpoint failed.
    Failure(Cause),
    /// It was given up, or is still awaited, at an age at which healthy calls have long been answered.
    Late,
    /// The endpoint answered that it has too much to do, and perhaps for how long. It is throttled for this, never ejected.
    /// A hint of [`Duration::MAX`] asks that the call be [sent no more](Self::NOT_AGAIN).
    Overload(Option<Duration>),
    /// The endpoint answered that the caller is at fault (4xx, `INVALID_ARGUMENT`). It proves the endpoint alive.
    CallerFault,
    /// We ourselves stopped it before it was sent. Says nothing of the endpoint.
    Refused,
    /// The caller went away. Says nothing of the endpoint.
    Cancelled,
}

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Cause {
    /// It answered with an error of its own (5xx).
    Error,
    /// It did not answer within our timeout.
    Timeout,
    /// It answered that something behind it took too long (504).
    RemoteTimeout,
    /// No connection could be made; nothing was sent.
    Connect,
    /// The connection broke while the call was on it.
    Reset,
    /// What came back was not the protocol.
    Protocol,
    /// The service panicked in our own process.
    Panic,
    /// It said something else than enough of the others agreed on.
    Dissent,
}

/// On which side of the wire a failure was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
pub enum Origin {
    /// On ours: no connection, a broken one, no answer in time.
    Local,
    /// On theirs: it answered that it failed.
    Remote,
}

/// What an outcome says about the endpoint's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It is well.
    Good,
    /// It is ill.
    Bad,
    /// Nothing either way.
    Silent,
}

impl Outcome {
    /// The endpoint has too much to do, and asks that the call not be sent again, to nobody: a hint without an end.
    ///
    /// For gRPC that is a push-back below zero ([A6](https://github.com/grpc/proposal/blob/master/A6-client-retries.md)).
    pub const NOT_AGAIN: Self = Self::Overload(Some(Duration::MAX));

    /// What this says about the endpoint's health.
    ///
    /// Our own refusals and callers that leave say nothing; overload says nothing either, for it asks for less
    /// traffic and not for none.
    #[must_use]
    pub const fn sign(self) -> Sign {
        match self {
            Self::Success | Self::CallerFault => Sign::Good,
            Self::Failure(_) | Self::Late => Sign::Bad,
            Self::Overload(_) | Self::Refused | Self::Cancelled => Sign::Silent,
        }
    }

    /// On which side a failure was seen; none if it is no failure. A late call is one that we gave up on.
    #[must_use]
    pub const fn origin(self) -> Option<Origin> {
        match self {
            Self::Failure(cause) => Some(cause.origin()),
            Self::Late => Some(Origin::Local),
            _ => None,
        }
    }

    /// Was the request provably never sent? Then it may be sent elsewhere, whatever it is.
    #[must_use]
    pub const fn unsent(self) -> bool {
        matches!(self, Self::Failure(Cause::Connect) | Self::Refused)
    }

    /// Did the endpoint ask that the call not be sent again? See [`NOT_AGAIN`](Self::NOT_AGAIN).
    #[must_use]
    pub const fn forbids_more(self) -> bool {
        matches!(self, Self::Overload(Some(Duration::MAX)))
    }

    /// Could another attempt end better? Whether one may be made is another question.
    #[must_use]
    pub const fn may_improve(self) -> bool {
        matches!(self, Self::Failure(_) | Self::Overload(_) | Self::Refused)
    }
}

impl Cause {
    /// Every cause, in the order of counters and columns.
    pub const ALL: [Self; 8] = [
        Self::Error,
        Self::Timeout,
        Self::RemoteTimeout,
        Self::Connect,
        Self::Reset,
        Self::Protocol,
        Self::Panic,
        Self::Dissent,
    ];

    /// One word for people and labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::RemoteTimeout => "remote_timeout",
            Self::Connect => "connect",
            Self::Reset => "reset",
            Self::Protocol => "protocol",
            Self::Panic => "panic",
            Self::Dissent => "dissent",
        }
    }

    /// Who noticed: our side of the call, or the endpoint's answer?
    #[must_use]
    pub const fn origin(self) -> Origin {
        match self {
            Self::Error | Self::RemoteTimeout | Self::Protocol | Self::Dissent => Origin::Remote,
            Self::Timeout | Self::Connect | Self::Reset | Self::Panic => Origin::Local,
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_endpoints_own_failures_count_against_it() {
        for cause in Cause::ALL {
            assert_eq!(Outcome::Failure(cause).sign(), Sign::Bad);
        }
        for silent in [
            Outcome::Overload(None),
            Outcome::Refused,
            Outcome::Cancelled,
        ] {
            assert_eq!(silent.sign(), Sign::Silent);
        }
        assert_eq!(Outcome::CallerFault.sign(), Sign::Good);
    }

    #[test]
    fn only_connect_failures_and_own_refusals_are_provably_unsent() {
        let unsent: Vec<Cause> = Cause::ALL
            .into_iter()
            .filter(|cause| Outcome::Failure(*cause).unsent())
            .collect();
        assert_eq!(unsent, [Cause::Connect]);
        assert!(Outcome::Refused.unsent());
        assert!(!Outcome::Overload(None).unsent());
    }

    #[test]
    fn causes_are_listed_in_the_order_of_their_counters() {
        for (index, cause) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(cause.index(), index);
        }
    }
}
