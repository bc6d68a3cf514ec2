//! Fault tolerance for any tower service, declared rather than programmed.
//!
//! | I want | write |
//! |---|---|
//! | a circuit breaker | [`BreakerLayer::new("db", Plain)`](BreakerLayer) |
//! | MTBF, MTTR, availability | [`StatsLayer::new("db", Plain)`](StatsLayer) |
//! | to know whether it is well | [`HealthLayer::new("db", Plain)`](HealthLayer) |
//! | all of these, measured once | [`GuardLayer::new("db", Plain)`](GuardLayer) |
//! | to ask a service again | [`RetryLayer`] |
//! | replicas, and failover between them | [`Buttress::dispatch`] |
//! | policies from a file | [`Buttress`], feature `serde`; [every key](docs::config) |
//!
//! Pages: [how an endpoint is judged](docs::detection), [the order of the parts](docs::order), [policies from files](docs::config).
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

mod builder;
mod buttress;
mod clock;
mod dispatch;
#[cfg(any(doc, doctest))]
pub mod docs;
mod guard;
mod host;
mod labelled;
mod plain;
mod policy;
mod probe;
mod timer;

pub use builder::ServiceBuilderExt;
pub use buttress::Buttress;
pub use buttress_core::{
    Attempt, BreakerPolicy, Budget, Cause, Causes, Clock, Counts, Coverage, Decided, Decisions,
    Delay, Describe, Destination, EjectionPolicy, Endpoint, Enforce, EnforcePolicy, Episode, Event,
    EventKind, Events, EwmaPolicy, Explanation, FaultKind, Force, Health, HealthPolicy, Hold,
    InvalidEndpoint, Labels, Nanos, Origin, Outcome, Panic, PeersPolicy, Permit, PhiPolicy,
    PickPolicy, Place, PolicyError, ProbePolicy, Protocol, RampPolicy, RatePolicy, Ratio, Recent,
    Redundancy, Refusal, Registry, Reliability, Resend, Rhythm, Rule, Sign, SlowPolicy, Snapshot,
    State, Suspect, Tally, Threshold, Traffic, Trend, Verdict, Vitals, Window,
};
#[cfg(feature = "http")]
pub use buttress_http::{BodyError, BoxedHttp, GuardedBody, Http, HttpProbe, Replayable};
pub use clock::CLOCK;
pub use dispatch::{
    Connect, Dispatch, DispatchFuture, DispatchLayer, EndpointSets, Fixed, Never, RetryLayer, fixed,
};
pub use guard::{BreakerLayer, Guard, GuardFuture, GuardLayer, HealthLayer, StatsLayer};
pub use labelled::Labelled;
pub use plain::{Fault, Foreign, Idempotent, Plain};
pub use policy::Policy;
#[cfg(feature = "probe-tcp")]
pub use probe::TcpProbe;
pub use probe::{Asked, Probe, ServiceProbe};
