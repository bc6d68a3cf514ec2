use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::Sleep;

use super::{FaultKind, InjectedFault};

pin_project! {
    /// The future of a [`FaultService`](crate::FaultService).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct FaultFuture<F> {
        #[pin]
        delay: Option<Sleep>,
        #[pin]
        end: Ending<F>,
    }
}

pin_project! {
    #[project = EndingProj]
    #[derive(Debug)]
    enum Ending<F> {
        Inner { #[pin] future: F },
        Fault { kind: FaultKind, label: Option<Arc<str>> },
        Hang,
    }
}

impl<F> FaultFuture<F> {
    pub(super) fn inner(delay: Duration, future: F) -> Self {
        Self::new(delay, Ending::Inner { future })
    }

    pub(super) fn failed(delay: Duration, kind: FaultKind, label: Option<Arc<str>>) -> Self {
        Self::new(delay, Ending::Fault { kind, label })
    }

    pub(super) fn hung() -> Self {
        Self::new(Duration::ZERO, Ending::Hang)
    }

    fn new(delay: Duration, end: Ending<F>) -> Self {
        Self {
            // No timer, and so no need of a runtime, when there is nothing to wait for.
            delay: (!delay.is_zero()).then(|| tokio::time::sleep(delay)),
            end,
        }
    }
}

impl<F, T, E> Future for FaultFuture<F>
where
    F: Future<Output = Result<T, E>>,
    E: From<InjectedFault>,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(delay) = this.delay.as_mut().as_pin_mut() {
            ready!(delay.poll(cx));
            this.delay.set(None);
        }
        match this.end.project() {
            EndingProj::Inner { future } => future.poll(cx),
            EndingProj::Fault { kind, label } => {
                Poll::Ready(Err(InjectedFault::new(*kind, label.take()).into()))
            }
            // Beware: leaves no waker, for nothing will ever wake it.
            EndingProj::Hang => Poll::Pending,
        }
    }
}
