//! A body that knows when the call is over.

use std::{
    error::Error,
    future::Future as _,
    pin::Pin,
    task::{Context, Poll},
};

use buttress_core::{Blame, Outcome, Receipt};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::{BodyError, classify, grammar::Grammar};

pin_project_lite::pin_project! {
    /// The service's body passed through, or words in its place: those of a refusal, or your own.
    ///
    /// The attempt ends with the body: at its last frame, for hyper asks for no more once it is at its end. Dropped
    /// early, the head's outcome stands; an error in its middle is a failure of the endpoint.
    ///
    /// A body that pends when the time of its call is over is dropped, and ends with [`BodyError::Refused`]. A frame that is there is passed
    /// on, late or not: the clock is not read for it.
    ///
    /// # Cancel safety
    ///
    /// Dropping it ends the attempt. Nothing but the frames not yet read is lost.
    ///
    /// # Panics
    ///
    /// When it has to wait, and its call has a deadline, outside a tokio runtime with time enabled.
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
        Passed {
            #[pin]
            body: B,
            receipt: Receipt,
            grammar: Option<&'static Grammar>,
            // What of it was read before. Boxed, for there rarely is any.
            first: Option<Box<Bytes>>,
            // Boxed: bodies that wait are few, all others would carry it along, and none could be moved once pinned.
            timer: Option<Pin<Box<Sleep>>>,
        },
        Words { words: Option<Bytes> },
        Broken { error: Option<BodyError> },
    }
}

impl<B: Body> GuardedBody<B> {
    /// A body whose head decided.
    pub(crate) fn new(body: B, receipt: Receipt) -> Self {
        Self::read_by(None, body, receipt, None)
    }

    /// A body whose end decides.
    pub(crate) fn judged(body: B, receipt: Receipt, grammar: &'static Grammar) -> Self {
        Self::read_by(None, body, receipt, Some(grammar))
    }

    /// The same, where the first of it has been read.
    pub(crate) fn judged_after(
        first: Bytes,
        body: B,
        receipt: Receipt,
        grammar: &'static Grammar,
    ) -> Self {
        Self::read_by(Some(Box::new(first)), body, receipt, Some(grammar))
    }

    #[inline]
    fn read_by(
        first: Option<Box<Bytes>>,
        body: B,
        mut receipt: Receipt,
        grammar: Option<&'static Grammar>,
    ) -> Self {
        if body.is_end_stream() {
            receipt.finish(at_end(&receipt, grammar));
        }
        Self {
            body: Inner::Passed {
                body,
                receipt,
                grammar,
                first,
                timer: None,
            },
        }
    }
}

impl<B> GuardedBody<B> {
    pub(crate) const fn refusal(words: Bytes) -> Self {
        Self {
            body: Inner::Words { words: Some(words) },
        }
    }

    /// Nothing, of a refusal whose head says it all.
    pub(crate) const fn empty() -> Self {
        Self {
            body: Inner::Words { words: None },
        }
    }
}

impl<B> GuardedBody<B> {
    /// A body that has broken off before anything of it was passed on.
    pub(crate) fn broken(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            body: Inner::Broken {
                error: Some(BodyError::inner(error)),
            },
        }
    }
}

