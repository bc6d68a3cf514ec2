//! The call in a [`Fallback`](super::Fallback).

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use buttress_core::Protocol;
use tower_service::Service;

use super::{Backed, Failure, Instead};

pin_project_lite::pin_project! {
    /// The future of a [`Fallback`](super::Fallback).
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the call under way, be it to the service or to what stands in. Nothing is counted.
    #[must_use = "futures do nothing unless polled"]
    pub struct FallbackFuture<S, P, I, Req>
    where
        S: Service<Req>,
        I: Instead<P, Req, S::Response, S::Error>,
    {
        backed: Backed<P, I>,
        kept: Option<I::Kept>,
        // What the service answered: that stands, where nothing else can.
        failed: Option<Result<S::Response, S::Error>>,
        #[pin]
        stage: Stage<S::Future, I::Answer>,
    }
}

pin_project_lite::pin_project! {
    #[project = StageProj]
    enum Stage<F, A> {
        /// The service has been asked.
        Asked { #[pin] future: F },
        /// It has failed.
        Failed,
        /// Something else answers.
        Instead { #[pin] answer: A },
    }
}

impl<S, P, I, Req> FallbackFuture<S, P, I, Req>
where
    S: Service<Req>,
    I: Instead<P, Req, S::Response, S::Error>,
{
    pub(super) const fn asking(future: S::Future, backed: Backed<P, I>, kept: I::Kept) -> Self {
        Self {
            backed,
            kept: Some(kept),
            failed: None,
            stage: Stage::Asked { future },
        }
    }

    pub(super) const fn failed(error: S::Error, backed: Backed<P, I>, kept: I::Kept) -> Self {
        Self {
            backed,
            kept: Some(kept),
            failed: Some(Err(error)),
            stage: Stage::Failed,
        }
    }
}

impl<S, P, I, Req> Future for FallbackFuture<S, P, I, Req>
where
    S: Service<Req>,
    P: Protocol<S::Response, S::Error>,
    I: Instead<P, Req, S::Response, S::Error>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Backed { protocol, plan } = &*this.backed;
        loop {
            let next = match this.stage.as_mut().project() {
                StageProj::Asked { future } => {
                    let result = ready!(future.poll(cx));
                    if !protocol.classify(result.as_ref()).may_improve() {
                        return Poll::Ready(result);
                    }
                    *this.failed = Some(result);
                    Stage::Failed
                }
                StageProj::Failed => {
                    // Both are there, unless it is polled after its end.
                    let (Some(failed), Some(kept)) = (&*this.failed, this.kept.take()) else {
                        return Poll::Pending;
                    };
                    let result = failed.as_ref();
                    let failure = Failure {
                        outcome: protocol.classify(result),
                        result,
                    };
                    let answer = plan.instead.answer(protocol, kept, failure);
                    Stage::Instead { answer }
                }
                StageProj::Instead { answer } => {
                    let answer = ready!(answer.poll(cx)).filter(|answer| {
                        !I::JUDGED || !protocol.classify(Ok(answer)).may_improve()
                    });
                    let failed = this.failed.take();
                    this.stage.set(Stage::Failed);
                    return match (answer, failed) {
                        (Some(answer), _) => {
                            plan.calls.degraded();
                            Poll::Ready(Ok(answer))
                        }
                        (None, Some(failed)) => Poll::Ready(failed),
                        (None, None) => Poll::Pending,
                    };
                }
            };
            // What has failed is dropped before anything else is asked.
            this.stage.set(next);
        }
    }
}

impl<S, P, I, Req> fmt::Debug for FallbackFuture<S, P, I, Req>
where
    S: Service<Req>,
    I: Instead<P, Req, S::Response, S::Error>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FallbackFuture")
            .field("failed", &self.failed.is_some())
            .finish_non_exhaustive()
    }
}
