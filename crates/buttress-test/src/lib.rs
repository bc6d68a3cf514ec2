//! Tools for testing tower layers, whoever wrote them. Each can be used alone, and none depends on the rest of buttress.
//!
//! | Tool | What for |
//! | --- | --- |
//! | [`obeys_the_laws`] | does a layer keep the contract of `Service`, on every path a user can take? |
//! | [`Scripted`] | an inner service that answers by script and notes how it was treated |
//! | [`cancel_everywhere`] | is everything released when a future is dropped at any of its awaits? |
//! | [`FaultLayer`] | latency, stalls, errors, hangs and resets, by seed, switched at run time |
//!
//! All but the last are for paused tokio time: `#[tokio::test(start_paused = true)]`, which needs the features `macros`, `rt` and
//! `test-util` of tokio in your dev-dependencies.
//!
//! # The laws
//!
//! ```
//! use tower_layer::{Identity, Layer};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let layer = Identity::new(); // your layer here
//! buttress_test::obeys_the_laws(|inner| layer.layer(inner)).await;
//! # }
//! ```
//!
//! Each law is a function of its own in [`laws`], and more are for layers that count attempts: see [`Laws::check_counted`].
//!
//! # A scripted service
//!
//! ```
//! use std::{future::poll_fn, time::Duration};
//! use buttress_test::{Answer, Readiness, Scripted};
//! use tower_service::Service;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), buttress_test::BoxError> {
//! let mut service = Scripted::new();
//! let script = service.script();
//! script
//!     .ready_next(Readiness::PendingOnce(Duration::from_secs(1)))
//!     .answer_always(Answer::After(Duration::from_secs(2)));
//!
//! poll_fn(|cx| service.poll_ready(cx)).await?;
//! assert_eq!(script.counts().reservations, 1);
//! assert_eq!(service.call(7).await?, 7);
//! # Ok(())
//! # }
//! ```
//!
//! # Cancellation at every await
//!
//! ```
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let polls = buttress_test::cancel_everywhere(
//!     || tokio::time::sleep(Duration::from_secs(1)),
//!     |k| println!("dropped after {k} polls; all released?"),
//! )
//! .await;
//! assert_eq!(polls, 2);
//! # }
//! ```
//!
//! # Faults
//!
//! ```
//! use std::future::poll_fn;
//! use buttress_test::{FaultLayer, Faults, Scripted};
//! use tower_layer::Layer;
//! use tower_service::Service;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), buttress_test::BoxError> {
//! let layer = FaultLayer::new(42).faults(Faults::none().error(1.0));
//! let handle = layer.handle();
//! let mut service = layer.layer(Scripted::new());
//!
//! poll_fn(|cx| service.poll_ready(cx)).await?;
//! assert!(service.call(1).await.is_ok(), "off until enabled");
//!
//! handle.enable();
//! poll_fn(|cx| service.poll_ready(cx)).await?;
//! assert!(service.call(2).await.is_err());
//! # Ok(())
//! # }
//! ```

mod cancel;
mod fault;
pub mod laws;
mod script;
mod wake;

/// Any error, as tower has it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

pub use self::{
    cancel::{UpTo, cancel_everywhere},
    fault::{
        FaultFuture, FaultHandle, FaultKind, FaultLayer, FaultPlan, FaultService, Faults,
        InjectedFault,
    },
    laws::{Laws, obeys_the_laws},
    script::{
        Answer, Counts, Readiness, Script, Scripted, ScriptedError, ScriptedFuture, Violation,
    },
};
