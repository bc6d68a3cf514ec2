//! What a layer says about its connections.

use buttress_core::{Cause, Outcome, ReconnectPolicy, Vitals};

/// What a layer says about its connections.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) policy: ReconnectPolicy,
    pub(super) vitals: Vitals,
    /// Does a call that ended so mean that its connection is of no more use?
    pub(super) breaks: fn(Outcome) -> bool,
    /// Whose breaker lets calls back in by degrees.
    pub(super) reenters: Option<Vitals>,
}

impl Rules {
    pub(super) fn new(policy: ReconnectPolicy, vitals: Vitals) -> Self {
        Self {
            policy,
            vitals,
            breaks: is_of_connection,
            reenters: None,
        }
    }
}

const fn is_of_connection(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Failure(Cause::Connect | Cause::Reset | Cause::Protocol)
    )
}
