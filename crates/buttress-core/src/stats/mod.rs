//! Counting: outcomes, calls under way, latencies, episodes, and what follows from them.

mod counts;
mod coverage;
mod decisions;
mod episode;
mod flights;
mod latency;
mod ledger;
mod recent;
mod recorder;
mod reliability;
mod trend;

pub(crate) use counts::Counters;
pub use counts::{Causes, Counts};
pub use coverage::Coverage;
pub(crate) use coverage::Switches;
pub use decisions::{Decided, Decisions};
pub use episode::{Episode, Recovery};
pub(crate) use flights::{Far, Flights, Note};
pub(crate) use latency::{BUCKETS, Latency, bucket, ceiling};
pub(crate) use ledger::{Ledger, Named};
pub(crate) use recent::{Kept, Past, Recent};
pub(crate) use recorder::Recorder;
pub use reliability::Reliability;
pub use trend::Trend;
