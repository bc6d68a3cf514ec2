//! A call that may panic.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
};

use buttress_core::{Outcome, Receipt};
use http::Response;
use http_body::Body;

use super::Tongue;
use crate::GuardedBody;

pin_project_lite::pin_project! {
    /// A call that is answered though it panics.
    pub struct CatchPanicFuture<F> {
        #[pin]
        // None once it is over, or has panicked.
        inner: Option<F>,
        tongue: Tongue,
    }
}

impl<F> CatchPanicFuture<F> {
    pub(super) const fn new(inner: Option<F>, tongue: Tongue) -> Self {
        Self { inner, tongue }
    }
}

impl<F, B, E> Future for CatchPanicFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<GuardedBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // Whatever it is left like: it is dropped, and not polled again.
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let mut held = Falling(this.inner, true);
            let polled = held.0.as_mut().as_pin_mut().map(|inner| inner.poll(cx));
            held.1 = false;
            polled
        }));
        match polled {
            Ok(Some(polled)) => Poll::Ready(ready!(polled).map(own)),
            // It panicked, now or when it was called.
            Ok(None) | Err(_) => Poll::Ready(Ok(this.tongue.answer())),
        }
    }
}

/// An answer of the service's own.
fn own<B: Body>(response: Response<B>) -> Response<GuardedBody<B>> {
    response.map(|body| GuardedBody::new(body, Receipt::new(Outcome::Success, None)))
}

/// What falls while it is unwound, and not later: an attempt within knows a panic by that.
struct Falling<'a, F>(Pin<&'a mut Option<F>>, bool);

impl<F> Drop for Falling<'_, F> {
    fn drop(&mut self) {
        if self.1 {
            self.0.set(None);
        }
    }
}

impl<F> fmt::Debug for CatchPanicFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CatchPanicFuture")
    }
}
