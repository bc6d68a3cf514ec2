//! What is measured.

/// Which process has the layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An axum server.
    Axum,
    /// A hyper client.
    Hyper,
    /// A generated tonic client.
    Tonic,
}

/// Which layer it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stack {
    Identity,
    /// The same again: it must cost the same.
    Control,
    /// tower's own timeout and limit.
    Tower,
    /// The whole guard: detection, breaker, statistics, deadline, limit.
    Buttress,
    /// The guard within a dispatch over one endpoint, failover included. Of clients only.
    Dispatch,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Axum, Self::Hyper, Self::Tonic];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Axum => "axum",
            Self::Hyper => "hyper",
            Self::Tonic => "tonic",
        }
    }

    pub(crate) const fn stacks(self) -> &'static [Stack] {
        match self {
            Self::Axum => &[
                Stack::Identity,
                Stack::Control,
                Stack::Tower,
                Stack::Buttress,
            ],
            Self::Hyper | Self::Tonic => &Stack::ALL,
        }
    }
}

impl Stack {
    pub(crate) const ALL: [Self; 5] = [
        Self::Identity,
        Self::Control,
        Self::Tower,
        Self::Buttress,
        Self::Dispatch,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Control => "control",
            Self::Tower => "tower",
            Self::Buttress => "buttress",
            Self::Dispatch => "dispatch",
        }
    }
}
