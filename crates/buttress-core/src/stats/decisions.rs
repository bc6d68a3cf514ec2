//! What became of alarms.

/// What became of an endpoint's alarms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Decisions {
    /// Acted on: calls stopped.
    pub enforced: u64,
    /// Noted down and not acted on, as the policy says.
    pub unenforced: u64,
    /// Held back, for the fault is not this endpoint's.
    pub held: u64,
    /// Held back, for too many of the set were out already.
    pub overflow: u64,
}
