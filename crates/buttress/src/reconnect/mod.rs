//! A service that is made anew when it breaks.

mod attempt;
mod future;
mod layer;
mod link;
mod rules;
mod state;
mod wait;

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use buttress_core::Protocol;
use tower_service::Service;

pub use future::ReconnectFuture;
pub use layer::ReconnectLayer;

use link::Link;
use state::Connection;

use crate::Handle;

/// A service that is made anew when it breaks. Clones share one connection.
///
/// `poll_ready` is always ready: the connection is waited for in the call, whose deadline bounds that, and whose failure it
/// is when there is none. A request is handed over to a connection that is ready, and to one only; what was on a connection
/// when it broke fails with its own error. Whether that is sent again is for [`RetryLayer`](crate::RetryLayer) to know.
///
/// # Cancel safety
///
/// A connection is made by a task of its own: it is made for whoever still waits when others, or all, have gone away. It ends
/// with the last clone.
#[derive(Clone)]
pub struct Reconnect<S, P> {
    link: Arc<Link<S>>,
    protocol: P,
    /// A clone of our own of the connection last used: while it is the one in use, calls take no lock.
    connection: Option<Connection<S>>,
}

impl<S: Clone + Send + 'static, P> Reconnect<S, P> {
    fn new(link: Link<S>, protocol: P) -> Self {
        Self {
            link: Arc::new(link),
            protocol,
            connection: None,
        }
    }

    /// Begins with a connection that was made already: where a program is not to start without one.
    #[must_use]
    pub fn connected(self, service: S) -> Self {
        self.link.connected(service);
        self
    }

    fn connection(&mut self) -> Option<Connection<S>> {
        let known = self.connection.as_ref();
        if !known.is_some_and(|known| self.link.is_live(known.generation)) {
            self.connection = self.link.connection();
        }
        self.connection.clone()
    }
}

impl<S, P> Reconnect<S, P> {
    /// The connection in somebody's hand: to look at it, and to hear what happens.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::of(self.link.rules.vitals.clone())
    }
}

impl<S, P, Req> Service<Req> for Reconnect<S, P>
where
    S: Service<Req, Error: fmt::Display> + Clone + Send + 'static,
    P: Protocol<S::Response, S::Error>,
{
    type Response = P::Response;
    type Error = P::Error;
    type Future = ReconnectFuture<S, P, Req>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), P::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let connection = self.connection();
        let link = Arc::clone(&self.link);
        ReconnectFuture::new(link, self.protocol.clone(), request, connection)
    }
}

impl<S, P> fmt::Debug for Reconnect<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconnect")
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}
