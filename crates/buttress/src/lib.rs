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
//! | `/livez`, `/readyz`, gRPC health, and an end that loses nothing | [`Buttress::serving`]; [servers](docs::servers) |
//! | an answer where a handler panics | [`CatchPanicLayer`] |
//! | replicas for a client that goes where its requests say | [`At`] |
//! | policies from a file | [`Buttress`], feature `serde`; [every key](docs::config) |
//!
//! Pages: [how an endpoint is judged](docs::detection), [the order of the parts](docs::order),
//! [whom to ask, and how many](docs::redundancy), [deadlines](docs::deadlines), [too much to do](docs::overload), [HTTP](docs::http),
//! [servers](docs::servers), [policies from files](docs::config). Coming from [tower](docs::coming_from_tower), from
//! [tower-resilience](docs::coming_from_tower_resilience), from [Envoy](docs::coming_from_envoy).
//!
//! # Examples
//!
//! Any service:
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
//!
//! The others are the hearts of programs under `examples/` that start what they need and say whether their claim held.
//!
//! An axum server, which needs no `HandleErrorLayer`; [more on servers](docs::servers):
//!
//! ```ignore
//! // examples/axum_server.rs
//! Router::new()
//!     .route("/orders/{millis}", post(place).route_layer(buttress.guard("orders", Http)?))
//!     .route("/search", get(search).route_layer(buttress.guard("search", Http)?))
//!     .layer(CatchPanicLayer::new())
//!     .route_service("/livez", serving.livez())
//!     .route_service("/readyz", serving.readyz())
//! ```
//!
//! A hyper client over replicas, and one of reqwest's, which keeps its types:
//!
//! ```ignore
//! // examples/hyper_client.rs
//! let hyper = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
//! let inventory = buttress.dispatch("inventory", Http, fixed(addresses.clone())?, move |endpoint| {
//!     At::new(endpoint, hyper.clone())
//! })?;
//! ```
//!
//! ```ignore
//! // examples/reqwest_client.rs
//! let shop = buttress.dispatch("shop", Http, replicas, move |endpoint| {
//!     At::new(endpoint, to.clone())
//! })?;
//! ```
//!
//! A generated tonic client over replicas, unchanged:
//!
//! ```ignore
//! // examples/tonic_client.rs
//! let replicas = buttress.dispatch("inventory", grpc, fixed(addresses)?, |endpoint| {
//!     Channel::builder(endpoint.address().parse().expect("a checked address")).connect_lazy()
//! })?;
//! let mut client = InventoryClient::new(replicas);
//! ```
//!
//! A circuit breaker and nothing else:
//!
//! ```ignore
//! // examples/breaker_only.rs
//! let layer = BreakerLayer::new("db", Plain);
//! let handle = layer.handle();
//! let db = ServiceBuilder::new().layer(layer).service(database);
//! ```
//!
//! A pool of database connections, with its own error type:
//!
//! ```ignore
//! // examples/any_service.rs
//! let layer = GuardLayer::with_policy("db", Foreign, &policy)?;
//! let handle = layer.handle();
//! let db = ServiceBuilder::new()
//!     .layer(layer)
//!     .service(service_fn(move |sql| pool.clone().query(sql)));
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
#[cfg(feature = "http")]
mod serving;
mod supervise;
mod terms;
mod tightened;
mod timer;
mod waiters;

pub use ambient::{Carried, carry, current_call};
pub use builder::ServiceBuilderExt;
pub use buttress::Buttress;
pub use buttress_core::{
    AdaptivePolicy, Admission, Ask, Attempt, BackoffPolicy, Blame, Blamed, BreakerPolicy,
    BreakerState, Budget, Call, CallCounts, Calls, Cause, Causes, Clock, Counts, Coverage, Decided,
    Decisions, Delay, Describe, Destination, Discard, Due, EjectionPolicy, End, Endpoint, Enforce,
    EnforcePolicy, Episode, Event, EventKind, Events, EwmaPolicy, Explanation, FaultKind, Favoured,
    Fence, Force, Growth, Health, HealthPolicy, Hold, InvalidEndpoint, Jitter, Key, KeyOf, Labels,
    LimitPolicy, Limiter, Nanos, Origin, Outcome, PanicMode, PeersPolicy, Permit, PhiPolicy,
    PickPolicy, Place, PolicyError, Priority, ProbePolicy, Protocol, RampPolicy, RatePolicy, Ratio,
    Receipt, Recent, ReconnectPolicy, Recovery, Redact, Redundancy, Refusal, Registry, Reliability,
    Resend, Restart, Rhythm, Rule, ShedPolicy, Sign, SlowPolicy, Snapshot, StaleEpoch, Stamp,
    SupervisorPolicy, Suspect, Tally, Threshold, ThrottlePolicy, Ticket, Traffic, Trend,
    TrialPolicy, UnknownName, Verdict, Vitals, Window,
};
#[cfg(feature = "http")]
pub use buttress_http::{
    ATTEMPT_HEADER, At, BUDGET_HEADER, BodyError, BoxedErrors, BoxedGrpc, BoxedHttp, ByHeader,
    ByHost, CatchPanic, CatchPanicFuture, CatchPanicLayer, DEADLINE_HEADER, Discarding,
    EPOCH_HEADER, Errors, Filled, GRPC_TIMEOUT_HEADER, Grpc, GrpcHealth, GrpcProbe, GuardedBody,
    HealthBody, HealthPage, Heartbeat, Http, HttpProbe, Idle, IdleBody, IdleFuture, IdleLayer,
    Once, PREVIOUS_ATTEMPTS_HEADER, PUSHBACK_HEADER, Panicked, Replay, ReplayError, Replayable,
    Serving, TrustBoundary, TrustBoundaryLayer, TypedErrors,
};
pub use clock::CLOCK;
pub use dispatch::{
    Connect, Dispatch, DispatchFuture, DispatchLayer, EndpointSets, Fixed, MirroredTrials,
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
pub use probe::{Probe, ProbeFuture, ServiceProbe};
pub use reconnect::{Reconnect, ReconnectFuture, ReconnectLayer};
pub use supervise::{Exit, GaveUp, IntoExit, StartError, Stop, Stopped, Supervisor};
pub use tightened::Tightened;
