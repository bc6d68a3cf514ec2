//! Waiting for a connection.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use super::{link::Link, state::Connection};

/// Waits for a connection. Others wait on when it is dropped, and the attempt goes on.
pub(super) struct Wait<S> {
    link: Arc<Link<S>>,
    /// Among those who wait; taken when it first had to.
    place: Option<u64>,
}

impl<S: Clone + Send + 'static> Wait<S> {
    pub(super) fn new(link: &Arc<Link<S>>) -> Self {
        Self {
            link: Arc::clone(link),
            place: None,
        }
    }

    /// The connection, or after how long to ask again.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Connection<S>, Duration>> {
        self.link.poll(&mut self.place, cx)
    }
}

impl<S> Drop for Wait<S> {
    fn drop(&mut self) {
        self.link.leave(self.place);
    }
}
