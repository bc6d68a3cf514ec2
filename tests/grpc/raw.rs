//! Servers made by hand, that say what no orderly server says.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame};
use tokio::time::{Sleep, sleep};

/// What it says after the head, which has been sent by then.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rest {
    /// This status, without any message.
    Status(&'static str),
    /// Nothing: the stream ends without trailers.
    Nothing,
}

/// An answer that begins some time after its head.
pub(crate) struct Begins {
    rest: Option<Rest>,
    after: Pin<Box<Sleep>>,
}

impl Body for Begins {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.after.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(match self.rest.take() {
            Some(Rest::Status(code)) => {
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", HeaderValue::from_static(code));
                Some(Ok(Frame::trailers(trailers)))
            }
            Some(Rest::Nothing) | None => None,
        })
    }
}

/// A service that begins every answer with a plain head.
pub(crate) fn heads_first(
    rest: Rest,
) -> impl tower::Service<
    Request<hyper::body::Incoming>,
    Response = Response<Begins>,
    Error = Infallible,
    Future: Send + 'static,
> + Clone
+ Send
+ 'static {
    tower::service_fn(move |_: Request<hyper::body::Incoming>| async move {
        let body = Begins {
            rest: Some(rest),
            after: Box::pin(sleep(Duration::from_millis(20))),
        };
        let head = Response::builder().header("content-type", "application/grpc");
        Ok(head
            .body(body)
            .unwrap_or_else(|_| unreachable!("a checked head")))
    })
}
