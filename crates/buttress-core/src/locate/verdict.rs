//! The verdict on an alarm: where, what, how sure, and on what counts.

use std::sync::Arc;

use super::{
    candidate::{Candidate, Dimension},
    diagnosis::{Diagnosis, Finding},
    evidence::{Evidence, FaultKind},
    place::Place,
};
use crate::{Nanos, math::jeffreys_interval, peers::Tally};

/// Where a fault is, what sort of fault, how sure that is, and the counts it rests on.
///
/// Prints as one sentence for people.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Verdict {
    /// Where it most likely is.
    pub place: Place,
    /// What sort of fault it is, if it is there.
    pub kind: FaultKind,
    /// How likely it is there. Below a half the fault is not localised: see `others`.
    pub probability: f64,
    /// What its calls came to.
    pub here: Tally,
    /// What all other calls came to.
    pub elsewhere: Tally,
    /// Between which rates the true one lies there, with 95 % confidence (Jeffreys).
    pub interval: (f64, f64),
    /// The share of calls that fail when all is well.
    pub usual: f64,
    /// When the trouble began, as far as the evidence tells.
    pub since: Nanos,
    /// When it was noticed.
    pub detected: Nanos,
    /// Other places with the very same calls: which of them it is, no call has shown.
    pub ties: Vec<Place>,
    /// Further faults at the same time, each set against all calls of none.
    pub also: Vec<Suspect>,
    /// The likeliest places of each other sort, ruled out as far as their probabilities say.
    pub others: Vec<Suspect>,
}

/// A place where a fault may be.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Suspect {
    /// Where.
    pub place: Place,
    /// How likely.
    pub probability: f64,
    /// What its calls came to.
    pub here: Tally,
    /// What all other calls came to.
    pub elsewhere: Tally,
}

/// What is known of an alarm beside its calls.
pub(crate) struct Scene<'a> {
    /// The names of labels.
    pub(crate) names: &'a dyn Fn(Dimension, u16) -> Arc<str>,
    /// How the calls of a candidate ended, and what else is known of it.
    pub(crate) evidence: &'a dyn Fn(Candidate) -> Evidence,
    /// The share of calls that fail when all is well.
    pub(crate) usual: f64,
    pub(crate) since: Nanos,
    pub(crate) detected: Nanos,
}

impl Verdict {
    /// What a diagnosis comes to; none if there were no calls.
    pub(crate) fn of(diagnosis: &Diagnosis, scene: &Scene<'_>) -> Option<Self> {
        let mut ranked = diagnosis.causes.iter().chain(&diagnosis.rivals);
        let lead = ranked.next()?;
        let evidence = (scene.evidence)(lead.candidate);
        // Where everything fails while our own timers were late, it is we who were not there to hear the answers.
        let place = match Place::of(lead.candidate, scene.names) {
            Place::Everything if evidence.stalled => Place::Ourselves,
            place => place,
        };
        let suspect = |finding: &Finding| Suspect {
            place: Place::of(finding.candidate, scene.names),
            probability: finding.probability,
            here: finding.here,
            elsewhere: finding.elsewhere,
        };
        let ties = lead.ties.iter().map(|tie| Place::of(*tie, scene.names));
        Some(Self {
            kind: evidence.kind(&place),
            place,
            probability: lead.probability,
            here: lead.here,
            elsewhere: lead.elsewhere,
            interval: jeffreys_interval(lead.here.failures, lead.here.calls, 0.95),
            usual: scene.usual,
            since: scene.since,
            detected: scene.detected,
            ties: ties.collect(),
            also: diagnosis.causes.iter().skip(1).map(suspect).collect(),
            others: ranked
                .skip(diagnosis.causes.len().saturating_sub(1))
                .map(suspect)
                .collect(),
        })
    }

    /// Is it localised: likelier there than anywhere else together?
    #[must_use]
    pub fn localised(&self) -> bool {
        self.probability >= 0.5
    }
}
