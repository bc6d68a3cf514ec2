//! Handlers that panic.

mod future;
mod layer;

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Poll},
};

use buttress_core::{Cause, Outcome};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body::Body;
use tower_service::Service;

use crate::{GuardedBody, problem::Problem};
pub use future::CatchPanicFuture;
pub use layer::CatchPanicLayer;

/// Answers in the place of a service that panics; see [`CatchPanicLayer`].
#[derive(Clone)]
pub struct CatchPanic<S>(S);

/// Among the extensions of an answer that stands for a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panicked;

/// In whose words it is answered.
#[derive(Clone, Copy, Debug)]
enum Tongue {
    Http,
    Grpc,
}

impl<S> CatchPanic<S> {
    /// The wrapped service.
    pub const fn get_ref(&self) -> &S {
        &self.0
    }

    /// The wrapped service.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.0
    }

    /// The wrapped service.
    pub fn into_inner(self) -> S {
        self.0
    }
}

impl<S, Req, Res> Service<Request<Req>> for CatchPanic<S>
where
    S: Service<Request<Req>, Response = Response<Res>>,
    Res: Body,
{
    type Response = Response<GuardedBody<Res>>;
    type Error = S::Error;
    type Future = CatchPanicFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Req>) -> Self::Future {
        let tongue = Tongue::of(request.headers());
        let inner = &mut self.0;
        // Whatever the service is left like: it is called again, as it would be on another connection.
        let called = catch_unwind(AssertUnwindSafe(|| inner.call(request)));
        CatchPanicFuture::new(called.ok(), tongue)
    }
}

impl Tongue {
    fn of(headers: &HeaderMap) -> Self {
        let grpc = |kind: &HeaderValue| kind.as_bytes().starts_with(b"application/grpc");
        if headers.get(CONTENT_TYPE).is_some_and(grpc) {
            Self::Grpc
        } else {
            Self::Http
        }
    }

    /// Without a word of the panic: what it says is for whoever runs the server.
    fn answer<B>(self) -> Response<GuardedBody<B>> {
        let words = "the handler of this request panicked";
        let mut response = match self {
            Self::Http => Problem {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                detail: words,
                reason: "panicked",
                retry_after: None,
            }
            .response(),
            Self::Grpc => {
                let mut response = Response::new(Bytes::new());
                for (name, value) in [
                    ("content-type", "application/grpc"),
                    // INTERNAL.
                    ("grpc-status", "13"),
                    ("grpc-message", words),
                ] {
                    let value = HeaderValue::from_static(value);
                    response.headers_mut().insert(name, value);
                }
                response
            }
        };
        response.extensions_mut().insert(Panicked);
        response.map(|words| {
            if words.is_empty() {
                GuardedBody::empty()
            } else {
                GuardedBody::refusal(words)
            }
        })
    }
}

/// How an answer counts that stands for a panic.
pub(crate) fn outcome<B>(response: &Response<B>) -> Option<Outcome> {
    // Only of a 500, so that others are not looked into.
    let failed = response.status() == StatusCode::INTERNAL_SERVER_ERROR;
    let panicked = failed && response.extensions().get::<Panicked>().is_some();
    panicked.then_some(Outcome::Failure(Cause::Panic))
}

impl<S: fmt::Debug> fmt::Debug for CatchPanic<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CatchPanic").field(&self.0).finish()
    }
}

#[cfg(test)]
mod tests;
