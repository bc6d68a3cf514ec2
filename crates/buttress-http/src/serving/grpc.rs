//! `grpc.health.v1.Health`, by hand: two messages of one field each need no generated code.

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body::{Body, Frame};
use tokio::time::timeout;
use tower_service::Service;

use super::{Serving, Status, wire};
use crate::grpc::status::{MESSAGE, STATUS};

/// Dependencies do not say when they are out, and their time also passes. Nobody notices a second.
const LOOKED_AT: Duration = Duration::from_secs(1);

/// No service has a longer name.
const LONGEST: usize = 4096;

const OK: u16 = 0;
const INVALID_ARGUMENT: u16 = 3;
const NOT_FOUND: u16 = 5;
const UNIMPLEMENTED: u16 = 12;
const UNAVAILABLE: u16 = 14;

type Answer = Response<HealthBody>;

/// The service `grpc.health.v1.Health` over the same state as [the pages](super::HealthPage): `Check` and `Watch`.
///
/// `Watch` tells a change at once where it was made here, and within a second where a dependency made it. While the process drains it says
/// `NOT_SERVING` and ends, for a stream that stays open would hold its server back from stopping.
///
/// With the feature `tonic` it goes into `Server::add_service`. Without it, axum routes to it: `/grpc.health.v1.Health/{*rest}`.
#[derive(Clone)]
pub struct GrpcHealth(Serving);

impl GrpcHealth {
    pub(super) const fn new(serving: Serving) -> Self {
        Self(serving)
    }
}

impl<B> Service<Request<B>> for GrpcHealth
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let serving = self.0.clone();
        Box::pin(async move { Ok(answer(serving, request).await) })
    }
}

async fn answer<B: Body>(serving: Serving, request: Request<B>) -> Answer {
    let watches = match request.uri().path() {
        "/grpc.health.v1.Health/Check" => false,
        "/grpc.health.v1.Health/Watch" => true,
        _ => return no(UNIMPLEMENTED, "there is Check, and there is Watch"),
    };
    let Some(name) = read(request.into_body()).await else {
        return no(
            INVALID_ARGUMENT,
            "not a request for the health of a service",
        );
    };
    match serving.status(&name) {
        _ if watches => yes(HealthBody(State::Watching(watch(serving, name, None)))),
        Status::Unknown => no(NOT_FOUND, "unknown service"),
        status => yes(HealthBody(State::Last(status))),
    }
}

/// The name asked for, of a body that is no longer than it has to be.
async fn read<B: Body>(body: B) -> Option<String> {
    let mut body = pin!(body);
    let mut whole = Vec::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let Ok(mut data) = frame.ok()?.into_data() else {
            break;
        };
        if data.remaining() > (LONGEST + wire::PREFIX).saturating_sub(whole.len()) {
            return None;
        }
        while data.has_remaining() {
            let part = data.chunk();
            let size = part.len();
            whole.extend_from_slice(part);
            data.advance(size);
        }
    }
    wire::service(&whole)
}

fn yes(body: HealthBody) -> Answer {
    let mut response = Response::new(body);
    let kind = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// A head that is all there is.
fn no(code: u16, message: &'static str) -> Answer {
    let mut response = yes(HealthBody(State::Over));
    response.headers_mut().extend(trailers(code, message));
    response
}

fn trailers(code: u16, message: &'static str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert(STATUS, HeaderValue::from(code));
    if !message.is_empty() {
        trailers.insert(MESSAGE, HeaderValue::from_static(message));
    }
    trailers
}

/// What is to be said next of a service, and how it goes on.
type Next = Pin<Box<dyn Future<Output = (Status, Serving, String)> + Send>>;

/// Waits until there is something else to say than was `said`, or nothing more to wait for: whoever drains ends its streams.
fn watch(serving: Serving, name: String, said: Option<Status>) -> Next {
    Box::pin(async move {
        let mut changes = serving.0.changed.subscribe();
        loop {
            changes.mark_unchanged();
            let status = serving.status(&name);
            if Some(status) != said || serving.is_draining() {
                return (status, serving, name);
            }
            // The sender is in `serving`: it cannot be gone.
            let _ = timeout(LOOKED_AT, changes.changed()).await;
        }
    })
}

/// An answer about health.
pub struct HealthBody(State);

enum State {
    /// One more message, and trailers.
    Last(Status),
    /// As many messages as there is something to say.
    Watching(Next),
    Trailers(u16, &'static str),
    Over,
}

impl Body for HealthBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let (frame, next) = match &mut self.0 {
            State::Last(status) => (Frame::data(wire::answer(*status)), State::Trailers(OK, "")),
            State::Watching(next) => {
                let (status, serving, name) = ready!(next.as_mut().poll(cx));
                let next = if serving.is_draining() {
                    State::Trailers(UNAVAILABLE, "draining")
                } else {
                    State::Watching(watch(serving, name, Some(status)))
                };
                (Frame::data(wire::answer(status)), next)
            }
            State::Trailers(code, message) => {
                (Frame::trailers(trailers(*code, message)), State::Over)
            }
            State::Over => return Poll::Ready(None),
        };
        self.0 = next;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, State::Over)
    }
}

#[cfg(feature = "tonic")]
impl tonic::server::NamedService for GrpcHealth {
    const NAME: &'static str = "grpc.health.v1.Health";
}

impl fmt::Debug for GrpcHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GrpcHealth").field(&self.0).finish()
    }
}

impl fmt::Debug for HealthBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HealthBody")
    }
}
