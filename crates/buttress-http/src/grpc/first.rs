//! The first that comes of an answer's body.

use std::{
    error::Error,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use buttress_core::{Cause, Outcome, Receipt};
use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::Body;

use super::{head, refuse, status};
use crate::{GuardedBody, classify, grammar::Grammar};

type BoxError = Box<dyn Error + Send + Sync>;

/// How a call is read whose head does not tell how it went. Without trailers there was no status, which is not the protocol.
static GRAMMAR: Grammar = Grammar {
    trailers: status::judge,
    missing: Outcome::Failure(Cause::Protocol),
    cut: |refusal| Some(refuse::trailers(refusal)),
};

/// What has been read of a body before its answer was passed on. It is kept in the extensions of the response, for the body is not ours.
#[derive(Clone, Debug)]
pub(crate) enum First {
    /// A message, or a part of one.
    Data(Bytes),
    /// The status, without any message.
    Trailers(HeaderMap),
    /// Nothing: it is over.
    Nothing,
    /// It broke off.
    Broken(Arc<BoxError>),
}

impl First {
    pub(crate) fn judge(&self) -> Outcome {
        match self {
            Self::Data(_) => Outcome::Success,
            Self::Trailers(trailers) => status::judge(trailers),
            Self::Nothing => GRAMMAR.missing,
            Self::Broken(error) => classify::body(&***error),
        }
    }
}

/// Has enough come to judge it: a head that says all, the first message, or the end?
pub(crate) fn poll<B>(response: &mut Response<B>, cx: &mut Context<'_>) -> Poll<()>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    let said = head::verdict(response.status(), response.headers()).is_some();
    if said || response.extensions().get::<First>().is_some() {
        return Poll::Ready(());
    }
    let body = Pin::new(response.body_mut());
    let first = if body.is_end_stream() {
        First::Nothing
    } else {
        match body.poll_frame(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => First::Nothing,
            Poll::Ready(Some(Err(error))) => First::Broken(Arc::new(error.into())),
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) if data.is_empty() => {
                    // In turn with others: there may be any number of them.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Ok(data) => First::Data(data),
                Err(frame) => match frame.into_trailers() {
                    Ok(trailers) => First::Trailers(trailers),
                    Err(_) => return Poll::Pending,
                },
            },
        }
    };
    response.extensions_mut().insert(first);
    Poll::Ready(())
}

