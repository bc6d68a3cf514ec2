//! The laws hold for what is sound, and catch one planted breach each.

mod counted;

use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use tower_layer::{Identity, Layer};
use tower_service::Service;

use super::*;
use crate::ScriptedFuture;

type Answered = Result<u64, BoxError>;
type Call = dyn Fn(&mut Scripted, u64) -> Boxed + Send + Sync;
type Boxed = Pin<Box<dyn Future<Output = Answered> + Send>>;

/// A pass-through service, but for what its two functions do.
#[derive(Clone)]
struct Wrapper {
    inner: Scripted,
    ready: fn(&mut Scripted, &mut Context<'_>) -> Poll<Result<(), BoxError>>,
    call: Arc<Call>,
}

impl Wrapper {
    fn calling<F>(call: F) -> impl Fn(Scripted) -> Self
    where
        F: Fn(&mut Scripted, u64) -> Boxed + Send + Sync + 'static,
    {
        let call = Arc::new(call);
        move |inner| Self {
            inner,
            ready: |inner, cx| inner.poll_ready(cx),
            call: call.clone(),
        }
    }

    fn readying(
        ready: fn(&mut Scripted, &mut Context<'_>) -> Poll<Result<(), BoxError>>,
    ) -> impl Fn(Scripted) -> Self {
        move |inner| Self {
            inner,
            ready,
            call: Arc::new(|inner, request| Box::pin(inner.call(request))),
        }
    }
}

impl Service<u64> for Wrapper {
    type Response = u64;
    type Error = BoxError;
    type Future = Boxed;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        (self.ready)(&mut self.inner, cx)
    }

    fn call(&mut self, request: u64) -> Boxed {
        (self.call)(&mut self.inner, request)
    }
}

/// Polls as the function says.
struct By<F>(Pin<Box<ScriptedFuture>>, F);

impl<F> Future for By<F>
where
    F: FnMut(Pin<&mut ScriptedFuture>, &mut Context<'_>) -> Poll<Answered> + Unpin,
{
    type Output = Answered;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answered> {
        let Self(future, poll) = &mut *self;
        poll(future.as_mut(), cx)
    }
}

fn dispatcher() -> impl Fn(Scripted) -> Wrapper {
    |inner| Wrapper {
        inner,
        ready: |_, _| Poll::Ready(Ok(())),
        call: Arc::new(|inner, request| {
            let mut inner = inner.clone();
            Box::pin(async move {
                poll_fn(|cx| inner.poll_ready(cx)).await?;
                inner.call(request).await
            })
        }),
    }
}

#[tokio::test(start_paused = true)]
async fn hold_for_what_passes_through() {
    obeys_the_laws(|inner| Identity::new().layer(inner)).await;
    obeys_the_laws(Wrapper::calling(|inner, request| {
        let clone = inner.clone();
        let mut ready = mem::replace(inner, clone);
        Box::pin(async move { ready.call(request).await })
    }))
    .await;
}

#[tokio::test(start_paused = true)]
async fn hold_for_a_dispatcher_that_picks_in_call() {
    Laws::picking_in_call().check(dispatcher()).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "while not ready: it was ready while the inner service was held")]
async fn catch_a_dispatcher_that_says_it_forwards() {
    obeys_the_laws(dispatcher()).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "the inner service was: called without being ready")]
async fn catch_a_call_on_a_fresh_clone() {
    calls_only_what_is_ready(Wrapper::calling(|inner, request| {
        let mut fresh = inner.clone();
        Box::pin(async move { fresh.call(request).await })
    }))
    .await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "the inner service was: future polled after completion")]
async fn catch_a_poll_after_the_answer() {
    calls_only_what_is_ready(Wrapper::calling(|inner, request| {
        let twice = |mut future: Pin<&mut ScriptedFuture>, cx: &mut Context<'_>| {
            let answer = future.as_mut().poll(cx);
            assert!(future.poll(cx).is_pending());
            answer
        };
        Box::pin(By(Box::pin(inner.call(request)), twice))
    }))
    .await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "the second poll_ready was not ready")]
async fn catch_a_readiness_that_is_lost() {
    keeps_readiness(Wrapper::readying(|inner, cx| {
        *inner = inner.clone();
        inner.poll_ready(cx)
    }))
    .await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "while calling: woken 1 times by no event")]
