//! Which layer the measured process has.

use crate::kind::Kind;

/// Which layer it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stack {
    Identity,
    /// The same again: it must cost the same.
    Control,
    /// tower's own timeout and limit.
    Tower,
    /// No more than a `grpc-timeout`, which tonic's channel keeps, too: what telling a deadline costs by itself. Of tonic only.
    Told,
    /// The whole guard: detection, breaker, statistics, deadline, limit.
    Buttress,
    /// The guard within a dispatch over one endpoint, failover included. Of clients only.
    Dispatch,
}

impl Stack {
    pub(crate) const ALL: [Self; 6] = [
        Self::Identity,
        Self::Control,
        Self::Tower,
        Self::Told,
        Self::Buttress,
        Self::Dispatch,
    ];

    /// Whose figure has a target.
    pub(crate) const OURS: Option<Self> = Some(Self::Buttress);

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Control => "control",
            Self::Tower => "tower",
            Self::Told => "told",
            Self::Buttress => "buttress",
            Self::Dispatch => "dispatch",
        }
    }

    /// Those of a kind.
    pub(crate) fn of(kind: Kind) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |stack| match stack {
            Self::Dispatch => kind != Kind::Axum,
            Self::Told => kind == Kind::Tonic,
            _ => true,
        })
    }
}
