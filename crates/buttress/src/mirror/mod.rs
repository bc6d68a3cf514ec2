//! A share of calls, sent to a second service as well.
//!
//! ```text
//! call ─► first ───────────────────► answer ─► caller
//!    └──► copy ─► account ─► second ─► answer ─┴─► digests: the same?  counted, and dropped
//! ```

mod compare;
mod counts;
mod future;
mod layer;
mod second;

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use buttress_core::{Describe, Discard, Protocol, Resend};
use tower_service::Service;

pub use compare::{ByDigest, Compare, Dropped};
pub use counts::MirrorCounts;
pub use future::MirrorFuture;
pub use layer::MirrorLayer;
pub use second::Second;

/// A service, a share of whose calls is sent to a second one as well. Its callers see the first alone.
///
/// Requests, responses and errors are those of the first. Clones share the second, its account and its counts.
#[derive(Debug)]
pub struct Mirror<S, M> {
    first: S,
    second: Arc<M>,
}

impl<S, M> Mirror<S, M> {
    /// The first service.
    pub const fn get_ref(&self) -> &S {
        &self.first
    }

    /// The first service.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.first
    }

    /// The first service.
    pub fn into_inner(self) -> S {
        self.first
    }
}

impl<S, T, P, C> Mirror<S, Second<T, P, C>> {
    /// What has become of the copies so far.
    #[must_use]
    pub fn counts(&self) -> MirrorCounts {
        self.second.counts()
    }
}

impl<S: Clone, M> Clone for Mirror<S, M> {
    fn clone(&self) -> Self {
        Self {
            first: self.first.clone(),
            second: Arc::clone(&self.second),
        }
    }
}

impl<S, T, P, C, Req> Service<Req> for Mirror<S, Second<T, P, C>>
where
    S: Service<Req>,
    T: Service<Req, Response = S::Response> + Clone + Send + Sync + 'static,
    T::Future: Send,
    T::Response: Send,
    T::Error: Send,
    P: Resend<Req>
        + Describe<Req>
        + Protocol<S::Response, T::Error>
        + Discard<S::Response>
        + Send
        + Sync
        + 'static,
    P::Discarding: Send,
    C: Compare<S::Response> + Send + Sync + 'static,
    Req: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = MirrorFuture<S::Future, P, C, C::Digest>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.first.poll_ready(cx)
    }

    fn call(&mut self, mut request: Req) -> Self::Future {
        let copy = self.second.copy(&mut request);
        let pair = copy.and_then(|copy| self.second.send(copy));
        MirrorFuture::new(
            self.first.call(request),
            Arc::clone(&self.second.jury),
            pair,
        )
    }
}
