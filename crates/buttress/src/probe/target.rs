//! What a prober knows of whom it probes.

use std::sync::Arc;

use buttress_core::{Edge, Endpoint, Nanos, Outcome, ProbePolicy, Vitals};

use super::Probe;

/// The current endpoints of one destination.
pub(crate) trait Targets: Send + Sync + 'static {
    /// Where the results of one endpoint belong.
    type Target: Target;

    /// Which set is current: any other number than before means another set.
    fn version(&self) -> u64;

    /// That set. An endpoint keeps its schedule for as long as its address stays.
    fn targets(&self) -> Vec<(Endpoint, Self::Target)>;

    /// They are no longer probed, for the runtime in which they were has ended.
    fn unprobed(&self, policy: ProbePolicy, probe: Arc<dyn Probe>);
}

/// Where the results of one endpoint belong, and what its calls say. All of it is asked or told without waiting.
pub(crate) trait Target: Send + 'static {
    /// Do its calls say enough against it that it should be asked out of turn? Becoming so counts, staying so does not.
    fn suspect(&self) -> bool;

    /// How many calls have gone to it so far; probes are none.
    fn calls(&self) -> u64;

    /// How a probe sent at `sent` went, and whether that changed what probes say of it.
    fn told(&self, sent: Nanos, now: Nanos, outcome: Outcome, edge: Option<Edge>);
}

impl Target for Vitals {
    fn suspect(&self) -> bool {
        self.is_suspect()
    }

    fn calls(&self) -> u64 {
        Self::calls(self)
    }

    fn told(&self, sent: Nanos, now: Nanos, outcome: Outcome, edge: Option<Edge>) {
        self.probed(sent, now, outcome, edge);
    }
}
