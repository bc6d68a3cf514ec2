//! Fault tolerance for any tower service, declared rather than programmed.
//!
//! | I want | write |
//! |---|---|
//! | a circuit breaker | [`BreakerLayer::new("db", Plain)`](BreakerLayer) |
//! | MTBF, MTTR, availability | [`StatsLayer::new("db", Plain)`](StatsLayer) |
//! | to know whether it is well | [`HealthLayer::new("db", Plain)`](HealthLayer) |
//! | all of these, measured once | [`GuardLayer::new("db", Plain)`](GuardLayer) |
//! | one for each host, tenant or route | [`GuardLayer::by`] |
//! | to take something out by hand, to hear what happens | [`GuardLayer::handle`], [`Buttress::handle`] |
//! | to ask a service again | [`RetryLayer`] |
//! | something in its place when it fails | [`FallbackLayer::new(Plain, instead::value(7))`](FallbackLayer) |
//! | replicas, and failover between them | [`Buttress::dispatch`] |
//! | a service that is made anew when it breaks | [`ReconnectLayer`] |
//! | background services that are run again when they fail | [`Supervisor`] |
//! | policies from a file | [`Buttress`], feature `serde`; [every key](docs::config) |
//!
//! Pages: [how an endpoint is judged](docs::detection), [the order of the parts](docs::order), [whom to ask, and how many](docs::redundancy), [deadlines](docs::deadlines), [too much to do](docs::overload), [policies from files](docs::config).
//!
//! # Examples
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tower::BoxError> {
//! use std::time::Duration;
//! use buttress::{Buttress, Idempotent, Plain, Policy, Redundancy, fixed};
//! use tower::{BoxError, ServiceExt, service_fn};
//!
//! let buttress = Buttress::new().policy(
//!     "inventory",
//!     Policy::new().deadline(Duration::from_secs(1)).redundancy(Redundancy::failover(3)),
//! );
//! let replicas = fixed(["10.0.0.1:80", "10.0.0.2:80"])?;
//! let service = buttress.dispatch("inventory", Idempotent(Plain), replicas, |endpoint| {
//!     let sick = endpoint.address() == "10.0.0.1:80";
//!     service_fn(move |id: u32| async move { if sick { Err(BoxError::from("broken")) } else { Ok(id) } })
//! })?;
//! assert_eq!(service.oneshot(7).await?, 7);
//! # Ok(()) }
//! ```

mod ambient;
mod builder;
mod buttress;
mod clock;
mod dispatch;
#[cfg(any(doc, doctest))]
pub mod docs;
mod fallback;
mod guard;
mod handle;
mod host;
mod labelled;
mod mirror;
mod pass_on;
mod plain;
mod policy;
mod probe;
mod reconnect;
mod supervise;
mod terms;
mod tightened;
mod timer;
mod waiters;

pub use ambient::{Carried, carry, current_call};
pub use builder::ServiceBuilderExt;
pub use buttress::Buttress;
pub use buttress_core::{
    AdaptivePolicy, Admission, Ask, Attempt, BackoffPolicy, BreakerPolicy, Budget, Call,
    CallCounts, Calls, Cause, Causes, Clock, Counts, Coverage, Decided, Decisions, Delay, Describe,
    Destination, Discard, Due, EjectionPolicy, End, Endpoint, Enforce, EnforcePolicy, Episode,
    Event, EventKind, Events, EwmaPolicy, Explanation, FaultKind, Fence, Force, Growth, Health,
    HealthPolicy, Hold, InvalidEndpoint, Jitter, Key, KeyOf, Labels, LimitPolicy, Limiter, Nanos,
    Origin, Outcome, Panic, PeersPolicy, Permit, PhiPolicy, PickPolicy, Place, PolicyError,
    Priority, ProbePolicy, Protocol, RampPolicy, RatePolicy, Ratio, Receipt, Recent,
    ReconnectPolicy, Recovery, Redact, Redundancy, Refusal, Registry, Reliability, Resend, Restart,
    Rhythm, Rule, ShedPolicy, Sign, SlowPolicy, Snapshot, StaleEpoch, Stamp, State,
    SupervisorPolicy, Suspect, Tally, Threshold, ThrottlePolicy, Ticket, Traffic, Trend,
    TrialPolicy, UnknownName, Verdict, Vitals, Window,
};
#[cfg(feature = "http")]
pub use buttress_http::{
    ATTEMPT_HEADER, BUDGET_HEADER, BodyError, BoxedErrors, BoxedGrpc, BoxedHttp, ByHeader, ByHost,
    DEADLINE_HEADER, Discarding, EPOCH_HEADER, Errors, Filled, GRPC_TIMEOUT_HEADER, Grpc,
    GrpcProbe, GuardedBody, Http, HttpProbe, Idle, IdleBody, IdleFuture, IdleLayer, Once,
    PREVIOUS_ATTEMPTS_HEADER, PUSHBACK_HEADER, Replay, ReplayError, Replayable, TrustBoundary,
    TrustBoundaryLayer, TypedErrors,
};
pub use clock::CLOCK;
pub use dispatch::{
    Connect, Dispatch, DispatchFuture, DispatchLayer, EndpointSets, Fixed, MirroredTrials, Never,
    RetryLayer, fixed,
};
pub use fallback::{
    Backed, Failure, Fallback, FallbackFuture, FallbackLayer,
    instead::{self, Instead},
};
pub use guard::{
    BreakerLayer, By, Guard, GuardFuture, GuardLayer, HealthLayer, Keyed, KeyedLayer, StatsLayer,
};
pub use handle::{Handle, Handles, Subscription};
pub use labelled::Labelled;
pub use mirror::{
    ByDigest, Compare, Dropped, Mirror, MirrorCounts, MirrorFuture, MirrorLayer, Second,
};
pub use plain::{Fault, Foreign, Idempotent, Plain};
pub use policy::Policy;
#[cfg(feature = "probe-tcp")]
pub use probe::TcpProbe;
pub use probe::{Asked, Probe, ServiceProbe};
pub use reconnect::{Reconnect, ReconnectFuture, ReconnectLayer};
pub use supervise::{Exit, GaveUp, IntoExit, StartError, Stop, Stopped, Supervisor};
pub use tightened::Tightened;
