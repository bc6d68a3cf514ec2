//! Bodies that pause for no longer than that.

use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

mod body;
mod future;
mod layer;

pub use body::IdleBody;
pub use future::IdleFuture;
pub use layer::IdleLayer;

/// A service whose bodies pause for no longer than that. See [`IdleLayer`].
#[derive(Clone, Copy, Debug)]
pub struct Idle<S> {
    inner: S,
    layer: IdleLayer,
}

impl<S, B, R> Service<Request<B>> for Idle<S>
where
    S: Service<Request<IdleBody<B>>, Response = Response<R>>,
{
    type Response = Response<IdleBody<R>>;
    type Error = S::Error;
    type Future = IdleFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let IdleLayer {
            requests,
            responses,
        } = self.layer;
        let request = request.map(|body| IdleBody::new(body, requests));
        IdleFuture::new(self.inner.call(request), responses)
    }
}