async fn catch_a_future_that_wakes_itself() {
    wakes_only_on_events(
        Laws::default(),
        Wrapper::calling(|inner, request| {
            let spin = |future: Pin<&mut ScriptedFuture>, cx: &mut Context<'_>| {
                cx.waker().wake_by_ref();
                future.poll(cx)
            };
            Box::pin(By(Box::pin(inner.call(request)), spin))
        }),
    )
    .await;
}

fn spins_while_not_ready(inner: &mut Scripted, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
    let ready = inner.poll_ready(cx);
    if ready.is_pending() {
        cx.waker().wake_by_ref();
    }
    ready
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "while not ready: woken 1 times by no event")]
async fn catch_a_readiness_that_wakes_itself() {
    obeys_the_laws(Wrapper::readying(spins_while_not_ready)).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "woken 1000 times and never came ready")]
async fn end_although_something_spins() {
    // A spin keeps the runtime busy, and so paused time never moves.
    calls_only_what_is_ready(Wrapper::readying(spins_while_not_ready)).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "an event did not wake the waker of the last poll")]
async fn catch_a_pending_that_leaves_no_waker() {
    wakes_only_on_events(
        Laws::default(),
        Wrapper::readying(|inner, _| inner.poll_ready(&mut Context::from_waker(Waker::noop()))),
    )
    .await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "an event did not wake the waker of the last poll")]
async fn catch_a_future_that_keeps_its_first_waker() {
    wakes_only_on_events(
        Laws::default(),
        Wrapper::calling(|inner, request| {
            let mut first: Option<Waker> = None;
            let stale = move |future: Pin<&mut ScriptedFuture>, cx: &mut Context<'_>| {
                let waker = first.get_or_insert_with(|| cx.waker().clone());
                future.poll(&mut Context::from_waker(waker))
            };
            Box::pin(By(Box::pin(inner.call(request)), stale))
        }),
    )
    .await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "1 inner futures alive after a future was dropped after 0 polls")]
async fn catch_a_future_that_is_leaked() {
    let leak = Arc::new(Mutex::new(Vec::new()));
    releases_on_drop(Wrapper::calling(move |inner, request| {
        let future = Arc::new(Mutex::new(Box::pin(inner.call(request))));
        leak.lock().unwrap().push(Arc::clone(&future));
        Box::pin(poll_fn(move |cx| future.lock().unwrap().as_mut().poll(cx)))
    }))
    .await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "1 reservations held after a readied service was dropped")]
async fn catch_a_reservation_that_is_leaked() {
    releases_on_drop(Wrapper::readying(|inner, cx| {
        let ready = inner.poll_ready(cx);
        let fresh = inner.clone();
        mem::forget(mem::replace(inner, fresh));
        ready
    }))
    .await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "1 clones in the queue for readiness after a service was dropped")]
async fn catch_a_place_in_the_queue_that_is_leaked() {
    releases_on_drop(Wrapper::readying(|inner, cx| {
        let ready = inner.poll_ready(cx);
        if ready.is_pending() {
            let fresh = inner.clone();
            mem::forget(mem::replace(inner, fresh));
        }
        ready
    }))
    .await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "errors of a call pass unchanged: another error came out")]
async fn catch_an_error_of_a_call_that_is_changed() {
    obeys_the_laws(Wrapper::calling(|inner, request| {
        let future = inner.call(request);
        Box::pin(async { future.await.map_err(|_| "it failed".into()) })
    }))
    .await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "errors of poll_ready pass unchanged: another error came out")]
async fn catch_an_error_of_poll_ready_that_is_changed() {
    obeys_the_laws(Wrapper::readying(|inner, cx| {
        inner.poll_ready(cx).map_err(|_| "it failed".into())
    }))
    .await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "clones serve together: it never came ready")]
async fn catch_clones_that_wait_for_each_other() {
    let busy = Arc::new(Mutex::new(0_u32));
    serves_clones_together(Wrapper::calling(move |inner, request| {
        struct Turn(Arc<Mutex<u32>>);
        impl Drop for Turn {
            fn drop(&mut self) {
                *self.0.lock().unwrap() -= 1;
            }
        }
        let (busy, future) = (Arc::clone(&busy), inner.call(request));
        Box::pin(async move {
            poll_fn(|_| match *busy.lock().unwrap() {
                0 => Poll::Ready(()),
                _ => Poll::Pending,
            })
            .await;
            *busy.lock().unwrap() += 1;
            let _turn = Turn(busy);
            future.await
        })
    }))
    .await;
}
