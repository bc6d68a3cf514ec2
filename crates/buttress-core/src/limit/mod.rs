//! How many calls may be under way at once.

mod places;
mod policy;
mod queue;
mod ticket;

pub(crate) use places::{Lined, Places, Till};
pub use policy::LimitPolicy;
pub use ticket::{Admission, Ticket};

/// The places of one service, or of one endpoint.
#[derive(Debug)]
pub(crate) struct Limit {
    pub(crate) places: Places,
    /// How many may wait for one.
    pub(crate) waiting: usize,
}

impl Limit {
    pub(crate) fn new(policy: &LimitPolicy, lanes: usize) -> Self {
        Self {
            places: Places::new(policy.concurrency, lanes),
            waiting: policy.waiting(),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
mod loom;
