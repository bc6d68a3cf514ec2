//! How a tee is told who of the two that read it matters.

use std::{fmt, sync::Arc};

use buttress_core::Favoured;

/// A tee, whatever it is made of.
pub(super) trait Told: Send + Sync {
    fn favour(&self, whom: Favoured);
}

/// The way to a tee, for a body in a box cannot be told anything. It goes along with the copy, among its extensions.
#[derive(Clone)]
pub(crate) struct Favour(pub(super) Arc<dyn Told>);

impl Favour {
    /// Where not all can be kept for both, this one is not cut.
    pub(crate) fn give(&self, whom: Favoured) {
        self.0.favour(whom);
    }
}

impl fmt::Debug for Favour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Favour")
    }
}
