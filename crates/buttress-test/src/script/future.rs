use std::{
    future::Future,
    marker::PhantomPinned,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use super::{
    Answer, ScriptedError, Violation,
    state::{Live, Shared, Wait},
};
use crate::BoxError;

pin_project! {
    /// The future of a [`Scripted`](crate::Scripted).
    ///
    /// It is not `Unpin`, so that a layer which needs its inner future to be fails to compile.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ScriptedFuture {
        request: u64,
        act: Act,
        live: Live,
        #[pin]
        pinned: PhantomPinned,
    }
}

#[derive(Debug)]
enum Act {
    Echo { pending: usize },
    Fail(String),
    Wait(Wait),
    Done,
}

impl ScriptedFuture {
    pub(super) fn new(shared: &Arc<Shared>, request: u64) -> Self {
        let act = match shared.next_answer() {
            Answer::Ok { pending } => Act::Echo { pending },
            Answer::Err(text) => Act::Fail(text),
            Answer::Hang => Act::Wait(Wait::new(shared, None)),
            Answer::After(after) => Act::Wait(Wait::new(shared, Some(after))),
        };
        Self {
            request,
            act,
            live: Live::new(shared),
            pinned: PhantomPinned,
        }
    }
}

impl Future for ScriptedFuture {
    type Output = Result<u64, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.live.0.lock().counts.polls += 1;
        let answer = match this.act {
            Act::Echo { pending: 0 } => Ok(*this.request),
            Act::Echo { pending } => {
                *pending -= 1;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Act::Fail(text) => Err(ScriptedError(std::mem::take(text)).into()),
            Act::Wait(wait) => {
                ready!(wait.poll(cx));
                Ok(*this.request)
            }
            Act::Done => {
                let mut state = this.live.0.lock();
                state.violations.push(Violation::PollAfterCompletion);
                return Poll::Pending;
            }
        };
        *this.act = Act::Done;
        Poll::Ready(answer)
    }
}
