//! The layer.

use std::time::Duration;

use tower_layer::Layer;

use super::Idle;

/// Ends bodies that pause for too long between two frames: uploads that trickle in or never end, answers that break off without a word.
///
/// It stands beside a deadline, which is for the whole of a call: a long transfer may take its time, as long as it moves. The body then
/// ends with an error in whose chain is a [`Refusal::Timeout`](buttress_core::Refusal::Timeout): of an answer, that counts against its
/// endpoint as a timeout; of a request, it is the fault of whoever sends it.
///
/// Only whoever reads waits. A peer that does not read what is sent to it is seen by the transport alone.
///
/// # Examples
///
/// ```
/// # use http::{Request, Response}; use tower_layer::Layer as _;
/// use std::time::Duration;
/// use buttress_http::IdleLayer;
///
/// # #[derive(Clone)] struct Client;
/// // A server's uploads and downloads: `Router::layer(idle)`. A client: below its guard, so that its endpoint answers for it.
/// let idle = IdleLayer::new(Duration::from_secs(10));
/// let client = idle.layer(Client);
/// # let _ = client;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleLayer {
    pub(super) requests: Option<Duration>,
    pub(super) responses: Option<Duration>,
}

impl IdleLayer {
    /// Neither requests nor responses pause for longer.
    #[must_use]
    pub const fn new(longest: Duration) -> Self {
        Self {
            requests: Some(longest),
            responses: Some(longest),
        }
    }

    /// Requests pause for no longer; responses may, as those do that tell of events.
    #[must_use]
    pub const fn requests(longest: Duration) -> Self {
        Self {
            requests: Some(longest),
            responses: None,
        }
    }

    /// Responses pause for no longer; requests may.
    #[must_use]
    pub const fn responses(longest: Duration) -> Self {
        Self {
            requests: None,
            responses: Some(longest),
        }
    }
}

impl<S> Layer<S> for IdleLayer {
    type Service = Idle<S>;

    fn layer(&self, inner: S) -> Idle<S> {
        Idle {
            inner,
            layer: *self,
        }
    }
}
