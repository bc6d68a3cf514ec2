//! One outage.

use std::time::Duration;

use crate::{Causes, Nanos, Verdict, sync::Arc};

/// One outage of one endpoint.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Episode {
    /// When the trouble began: the start of the earliest call of the evidence.
    pub broke: Nanos,
    /// When it was noticed.
    pub detected: Nanos,
    /// When a probe was good for the first time on the way back.
    pub repaired: Option<Nanos>,
    /// When calls flowed again; absent while it lasts.
    pub restored: Option<Nanos>,
    /// The calls lost to it, by cause.
    pub causes: Causes,
    /// Where the fault was, as far as the calls told.
    pub verdict: Option<Arc<Verdict>>,
}

impl Episode {
    /// How long it took to notice.
    #[must_use]
    pub const fn time_to_detect(&self) -> Duration {
        self.detected.since(self.broke)
    }

    /// How long it has lasted, `now` being the end of one that still does.
    #[must_use]
    pub fn lasted(&self, now: Nanos) -> Duration {
        self.restored.unwrap_or(now).since(self.broke)
    }
}
