//! A call to the first service.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use super::{
    Compare,
    second::{Jury, Pair},
};

pin_project_lite::pin_project! {
    /// The future of a [`Mirror`](super::Mirror).
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the call to the first service. Its copy is a task of its own.
    #[must_use = "futures do nothing unless polled"]
    pub struct MirrorFuture<F, P, C, D> {
        #[pin]
        inner: F,
        jury: Arc<Jury<P, C>>,
        pair: Option<Arc<Pair<D>>>,
    }
}

impl<F, P, C, D> MirrorFuture<F, P, C, D> {
    pub(super) const fn new(inner: F, jury: Arc<Jury<P, C>>, pair: Option<Arc<Pair<D>>>) -> Self {
        Self { inner, jury, pair }
    }
}

impl<F, P, C, Res, Err> Future for MirrorFuture<F, P, C, C::Digest>
where
    F: Future<Output = Result<Res, Err>>,
    C: Compare<Res>,
{
    type Output = Result<Res, Err>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.inner.poll(cx));
        if let (Some(pair), Ok(answer)) = (this.pair.take(), &answer) {
            this.jury.compare(&pair, this.jury.compare.digest(answer));
        }
        Poll::Ready(answer)
    }
}

impl<F, P, C, D> fmt::Debug for MirrorFuture<F, P, C, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MirrorFuture")
            .field("copied", &self.pair.is_some())
            .finish_non_exhaustive()
    }
}
