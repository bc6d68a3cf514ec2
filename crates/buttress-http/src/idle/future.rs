//! The future of a call.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::Response;

use super::IdleBody;

pin_project_lite::pin_project! {
    /// The future of an [`Idle`](super::Idle).
    ///
    /// # Cancel safety
    ///
    /// As that of the service.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct IdleFuture<F> {
        #[pin]
        inner: F,
        longest: Option<Duration>,
    }
}

impl<F> IdleFuture<F> {
    pub(super) const fn new(inner: F, longest: Option<Duration>) -> Self {
        Self { inner, longest }
    }
}

impl<F, R, E> Future for IdleFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<IdleBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let longest = *this.longest;
        let answer = this.inner.poll(cx);
        answer.map_ok(|response| response.map(|body| IdleBody::new(body, longest)))
    }
}
