//! Counting: outcomes, episodes, and what follows from them.

mod counts;
mod episode;
mod ledger;
mod reliability;

pub(crate) use counts::Tally;
pub use counts::{Causes, Counts};
pub use episode::Episode;
pub(crate) use ledger::Ledger;
pub use reliability::Reliability;
