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

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Axum, Self::Hyper, Self::Tonic];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Axum => "axum",
            Self::Hyper => "hyper",
            Self::Tonic => "tonic",
        }
    }
}
