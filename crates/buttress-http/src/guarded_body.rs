//! A body that knows when the call is over.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use buttress_core::{Cause, Outcome, Receipt};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::BodyError;

pin_project_lite::pin_project! {
    /// The service's body passed through, or words in its place: those of a refusal, or your own.
    ///
    /// The attempt ends with the body: at its last frame, for hyper asks for no more once it is at its end. Dropped
    /// early, the head's outcome stands; an error in its middle is a failure of the endpoint.
    #[derive(Debug)]
    pub struct GuardedBody<B> {
        #[pin]
        body: Inner<B>,
    }
}

pin_project_lite::pin_project! {
    #[derive(Debug)]
    #[project = InnerProj]
    enum Inner<B> {
        Passed { #[pin] body: B, receipt: Receipt },
        Refusal { words: Option<Bytes> },
    }
}

impl<B: Body> GuardedBody<B> {
    pub(crate) fn new(body: B, mut receipt: Receipt) -> Self {
        if body.is_end_stream() {
            receipt.finish(receipt.outcome());
        }
        Self {
            body: Inner::Passed { body, receipt },
        }
    }
}

impl<B> GuardedBody<B> {
    pub(crate) const fn refusal(words: Bytes) -> Self {
        Self {
            body: Inner::Refusal { words: Some(words) },
        }
    }
}

/// Words of your own, in the place of the service's body.
impl<B> From<Bytes> for GuardedBody<B> {
    fn from(words: Bytes) -> Self {
        Self::refusal(words)
    }
}

/// Words of your own, in the place of the service's body.
impl<B> From<&'static str> for GuardedBody<B> {
    fn from(words: &'static str) -> Self {
        Self::refusal(Bytes::from_static(words.as_bytes()))
    }
}

/// Words of your own, in the place of the service's body.
impl<B> From<String> for GuardedBody<B> {
    fn from(words: String) -> Self {
        Self::refusal(Bytes::from(words))
    }
}

impl<B: Body> Body for GuardedBody<B>
where
    B::Data: From<Bytes>,
{
    type Data = B::Data;
    type Error = BodyError<B::Error>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Self::Error>>> {
        match self.project().body.project() {
            InnerProj::Refusal { words } => {
                Poll::Ready(words.take().map(|words| Ok(Frame::data(words.into()))))
            }
            InnerProj::Passed { mut body, receipt } => {
                let frame = ready!(body.as_mut().poll_frame(cx));
                match &frame {
                    Some(Err(_)) => receipt.finish(Outcome::Failure(Cause::Reset)),
                    None => receipt.finish(receipt.outcome()),
                    Some(Ok(_)) if body.is_end_stream() => receipt.finish(receipt.outcome()),
                    Some(Ok(_)) => {}
                }
                Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Inner)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Inner::Passed { body, .. } => body.is_end_stream(),
            Inner::Refusal { words } => words.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Inner::Passed { body, .. } => body.size_hint(),
            Inner::Refusal { words } => {
                SizeHint::with_exact(words.as_ref().map_or(0, Bytes::len) as u64)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, io, task::Waker};

    use buttress_core::{Clock, Counts, Host, Nanos, Rules, Vitals};
    use http_body_util::{Empty, Full};

    use super::*;

    /// A body that only says it is over by `None`.
    struct Frames(VecDeque<Result<&'static [u8], io::Error>>);

    impl Body for Frames {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
            Poll::Ready(
                self.0
                    .pop_front()
                    .map(|part| part.map(|data| Frame::data(Bytes::from_static(data)))),
            )
        }
    }

    fn vitals() -> Vitals {
        Vitals::new("x", &Rules::default(), &Host::new(Clock(|| Nanos::ZERO)))
    }

    /// Reads `frames` of a body, drops it, and tells what was counted before and after the drop.
    fn read<B: Body<Data = Bytes> + Unpin>(body: B, frames: usize) -> (Counts, Counts) {
        let vitals = vitals();
        let mut body = GuardedBody::new(body, Receipt::new(Outcome::Success, vitals.admit().ok()));
        for _ in 0..frames {
            assert!(
                Pin::new(&mut body)
                    .poll_frame(&mut Context::from_waker(Waker::noop()))
                    .is_ready()
            );
        }
        let before = vitals.snapshot(Nanos::ZERO).counts;
        drop(body);
        (before, vitals.snapshot(Nanos::ZERO).counts)
    }

    #[test]
    fn an_empty_body_is_over_before_it_begins() {
        let (before, after) = read(Empty::new(), 0);
        assert_eq!((before.successes, after.finished()), (1, 1));
    }

    #[test]
    fn a_text_is_over_at_its_last_frame_for_hyper_asks_no_further() {
        let (before, after) = read(Full::new(Bytes::from_static(b"text")), 1);
        assert_eq!((before.successes, after.finished()), (1, 1));
    }

    #[test]
    fn a_stream_is_over_when_it_says_so() {
        let frames = || Frames([Ok(&b"a"[..]), Ok(b"b")].into());
        assert_eq!(read(frames(), 2).0.finished(), 0);
        assert_eq!(read(frames(), 3).0.successes, 1);
    }

    #[test]
    fn dropped_early_the_heads_outcome_stands() {
        let (before, after) = read(Frames([Ok(&b"a"[..])].into()), 1);
        assert_eq!(
            (before.finished(), after.successes, after.finished()),
            (0, 1, 1)
        );
    }

    #[test]
    fn its_place_is_free_when_the_body_is_over_and_not_before() {
        let rules = Rules {
            limit: Some(buttress_core::LimitPolicy::concurrency(1)),
            ..Rules::default()
        };
        let vitals = Vitals::new("x", &rules, &Host::new(Clock(|| Nanos::ZERO)));
        let frames = Frames([Ok(&b"a"[..]), Ok(b"b")].into());
        let mut body =
            GuardedBody::new(frames, Receipt::new(Outcome::Success, vitals.admit().ok()));
        for frame in 0..3 {
            assert!(vitals.admit().is_err(), "before frame {frame}");
            let mut cx = Context::from_waker(Waker::noop());
            assert!(Pin::new(&mut body).poll_frame(&mut cx).is_ready());
        }
        assert!(vitals.admit().is_ok());
    }

    #[test]
    fn an_error_in_the_middle_is_the_endpoints_failure() {
        let (_, after) = read(
            Frames([Ok(&b"a"[..]), Err(io::ErrorKind::ConnectionReset.into())].into()),
            2,
        );
        assert_eq!((after.failures.of(Cause::Reset), after.finished()), (1, 1));
    }
}
