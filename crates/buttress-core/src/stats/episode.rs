//! One outage.

mod print;

use std::time::{Duration, SystemTime};

use crate::{Causes, Nanos, Verdict, sync::Arc};

/// A recovery that does not hold for so many times what it took was none.
const RELAPSE: u32 = 10;

/// One outage of one endpoint.
///
/// Prints as one sentence for people. The last 32 of an endpoint are kept, and the current one; older ones live on in
/// its [`Reliability`](crate::Reliability).
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Episode {
    /// Under which policy.
    pub policy: Arc<str>,
    /// Of which endpoint, where there are several.
    pub endpoint: Option<Arc<str>>,
    /// When the trouble began by the clock on the wall, where the host has one: a label.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::wall::serialize"))]
    pub began: Option<SystemTime>,
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
    /// Did it fall ill again within ten times as long as this one had lasted? Then the recovery was none. Absent while
    /// nobody can know.
    pub relapsed: Option<bool>,
    /// Where the fault was, as far as the calls told.
    pub verdict: Option<Arc<Verdict>>,
    /// What was done about it.
    pub recovery: Recovery,
}

/// What recovery did during one outage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Recovery {
    /// Calls that went out as probes.
    pub probes: u32,
    /// How often calls were stopped again, for a probe or the way back had failed.
    pub reopened: u32,
    /// For how long calls were stopped before the next probe might go out, all times together.
    pub waited: Duration,
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

    /// From when on an outage is another one, and no relapse, if this one was over at `restored`.
    pub(super) fn safe_from(&self, restored: Nanos) -> Nanos {
        restored.after(self.lasted(restored).saturating_mul(RELAPSE))
    }
}
