//! Localising: which part of the traffic fails, why, and how sure that is.

mod candidate;
mod diagnosis;
mod evidence;
mod place;
mod print;
mod record;
mod score;
mod verdict;

pub use evidence::FaultKind;
pub use place::Place;
pub use verdict::{Suspect, Verdict};
