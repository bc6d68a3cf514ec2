//! Localising: which part of the traffic fails, why, and how sure that is.

mod record;

pub(crate) use record::{Call, Ending, Record};
