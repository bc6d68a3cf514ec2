//! The laws of `Service`, as tests that panic with the law broken.
//!
//! Each law wraps a fresh [`Scripted`] by the closure it is given. The wrapper is to be set up so that a healthy service is served as if
//! it were bare: it admits eight calls at once, and a dozen failures neither open nor eject anything.
//!
//! Run them under paused tokio time. A wrapper that never answers then fails at once rather than hanging the test.

mod drops;
mod errors;
mod readiness;
#[cfg(test)]
mod tests;
mod together;
mod wakes;

use std::{
    fmt,
    future::{Future, poll_fn},
    time::Duration,
};

use tower_service::Service;

pub use self::{
    drops::releases_on_drop,
    errors::{carries, passes_errors},
    readiness::{calls_only_what_is_ready, keeps_readiness},
    together::serves_clones_together,
    wakes::wakes_only_on_events,
};
use crate::{BoxError, Script, Scripted, wake::settle};

/// Which form of the laws a wrapper is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Laws {
    /// Whether `poll_ready` of the wrapper waits for that of the inner service. If not, as when a dispatcher picks in `call`, it is
    /// always ready and the future waits instead.
    pub forwards_readiness: bool,
}

impl Default for Laws {
    fn default() -> Self {
        Self {
            forwards_readiness: true,
        }
    }
}

impl Laws {
    /// The laws for a wrapper that is always ready and waits for the inner service in its future.
    #[must_use]
    pub const fn picking_in_call() -> Self {
        Self {
            forwards_readiness: false,
        }
    }

    /// Checks every law in this form.
    ///
    /// # Panics
    ///
    /// If a law is broken.
    pub async fn check<S, F>(self, wrap: F)
    where
        F: Fn(Scripted) -> S,
        S: Service<u64, Response = u64> + Clone,
        S::Error: Into<BoxError>,
    {
        calls_only_what_is_ready(&wrap).await;
        keeps_readiness(&wrap).await;
        wakes_only_on_events(self, &wrap).await;
        releases_on_drop(&wrap).await;
        passes_errors(&wrap, |error, text| carries(&*error.into(), text)).await;
        serves_clones_together(&wrap).await;
    }
}

/// Checks every law on a wrapper that passes on the readiness of the inner service; for others see [`Laws::check`].
///
/// # Panics
///
/// If a law is broken.
///
/// # Examples
///
/// ```
/// use buttress_test::{FaultLayer, obeys_the_laws};
/// use tower_layer::Layer;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// obeys_the_laws(|inner| FaultLayer::new(42).layer(inner)).await;
/// # }
/// ```
pub async fn obeys_the_laws<S, F>(wrap: F)
where
    F: Fn(Scripted) -> S,
    S: Service<u64, Response = u64> + Clone,
    S::Error: Into<BoxError>,
{
    Laws::default().check(wrap).await;
}

/// Longer than any timer a layer would set; costs nothing under paused time.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// One law under test, with what it is tested on.
struct Case {
    law: &'static str,
    script: Script,
}

impl Case {
    fn new<S>(law: &'static str, wrap: &impl Fn(Scripted) -> S) -> (Self, S) {
        let inner = Scripted::new();
        let script = inner.script();
        (Self { law, script }, wrap(inner))
    }

    #[expect(clippy::panic, reason = "a broken law fails the test that checks it")]
    fn broken(&self, what: impl fmt::Display) -> ! {
        panic!("broken law: {}: {what}", self.law)
    }

    fn hold(&self, holds: bool, what: impl fmt::Display) {
        if !holds {
            self.broken(what);
        }
    }

    async fn within<F: Future>(&self, future: F) -> F::Output {
        match tokio::time::timeout(PATIENCE, future).await {
            Ok(output) => output,
            Err(_) => self.broken("it never came ready"),
        }
    }

    async fn ready<S>(&self, service: &mut S)
    where
        S: Service<u64>,
        S::Error: Into<BoxError>,
    {
        if let Err(error) = self.within(poll_fn(|cx| service.poll_ready(cx))).await {
            self.broken(format_args!("poll_ready failed: {}", error.into()));
        }
    }

    /// The service echoes; so must the wrapper.
    async fn echoes<F, E>(&self, request: u64, future: F)
    where
        F: Future<Output = Result<u64, E>>,
        E: Into<BoxError>,
    {
        let answer = self.within(future).await;
        self.echoed(request, answer);
    }

    fn echoed<E: Into<BoxError>>(&self, request: u64, answer: Result<u64, E>) {
        match answer {
            Ok(answer) => self.hold(
                answer == request,
                format_args!("{request} was answered by {answer}"),
            ),
            Err(error) => self.broken(format_args!("the call failed: {}", error.into())),
        }
    }

    /// No breach of the contract was noted by the inner service.
    fn no_violations(&self) {
        if let Some(violation) = self.script.violations().first() {
            self.broken(format_args!("the inner service was: {violation}"));
        }
    }

    async fn no_live_futures(&self, after: impl fmt::Display) {
        settle().await;
        let live = self.script.counts().live;
        self.hold(
            live == 0,
            format_args!("{live} inner futures live after {after}"),
        );
    }

    async fn nothing_held(&self, after: impl fmt::Display) {
        self.no_live_futures(&after).await;
        let held = self.script.counts().reservations;
        self.hold(
            held == 0,
            format_args!("{held} reservations held after {after}"),
        );
    }
}