/// How it went when the body is over without trailers.
fn at_end(receipt: &Receipt, grammar: Option<&'static Grammar>) -> Outcome {
    grammar.map_or_else(|| receipt.outcome(), |grammar| grammar.missing)
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
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = B::Data;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BodyError>>> {
        let mut this = self.project().body;
        let (body, receipt, grammar, timer) = match this.as_mut().project() {
            InnerProj::Words { words } => {
                return Poll::Ready(words.take().map(|words| Ok(Frame::data(words.into()))));
            }
            InnerProj::Broken { error } => return Poll::Ready(error.take().map(Err)),
            InnerProj::Passed {
                body,
                receipt,
                grammar,
                first,
                timer,
            } => {
                if let Some(first) = first.take() {
                    return Poll::Ready(Some(Ok(Frame::data((*first).into()))));
                }
                (body, receipt, *grammar, timer)
            }
        };
        let mut body = body;
        let blame = Blame::on(receipt);
        let polled = body.as_mut().poll_frame(cx);
        blame.over();
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some((grammar, trailers)) = grammar.zip(frame.trailers_ref()) {
                    receipt.finish((grammar.trailers)(trailers));
                } else if body.is_end_stream() {
                    receipt.finish(at_end(receipt, grammar));
                } else {
                    // What is left of it takes as long as it takes, and as long as it is left unread.
                    receipt.answered();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                let error = error.into();
                receipt.finish(classify::body(&*error));
                Poll::Ready(Some(Err(BodyError::Inner(error))))
            }
            Poll::Ready(None) => {
                receipt.finish(at_end(receipt, grammar));
                Poll::Ready(None)
            }
            Poll::Pending if in_time(receipt, timer, cx) => {
                // A head that decides has begun it. Not before, for most answers are there at once, and the clock is read for it.
                if grammar.is_none() {
                    receipt.answered();
                }
                Poll::Pending
            }
            Poll::Pending => {
                let refusal = receipt.give_up();
                let trailers = grammar.and_then(|grammar| (grammar.cut)(refusal));
                this.set(Inner::Words { words: None });
                let said = trailers.map(Frame::trailers);
                Poll::Ready(Some(said.ok_or(BodyError::Refused(refusal))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Inner::Passed { body, first, .. } => first.is_none() && body.is_end_stream(),
            Inner::Words { words } => words.is_none(),
            Inner::Broken { error } => error.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Inner::Passed { body, first, .. } => {
                let (first, rest) = (
                    first.as_ref().map_or(0, |first| first.len() as u64),
                    body.size_hint(),
                );
                let mut hint = SizeHint::new();
                hint.set_lower(rest.lower().saturating_add(first));
                if let Some(upper) = rest.upper() {
                    hint.set_upper(upper.saturating_add(first));
                }
                hint
            }
            Inner::Broken { .. } => SizeHint::new(),
            Inner::Words { words } => {
                SizeHint::with_exact(words.as_ref().map_or(0, Bytes::len) as u64)
            }
        }
    }
}

/// Is there time left to wait? The timer is made when there is first need to, and the clock read then alone.
#[cold]
fn in_time(receipt: &Receipt, timer: &mut Option<Pin<Box<Sleep>>>, cx: &mut Context<'_>) -> bool {
    if timer.is_none() {
        *timer = receipt.left().map(|left| Box::pin(sleep(left)));
    }
    timer
        .as_mut()
        .is_none_or(|timer| timer.as_mut().poll(cx).is_pending())
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, io, task::Waker, time::Duration};

    use buttress_core::{Cause, Clock, Counts, Due, End, Host, Nanos, Refusal, Rules, Vitals};
    use http::{HeaderMap, HeaderValue};
    use http_body_util::{BodyExt as _, Empty, Full};

    use super::*;

    type BoxError = Box<dyn Error + Send + Sync>;

    /// A body that only says it is over by `None`.
    struct Frames(VecDeque<io::Result<Frame<Bytes>>>);

    impl Body for Frames {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
            Poll::Ready(self.0.pop_front())
        }
    }

    fn data(text: &'static str) -> io::Result<Frame<Bytes>> {
        Ok(Frame::data(Bytes::from(text)))
    }

    fn vitals() -> Vitals {
        Vitals::new("x", &Rules::default(), &Host::new(Clock(|| Nanos::ZERO)))
    }

    /// Reads `frames` of a body, drops it, and tells what was counted before and after the drop.
    fn read<B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin>(
        body: B,
        frames: usize,
    ) -> (Counts, Counts) {
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
        let frames = || Frames([data("a"), data("b")].into());
        assert_eq!(read(frames(), 2).0.finished(), 0);
        assert_eq!(read(frames(), 3).0.successes, 1);
    }

    #[test]
    fn dropped_early_the_heads_outcome_stands() {
        let (before, after) = read(Frames([data("a")].into()), 1);
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
        let frames = Frames([data("a"), data("b")].into());
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
            Frames([data("a"), Err(io::ErrorKind::ConnectionReset.into())].into()),
            2,
        );
        assert_eq!((after.failures.of(Cause::Reset), after.finished()), (1, 1));
    }

    /// Says one thing, and then nothing more.
    struct Stalled(Option<&'static [u8]>);

    impl Body for Stalled {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            self.0.take().map_or(Poll::Pending, |data| {
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(data)))))
            })
        }
    }

    fn due(end: End) -> Due {
        Due {
            at: Nanos::new(2_000_000_000),
            end,
            began: Nanos::ZERO,
            clock: Clock(|| Nanos::new(500_000_000)),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stalls_ends_with_its_time() {
        let after = Duration::from_secs(2);
        for (end, refusal, timeouts) in [
            (End::Attempt, Refusal::Timeout { after }, 1),
            (End::Both, Refusal::Deadline { after }, 1),
            (End::Call, Refusal::Deadline { after }, 0),
        ] {
            let vitals = vitals();
            let receipt = Receipt::new(Outcome::Success, vitals.admit().ok()).due(due(end));
            let mut body = GuardedBody::new(Stalled(Some(b"a")), receipt);
            assert!(body.frame().await.unwrap().unwrap().is_data());
            let error = body.frame().await.unwrap().unwrap_err();
            assert!(matches!(error, BodyError::Refused(said) if said == refusal));
            assert!(body.is_end_stream() && body.frame().await.is_none());
            let counts = vitals.snapshot(Nanos::ZERO).counts;
            let ends = (counts.failures.of(Cause::Timeout), counts.cancelled);
            assert_eq!(
                (ends, counts.finished()),
                ((timeouts, 1 - timeouts), 1),
                "{end:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_without_an_end_is_waited_for() {
        let vitals = vitals();
        let receipt = Receipt::new(Outcome::Success, vitals.admit().ok());
        let mut body = GuardedBody::new(Stalled(None), receipt);
        let day = Duration::from_secs(86_400);
        assert!(tokio::time::timeout(day, body.frame()).await.is_err());
    }

    const fn status(_: &HeaderMap) -> Outcome {
        Outcome::Failure(Cause::Dissent)
    }

    fn says_no(refusal: Refusal) -> Option<HeaderMap> {
        let words = HeaderValue::try_from(refusal.to_string()).ok()?;
        Some(HeaderMap::from_iter([(http::header::WARNING, words)]))
    }

    static GRAMMAR: Grammar = Grammar {
        trailers: status,
        missing: Outcome::Failure(Cause::Protocol),
        cut: says_no,
    };

    /// A body that its end decides, read for so many frames and dropped.
    async fn judged<B>(body: B, frames: usize) -> Counts
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
    {
        let vitals = vitals();
        let mut receipt = Receipt::new(Outcome::Success, vitals.admit().ok());
        receipt.expect(Outcome::Cancelled);
        let mut body = GuardedBody::judged(body, receipt, &GRAMMAR);
        for _ in 0..frames {
            body.frame().await;
        }
        drop(body);
        vitals.snapshot(Nanos::ZERO).counts
    }

    #[tokio::test]
    async fn trailers_decide_where_they_can() {
        let trailers = || Ok(Frame::trailers(HeaderMap::new()));
        let frames = |frames: Vec<io::Result<_>>| Frames(frames.into());
        let said = judged(frames(vec![data("a"), trailers()]), 2).await;
        assert_eq!(said.failures.of(Cause::Dissent), 1);
        let left = judged(frames(vec![data("a"), trailers()]), 1).await;
        assert_eq!(left.cancelled, 1);
        let unsaid = judged(frames(vec![data("a")]), 2).await;
        assert_eq!(unsaid.failures.of(Cause::Protocol), 1);
        let nothing = judged(Empty::new(), 0).await;
        assert_eq!(nothing.failures.of(Cause::Protocol), 1);
        let whole = judged(Full::new(Bytes::from_static(b"text")), 1).await;
        assert_eq!(whole.failures.of(Cause::Protocol), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cut_is_said_in_trailers_where_it_can() {
        let vitals = vitals();
        let receipt = Receipt::new(Outcome::Success, vitals.admit().ok()).due(due(End::Attempt));
        let mut body = GuardedBody::judged(Stalled(None), receipt, &GRAMMAR);
        let frame = body.frame().await.unwrap().unwrap();
        let after = Duration::from_secs(2);
        let said = says_no(Refusal::Timeout { after });
        assert_eq!(frame.into_trailers().ok(), said);
        assert!(body.is_end_stream() && body.frame().await.is_none());
        let failures = vitals.snapshot(Nanos::ZERO).counts.failures;
        assert_eq!(failures.of(Cause::Timeout), 1);
    }

    #[tokio::test]
    async fn a_refusal_whose_head_says_it_all_has_no_frame() {
        let mut body = GuardedBody::<Empty<Bytes>>::empty();
        assert!(body.is_end_stream() && body.size_hint().exact() == Some(0));
        assert!(body.frame().await.is_none());
    }
}
