//! Asking endpoints whether they are well, between the calls.
//!
//! ```text
//! Rota (core)      Prober                    Probe          Target
//! who is due ───►  one task per destination  ask ─► Outcome ─► told, with the edge if there is one
//!            ◄───  results, hints, traffic ◄──────────────── suspect, calls
//! ```

mod prober;
mod running;
mod service;
mod target;
#[cfg(feature = "probe-tcp")]
mod tcp;

use std::pin::Pin;

use buttress_core::{Endpoint, Outcome};

pub(crate) use prober::{Probing, probe};
pub use service::ServiceProbe;
pub(crate) use target::{Target, Targets};
#[cfg(feature = "probe-tcp")]
pub use tcp::TcpProbe;

/// How an endpoint answered, once it has.
pub type ProbeFuture = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// How to ask an endpoint whether it is well.
///
/// Any `Fn(&Endpoint)` whose future tells `Result<(), E>`, or an [`Outcome`] where the cause matters. Only
/// [signs](Outcome::sign) count: one that is silent changes nothing, and the endpoint is asked again at its next turn.
///
/// # Cancel safety
///
/// The future is dropped when the probe's timeout is over, when its endpoint leaves the set, and with the last service.
///
/// # Panics
///
/// A probe that panics has failed; the others go on.
///
/// # Examples
///
/// ```
/// use buttress::{Endpoint, Probe};
///
/// fn takes(_: impl Probe) {}
/// takes(|endpoint: &Endpoint| {
///     let address = endpoint.address().to_owned();
///     async move { if address.is_empty() { Err("nowhere") } else { Ok(()) } }
/// });
/// ```
pub trait Probe: Send + Sync + 'static {
    /// Asks `endpoint`. To be called within a tokio runtime.
    fn ask(&self, endpoint: &Endpoint) -> ProbeFuture;
}

impl<F, Fut> Probe for F
where
    F: Fn(&Endpoint) -> Fut + Send + Sync + 'static,
    Fut: Future + Send + 'static,
    Fut::Output: Into<Outcome>,
{
    fn ask(&self, endpoint: &Endpoint) -> ProbeFuture {
        let answer = self(endpoint);
        Box::pin(async move { answer.await.into() })
    }
}

#[cfg(test)]
mod tests;