/// Passes it on, with what has been read of it.
pub(crate) fn respond<B>(
    mut response: Response<B>,
    mut receipt: Receipt,
) -> Response<GuardedBody<B>>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    if head::verdict(response.status(), response.headers()).is_some() {
        return response.map(|body| GuardedBody::new(body, receipt));
    }
    match response.extensions_mut().remove::<First>() {
        None => {
            receipt.expect(Outcome::Cancelled);
            response.map(|body| GuardedBody::judged(body, receipt, &GRAMMAR))
        }
        Some(First::Data(data)) => {
            receipt.expect(Outcome::Cancelled);
            receipt.answered();
            response.map(|body| GuardedBody::judged_after(data, body, receipt, &GRAMMAR))
        }
        // The receipt ends here, as the answer was judged.
        Some(First::Trailers(trailers)) => {
            response.headers_mut().extend(trailers);
            response.map(|_| GuardedBody::empty())
        }
        Some(First::Nothing) => response.map(|_| GuardedBody::empty()),
        Some(First::Broken(error)) => {
            let error = Arc::try_unwrap(error).unwrap_or_else(|error| error.to_string().into());
            response.map(|_| GuardedBody::broken(error))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, io, task::Waker};

    use buttress_core::{Clock, Counts, Host, Nanos, Rules, Vitals};
    use http::HeaderValue;
    use http_body::Frame;
    use http_body_util::BodyExt as _;

    use super::*;

    /// Its frames, one at each other poll.
    struct Frames(VecDeque<io::Result<Frame<Bytes>>>, bool);

    impl Body for Frames {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
            self.1 = !self.1;
            if self.1 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(self.0.pop_front())
        }
    }

    fn data(text: &'static str) -> io::Result<Frame<Bytes>> {
        Ok(Frame::data(Bytes::from(text)))
    }

    fn trailers(code: &'static str) -> io::Result<Frame<Bytes>> {
        let status = HeaderValue::from_static(code);
        Ok(Frame::trailers(HeaderMap::from_iter([(
            status::STATUS,
            status,
        )])))
    }

    fn broken() -> io::Result<Frame<Bytes>> {
        Err(io::ErrorKind::ConnectionReset.into())
    }

    type Script = fn() -> Vec<io::Result<Frame<Bytes>>>;

    /// What is made of it, once enough has come: how it is judged, what of it the caller gets, and what is counted in the end.
    async fn passed_on(script: Script, waits: bool) -> (Outcome, String, Counts) {
        let mut response = Response::new(Frames(script().into(), false));
        if waits {
            std::future::poll_fn(|cx| poll(&mut response, cx)).await;
        }
        let outcome = head::judge(&response);
        let rules = Rules::default();
        let vitals = Vitals::new("x", &rules, &Host::new(Clock(|| Nanos::ZERO)));
        let receipt = Receipt::new(outcome, vitals.admit().ok());
        let mut response = respond(response, receipt);
        let status = |headers: &HeaderMap| {
            let status = headers.get(&status::STATUS);
            status.map(|status| status.to_str().unwrap().to_owned())
        };
        let mut seen: Vec<String> = status(response.headers()).into_iter().collect();
        while let Some(frame) = response.body_mut().frame().await {
            seen.push(match frame {
                Ok(frame) => match frame.into_data() {
                    Ok(data) => String::from_utf8(data.to_vec()).unwrap(),
                    Err(frame) => status(frame.trailers_ref().unwrap()).unwrap_or_default(),
                },
                Err(error) => error.to_string(),
            });
        }
        assert!(response.body_mut().frame().await.is_none());
        drop(response);
        (outcome, seen.join(" "), vitals.snapshot(Nanos::ZERO).counts)
    }

    #[tokio::test]
    async fn an_answer_is_judged_by_the_first_of_it_and_counted_by_its_end() {
        let failed = Outcome::Failure(Cause::Error);
        let reset = Outcome::Failure(Cause::Reset);
        let protocol = Outcome::Failure(Cause::Protocol);
        let lost = io::Error::from(io::ErrorKind::ConnectionReset).to_string();
        let scripts: [(Script, Outcome, &str, Outcome); 8] = [
            (
                || vec![data("a"), data("b"), trailers("0")],
                Outcome::Success,
                "a b 0",
                Outcome::Success,
            ),
            (
                || vec![data(""), data("a"), trailers("14")],
                Outcome::Success,
                "a 14",
                failed,
            ),
            (|| vec![trailers("14")], failed, "14", failed),
            (
                || vec![data(""), data(""), trailers("0")],
                Outcome::Success,
                "0",
                Outcome::Success,
            ),
            (|| vec![], protocol, "", protocol),
            (|| vec![broken()], reset, "RESET", reset),
            (
                || vec![data("a"), broken()],
                Outcome::Success,
                "a RESET",
                reset,
            ),
            (|| vec![data("a")], Outcome::Success, "a", protocol),
        ];
        for (script, judged, seen, ended) in scripts {
            let (outcome, got, counts) = passed_on(script, true).await;
            let seen = seen.replace("RESET", &lost);
            assert_eq!((outcome, &got), (judged, &seen));
            assert_eq!(counts, ended_as(ended), "{seen}");
            // Nobody waited: the same is counted, but nothing could be done.
            let (outcome, _, counts) = passed_on(script, false).await;
            assert_eq!(
                (outcome, counts),
                (Outcome::Success, ended_as(ended)),
                "{seen}"
            );
        }
    }

    /// The counts of one call that ended so.
    fn ended_as(outcome: Outcome) -> Counts {
        let vitals = Vitals::new("x", &Rules::default(), &Host::new(Clock(|| Nanos::ZERO)));
        vitals.admit().unwrap().finish(outcome);
        vitals.snapshot(Nanos::ZERO).counts
    }

    #[test]
    fn dropped_before_its_trailers_it_is_a_cancelled_call() {
        let vitals = Vitals::new("x", &Rules::default(), &Host::new(Clock(|| Nanos::ZERO)));
        for read in 0..2 {
            let frames = vec![data("a"), trailers("14")];
            let response = Response::new(Frames(frames.into(), true));
            let receipt = Receipt::new(Outcome::Success, vitals.admit().ok());
            let mut response = respond(response, receipt);
            for _ in 0..read {
                let mut cx = Context::from_waker(Waker::noop());
                assert!(Pin::new(response.body_mut()).poll_frame(&mut cx).is_ready());
            }
            drop(response);
        }
        let counts = vitals.snapshot(Nanos::ZERO).counts;
        assert_eq!((counts.cancelled, counts.finished()), (2, 2));
    }
}
