//! Whom to ask: a function of facts and a draw.
//!
//! A priority is drawn, then a zone where the caller has one, then two members; of these the better takes the call.
//! Whoever is looked at costs two relaxed loads, however large the set.

mod alias;
mod choice;
mod facts;
mod groups;
mod load;
mod picker;
mod spill;
mod subset;
mod tier;

pub use picker::Picker;
pub use subset::PickPolicy;

pub(crate) use groups::{Group, Groups, Membership, Worth};
pub(crate) use load::{Glance, Load};
