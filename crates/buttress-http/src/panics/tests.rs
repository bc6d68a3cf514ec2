use std::{
    convert::Infallible,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::Waker,
};

use buttress_core::Protocol;
use http_body_util::{BodyExt as _, Empty};
use tower_layer::Layer as _;

use super::*;
use crate::Http;

type Answer = Response<Empty<Bytes>>;

/// Panics when it is called, when it is polled, or not at all.
#[derive(Clone, Copy, PartialEq)]
enum Handler {
    InCall,
    InPoll,
    Well,
}

/// Notes whether it was dropped by a panic.
struct Noting(Arc<AtomicU32>);

impl Drop for Noting {
    fn drop(&mut self) {
        self.0
            .fetch_add(u32::from(std::thread::panicking()), Ordering::SeqCst);
    }
}

#[derive(Clone)]
struct Stub(Handler, Arc<AtomicU32>);

impl Service<Request<()>> for Stub {
    type Response = Answer;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Answer, Infallible>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        let (handler, held) = (self.0, Noting(Arc::clone(&self.1)));
        assert!(handler != Handler::InCall, "secret");
        let mut polled = false;
        Box::pin(poll_fn(move |_| {
            let _ = &held;
            if !std::mem::replace(&mut polled, true) {
                return Poll::Pending;
            }
            assert!(handler != Handler::InPoll, "secret");
            Poll::Ready(Ok(Answer::default()))
        }))
    }
}

type Polled = Poll<Result<Response<GuardedBody<Empty<Bytes>>>, Infallible>>;

fn ask(handler: Handler, kind: &'static str) -> (Response<GuardedBody<Empty<Bytes>>>, u32) {
    let panicked = Arc::new(AtomicU32::new(0));
    let mut service = CatchPanicLayer::new().layer(Stub(handler, Arc::clone(&panicked)));
    let request = Request::builder().header(CONTENT_TYPE, kind);
    let mut future = Box::pin(service.call(request.body(()).unwrap()));
    let mut poll = || -> Polled {
        future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
    };
    let answer = match poll() {
        Poll::Pending => poll(),
        ready => ready,
    };
    // Dropped by the panic itself, though the future lives on.
    let dropped = panicked.load(Ordering::SeqCst);
    let Poll::Ready(Ok(answer)) = answer else {
        panic!("no answer");
    };
    (answer, dropped)
}

#[tokio::test]
async fn whoever_panics_is_answered_for_without_its_words_and_what_it_held_falls_with_it() {
    for handler in [Handler::InCall, Handler::InPoll] {
        let (answer, dropped) = ask(handler, "text/plain");
        assert_eq!((answer.status().as_u16(), dropped), (500, 1));
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(answer.extensions().get(), Some(&Panicked));
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let text = std::str::from_utf8(&body).unwrap();
        assert!(text.contains(r#""reason":"panicked""#) && !text.contains("secret"));
    }
}

#[test]
fn grpc_is_answered_in_its_own_words() {
    let (answer, _) = ask(Handler::InPoll, "application/grpc+proto");
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["grpc-status"]),
        (200, &HeaderValue::from(13))
    );
    assert!(http_body::Body::is_end_stream(answer.body()));
}

#[test]
fn whoever_does_not_is_passed_on() {
    let (answer, dropped) = ask(Handler::Well, "text/plain");
    assert_eq!((answer.status().as_u16(), dropped), (200, 0));
    assert!(answer.extensions().get::<Panicked>().is_none());
}

#[test]
fn within_a_guard_it_counts_as_a_panic_and_a_500_of_the_handlers_own_as_an_error() {
    let judge = |answer: &Response<GuardedBody<Empty<Bytes>>>| {
        Protocol::<_, Infallible>::classify(&Http, Ok(answer))
    };
    let (mut answer, _) = ask(Handler::InCall, "text/plain");
    assert_eq!(judge(&answer), Outcome::Failure(Cause::Panic));
    answer.extensions_mut().clear();
    assert_eq!(judge(&answer), Outcome::Failure(Cause::Error));
}
