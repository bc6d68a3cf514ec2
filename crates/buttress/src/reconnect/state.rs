//! Where the connection stands.

use buttress_core::{Backoff, Nanos};
use tokio::task::AbortHandle;

use crate::waiters::Waiters;

/// A clone of the connection in use.
#[derive(Clone)]
pub(super) struct Connection<S> {
    pub(super) generation: u64,
    pub(super) service: S,
}

/// Where the connection stands, and who waits for it.
pub(super) struct State<S> {
    pub(super) phase: Phase<S>,
    /// Attempts to connect so far. The connection that one makes is of its generation.
    pub(super) attempts: u64,
    pub(super) backoff: Backoff,
    /// Is there an outage that is not over?
    pub(super) broken: bool,
    pub(super) waiters: Waiters,
}

pub(super) enum Phase<S> {
    /// There is none, and none is made before.
    Away { until: Nanos },
    /// One is being made.
    Connecting { task: Option<AbortHandle> },
    /// It is in use.
    Up(S),
}

impl<S: Clone> State<S> {
    pub(super) fn new(backoff: Backoff) -> Self {
        Self {
            phase: Phase::Away { until: Nanos::ZERO },
            attempts: 0,
            backoff,
            broken: false,
            waiters: Waiters::default(),
        }
    }

    /// A clone of `service`, which is in use.
    pub(super) fn on(&self, service: &S) -> Connection<S> {
        Connection {
            generation: self.attempts,
            service: service.clone(),
        }
    }
}
