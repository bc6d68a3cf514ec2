//! HTTP as a [buttress](https://docs.rs/buttress) protocol.
//!
//! [`Http`](struct@Http) tells how a response went by its status, which requests may be handled twice by their method or key, and
//! says no with `503` and `Retry-After`. A response's body becomes a [`GuardedBody`], which knows when the call is over.
//!
//! # Examples
//!
//! ```
//! use buttress_core::{Outcome, Protocol};
//! use buttress_http::Http;
//! use http_body_util::Empty;
//!
//! type Answer = http::Response<Empty<bytes::Bytes>>;
//! let classify = |status: u16| {
//!     let mut answer = Answer::default();
//!     *answer.status_mut() = http::StatusCode::from_u16(status).unwrap();
//!     Protocol::<Answer, std::io::Error>::classify(&Http, Ok(&answer))
//! };
//! assert_eq!(classify(204), Outcome::Success);
//! assert_eq!(classify(404), Outcome::CallerFault);
//! ```

mod at;
mod body_error;
mod classify;
mod date;
mod deadline;
mod discard;
mod errors;
mod grammar;
mod grpc;
mod guarded_body;
mod hints;
mod hops;
mod http;
mod idle;
mod key;
mod panics;
mod probe;
mod problem;
mod refuse;
mod replay;
#[cfg(feature = "reqwest")]
mod reqwest;
mod resend;
mod serving;
mod trust;
mod written;

pub use self::http::{BoxedHttp, Http};
pub use at::At;
pub use body_error::BodyError;
pub use deadline::DEADLINE_HEADER;
pub use discard::Discarding;
pub use errors::{BoxedErrors, Errors, TypedErrors};
pub use grpc::{
    BoxedGrpc, Filled, GRPC_TIMEOUT_HEADER, Grpc, GrpcProbe, PREVIOUS_ATTEMPTS_HEADER,
    PUSHBACK_HEADER,
};
pub use guarded_body::GuardedBody;
pub use hops::{ATTEMPT_HEADER, BUDGET_HEADER, EPOCH_HEADER};
pub use idle::{Idle, IdleBody, IdleFuture, IdleLayer};
pub use key::{ByHeader, ByHost};
pub use panics::{CatchPanic, CatchPanicFuture, CatchPanicLayer, Panicked};
pub use probe::HttpProbe;
pub use replay::{Once, Replay, ReplayError, Replayable};
pub use serving::{GrpcHealth, HealthBody, HealthPage, Heartbeat, Serving};
pub use trust::{TrustBoundary, TrustBoundaryLayer};
