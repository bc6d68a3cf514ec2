use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tower_layer::Layer;
use tower_service::Service;

use super::{End, FaultFuture, FaultHandle, Faults, InjectedFault};

/// Puts faults in front of any service whose error can be made from an [`InjectedFault`], as [`BoxError`](crate::BoxError) can.
///
/// It is off until [`enable`](Self::enable)d here or by its [`handle`](Self::handle), and costs one relaxed load a call while off. All
/// services made from one layer share its switch, its faults and its draws: with one seed and one order of calls, the same calls are hit.
///
/// # Panics
///
/// A call that is to be delayed panics outside a tokio runtime with time enabled.
///
/// # Examples
///
/// ```
/// use std::future::poll_fn;
/// use buttress_test::{FaultLayer, Faults, Scripted};
/// use tower_layer::Layer;
/// use tower_service::Service;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), buttress_test::BoxError> {
/// let layer = FaultLayer::new(42)
///     .label("replica-a")
///     .faults(Faults::none().reset(1.0))
///     .enable();
/// let mut service = layer.layer(Scripted::new());
///
/// poll_fn(|cx| service.poll_ready(cx)).await?;
/// let error = service.call(1).await.unwrap_err();
/// assert_eq!(error.to_string(), "injected connection reset at replica-a");
///
/// layer.handle().set(Faults::none());
/// poll_fn(|cx| service.poll_ready(cx)).await?;
/// assert_eq!(service.call(2).await?, 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FaultLayer {
    handle: FaultHandle,
    label: Option<Arc<str>>,
}

impl FaultLayer {
    /// No faults, off, with draws from this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            handle: FaultHandle::new(seed),
            label: None,
        }
    }

    pub(super) fn planned(handle: FaultHandle, label: &str) -> Self {
        Self {
            handle,
            label: None,
        }
        .label(label)
    }

    /// Names the layer, and with it the errors it injects.
    #[must_use]
    pub fn label(mut self, label: &str) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Sets the faults; does not enable them.
    #[must_use]
    pub fn faults(self, faults: Faults) -> Self {
        self.handle.set(faults);
        self
    }

    /// Turns the faults on.
    #[must_use]
    pub fn enable(self) -> Self {
        self.handle.enable();
        self
    }

    /// The handle that alters this layer, and the services made from it, at run time.
    #[must_use]
    pub fn handle(&self) -> FaultHandle {
        self.handle.clone()
    }
}

impl<S> Layer<S> for FaultLayer {
    type Service = FaultService<S>;

    fn layer(&self, inner: S) -> FaultService<S> {
        FaultService {
            inner,
            handle: self.handle.clone(),
            label: self.label.clone(),
        }
    }
}

/// The service of a [`FaultLayer`]. Clones share its switch, faults and draws.
///
/// A delayed call is made at once, and its future first polled after the delay: what the inner service hands out at `call`, a permit say,
/// is held through a stall. A failed or hung call is not made: the readiness of the inner service is kept for the next one.
#[derive(Clone, Debug)]
pub struct FaultService<S> {
    inner: S,
    handle: FaultHandle,
    label: Option<Arc<str>>,
}

impl<S, Request> Service<Request> for FaultService<S>
where
    S: Service<Request>,
    S::Error: From<InjectedFault>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = FaultFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let hit = self.handle.next();
        match hit.end {
            End::Inner => FaultFuture::inner(hit.delay, self.inner.call(request)),
            End::Fault(kind) => FaultFuture::failed(hit.delay, kind, self.label.clone()),
            End::Hang => FaultFuture::hung(),
        }
    }
}
