//! The laws of `Service`, as tests that panic with the law broken.
//!
//! | Law | In words |
//! | --- | --- |
//! | [`calls_only_what_is_ready`] | `call` is for the very instance whose `poll_ready` said so |
//! | [`keeps_readiness`] | readiness once given stays until it is used |
//! | [`wakes_only_on_events`] | every `Pending` leaves a waker, and nothing wakes itself |
//! | [`releases_on_drop`] | whatever is dropped, wherever it stood, lets go of all it held |
//! | [`passes_errors`] | errors of the inner service come out as they went in |
//! | [`serves_clones_together`] | a call that hangs holds up no other |
//! | [`finishes_once`] | an attempt is finished exactly once, however it ends |
//! | [`waits_without_permit`] | an inner `Pending` holds no permit, and is nobody's failure |
//!
//! [`obeys_the_laws`] checks the first six, and [`Laws::check_counted`] all of them, on wrappers that count attempts.
//!
//! Each law wraps a fresh [`Scripted`] by the closure it is given. The wrapper is to be set up so that a healthy service is served as if
//! it were bare: it admits eight calls at once, and two dozen failures neither open nor eject anything.
//!
//! Run them under paused tokio time. A wrapper that never answers, or that wakes itself for ever, then fails at once rather than hanging
//! the test.

mod drops;
mod errors;
mod permits;
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
    permits::{Tally, finishes_once, waits_without_permit},
    readiness::{calls_only_what_is_ready, keeps_readiness},
    together::serves_clones_together,
    wakes::wakes_only_on_events,
};
use crate::{BoxError, Script, Scripted, UpTo, wake::settle};

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

    /// Checks, in this form, every law that any wrapper can be held to.
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
        wakes_only_on_events(self, &wrap).await;
        calls_only_what_is_ready(&wrap).await;
        keeps_readiness(&wrap).await;
        releases_on_drop(&wrap).await;
        passes_errors(&wrap, |error, text| carries(&*error.into(), text)).await;
        serves_clones_together(&wrap).await;
    }

    /// Checks every law on a wrapper that counts attempts; `tally` reads its counts.
    ///
    /// # Panics
    ///
    /// If a law is broken.
    pub async fn check_counted<S, F, T>(self, wrap: F, tally: T)
    where
        F: Fn(Scripted) -> S,
        S: Service<u64, Response = u64> + Clone,
        S::Error: Into<BoxError>,
        T: Fn(&S) -> Tally,
    {
        self.check(&wrap).await;
        finishes_once(&wrap, &tally).await;
        waits_without_permit(self, &wrap, &tally).await;
    }
}

/// Checks every law on a wrapper that passes on the readiness of the inner service.
///
/// For one that picks in `call` see [`Laws::check`], and for one that counts attempts [`Laws::check_counted`].
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
/// More polls than the events of any law can cause. Who wakes itself is never idle, so that paused time never moves and patience never ends.
const POLLS: usize = 1000;

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
        match tokio::time::timeout(PATIENCE, UpTo::new(future, POLLS)).await {
            Ok(Some(output)) => output,
            Ok(None) => self.broken(format_args!(
                "it was woken {POLLS} times and never came ready"
            )),
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
            format_args!("{live} inner futures alive after {after}"),
        );
    }

    async fn nothing_held(&self, after: impl fmt::Display) {
        self.no_live_futures(&after).await;
        let counts = self.script.counts();
        let (held, waiting) = (counts.reservations, counts.waiting);
        self.hold(
            held == 0,
            format_args!("{held} reservations held after {after}"),
        );
        self.hold(
            waiting == 0,
            format_args!("{waiting} clones in the queue for readiness after {after}"),
        );
    }
}
