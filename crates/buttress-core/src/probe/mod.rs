//! When to ask an endpoint whether it is well, without waiting for a call that would tell.

mod policy;
mod rota;
mod schedule;

pub use policy::ProbePolicy;
pub use rota::Rota;

use crate::{Cause, Outcome};

/// What the probes of one endpoint found, when that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edge {
    /// It answers well: the first good probe of all, or enough of them in a row.
    Up,
    /// It does not: enough bad probes in a row.
    Down,
}

/// What a probe that tells no more than well or not has found.
impl<E> From<Result<(), E>> for Outcome {
    fn from(answer: Result<(), E>) -> Self {
        match answer {
            Ok(()) => Self::Success,
            Err(_) => Self::Failure(Cause::Error),
        }
    }
}
