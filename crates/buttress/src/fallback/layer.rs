//! Makes [`Fallback`]s.

use std::sync::Arc;

use buttress_core::Calls;
use tower_layer::Layer;

use super::{Backed, Fallback, Plan};

/// Puts something in the place of a service that fails; what, says [`instead`](crate::instead).
///
/// It belongs outside of whatever refuses or asks again, for that is to fail first; see [the order](crate::docs::order).
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tower::BoxError> {
/// use buttress::{FallbackLayer, GuardLayer, Plain, instead};
/// use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
///
/// let guard = GuardLayer::new("prices", Plain);
/// let destination = guard.handle().vitals().destination();
/// let fallback = FallbackLayer::of(destination.calls(), Plain, instead::value(100));
/// let broken = service_fn(async |_: &'static str| Err::<u32, _>(BoxError::from("broken")));
/// let service = ServiceBuilder::new().layer(fallback).layer(guard).service(broken);
/// assert_eq!(service.oneshot("apples").await?, 100);
/// assert_eq!(destination.calls().counts().degraded, 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct FallbackLayer<P>(P);

impl<P, I> FallbackLayer<Backed<P, I>> {
    /// Puts `instead` in the place of what `protocol` calls a failure. It counts for itself.
    pub fn new(protocol: P, instead: I) -> Self {
        Self::of(&Calls::new(), protocol, instead)
    }

    /// The same, counted among the calls to the destination it stands in for.
    /// [`Buttress::fallback`](crate::Buttress::fallback) finds them by name.
    pub fn of(calls: &Calls, protocol: P, instead: I) -> Self {
        let calls = calls.clone();
        let plan = Arc::new(Plan { instead, calls });
        Self(Backed { protocol, plan })
    }

    /// The calls it counts: [`degraded`](buttress_core::CallCounts::degraded) where something else answered.
    pub fn calls(&self) -> &Calls {
        &self.0.plan.calls
    }
}

impl<S, P: Clone> Layer<S> for FallbackLayer<P> {
    type Service = Fallback<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        Fallback {
            inner,
            backed: self.0.clone(),
            unready: None,
        }
    }
}
