//! The body.

use std::{
    error::Error,
    future::Future as _,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use buttress_core::Refusal;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::{BodyError, Replay, Replayable};

pin_project_lite::pin_project! {
    /// A body that pauses for no longer than that. See [`IdleLayer`](super::IdleLayer).
    ///
    /// # Panics
    ///
    /// When it has to wait outside a tokio runtime with time enabled.
    #[derive(Debug)]
    pub struct IdleBody<B> {
        #[pin]
        body: Option<B>,
        longest: Option<Duration>,
        // Boxed: bodies that wait are few, all others would carry it along, and none could be moved once pinned.
        timer: Option<Pin<Box<Sleep>>>,
        pausing: bool,
    }
}

impl<B> IdleBody<B> {
    pub(super) const fn new(body: B, longest: Option<Duration>) -> Self {
        Self {
            body: Some(body),
            longest,
            timer: None,
            pausing: false,
        }
    }
}

impl<B> Body for IdleBody<B>
where
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>>,
{
    type Data = B::Data;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BodyError>>> {
        let mut this = self.project();
        let Some(body) = this.body.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(frame) = body.poll_frame(cx) {
            *this.pausing = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::inner)));
        }
        let Some(after) = *this.longest else {
            return Poll::Pending;
        };
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(after)));
        if !std::mem::replace(this.pausing, true) {
            timer.set(sleep(after));
        }
        timer.as_mut().poll(cx).map(|()| {
            // With it goes its stream: nobody reads it any more.
            this.body.set(None);
            Some(Err(BodyError::Refused(Refusal::Timeout { after })))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let hint = self.body.as_ref().map(Body::size_hint);
        hint.unwrap_or_else(|| SizeHint::with_exact(0))
    }
}

/// As the body in it.
impl<B: Replayable> Replayable for IdleBody<B> {
    fn replay(&mut self, replay: &Replay) -> Option<Self> {
        let copy = self.body.as_mut()?.replay(replay)?;
        Some(Self::new(copy, self.longest))
    }

    fn lost(&self) -> bool {
        self.body.as_ref().is_none_or(Replayable::lost)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use buttress_core::{Cause, Outcome};
    use bytes::Bytes;
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::classify;

    type BoxError = Box<dyn Error + Send + Sync>;

    const SECOND: Duration = Duration::from_secs(1);

    /// Pauses for so long before each of so many frames.
    struct Pauses {
        pause: Duration,
        left: usize,
        timer: Pin<Box<Sleep>>,
        dropped: &'static AtomicU64,
    }

    impl Pauses {
        fn new(pause: Duration, left: usize) -> (Self, &'static AtomicU64) {
            let dropped: &AtomicU64 = Box::leak(Box::default());
            let pauses = Self {
                pause,
                left,
                timer: Box::pin(sleep(pause)),
                dropped,
            };
            (pauses, dropped)
        }
    }

    impl Drop for Pauses {
        fn drop(&mut self) {
            self.dropped.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Body for Pauses {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            if self.left == 0 {
                return Poll::Ready(None);
            }
            std::task::ready!(self.timer.as_mut().poll(cx));
            self.left -= 1;
            let pause = self.pause;
            self.timer.set(sleep(pause));
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn however_long_it_takes_it_may_move() {
        let (pauses, _) = Pauses::new(SECOND * 9, 100);
        let body = IdleBody::new(pauses, Some(SECOND * 10));
        assert_eq!(body.collect().await.unwrap().to_bytes().len(), 100);
        let (pauses, _) = Pauses::new(SECOND * 11, 2);
        let unbounded = IdleBody::new(pauses, None);
        assert_eq!(unbounded.collect().await.unwrap().to_bytes().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_too_long_ends_it_as_a_timeout_of_ours() {
        let (pauses, dropped) = Pauses::new(SECOND * 11, 2);
        let mut body = IdleBody::new(pauses, Some(SECOND * 10));
        let error = body.frame().await.unwrap().unwrap_err();
        let after = SECOND * 10;
        assert_eq!(error.refusal(), Some(Refusal::Timeout { after }));
        assert_eq!(classify::body(&error), Outcome::Failure(Cause::Timeout));
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
        assert!(body.is_end_stream() && body.frame().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_read_does_not_pause() {
        let (pauses, _) = Pauses::new(SECOND * 9, 3);
        let mut body = IdleBody::new(pauses, Some(SECOND * 10));
        for _ in 0..3 {
            tokio::time::sleep(SECOND * 60).await;
            body.frame().await.unwrap().unwrap();
        }
    }
}
