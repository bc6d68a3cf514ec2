//! Localising: which part of the traffic fails, why, and how sure that is.

mod candidate;
mod diagnosis;
mod evidence;
mod place;
mod print;
mod record;
mod score;
mod verdict;

pub(crate) use candidate::{Candidate, Dimension, Sample};
pub(crate) use diagnosis::diagnose;
pub(crate) use evidence::Evidence;
pub use evidence::FaultKind;
pub use place::Place;
pub(crate) use record::{Call, Ending, Record};
pub(crate) use score::healthy_rate;
pub(crate) use verdict::Scene as Known;
pub use verdict::{Suspect, Verdict};
