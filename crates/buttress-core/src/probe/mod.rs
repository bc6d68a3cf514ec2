//! When to ask an endpoint whether it is well, without waiting for a call that would tell.

mod policy;
mod rota;
mod schedule;

pub use policy::ProbePolicy;
pub use rota::Rota;

/// What the probes of one endpoint found, when that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edge {
    /// It answers well: the first good probe of all, or enough of them in a row.
    Up,
    /// It does not: enough bad probes in a row.
    Down,
}
