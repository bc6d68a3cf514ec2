//! Whose panic, and whose deadline it is.

#![expect(clippy::unwrap_used, reason = "what a test takes for granted")]
use std::{
    convert::Infallible,
    future::Future as _,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use axum::body::Body;
use buttress::{BreakerState, CatchPanicLayer, Cause, GuardLayer, Handle, Http, Policy};
use http::{Request, Response};
use tokio::sync::Notify;
use tower::{Layer as _, Service, ServiceExt as _, service_fn};

fn ask() -> Request<Body> {
    Request::get("/").body(Body::empty()).unwrap()
}

async fn twenty_panics<S>(handler: S, downstream: &Handle)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone,
{
    let server = CatchPanicLayer::new().layer(handler);
    for _ in 0..20 {
        assert_eq!(server.clone().oneshot(ask()).await.unwrap().status(), 500);
    }
    let counts = downstream.snapshot().counts;
    assert_eq!(
        (downstream.state(), counts.failures.of(Cause::Panic)),
        (BreakerState::Closed, 0),
        "{counts:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_is_no_failure_of_whom_it_has_called() {
    let layer = GuardLayer::new("inventory", Http);
    let client = layer.layer(service_fn(async |_: Request<Body>| {
        Ok::<_, Infallible>(Response::new(Body::from("well")))
    }));
    let handler = service_fn(move |_: Request<Body>| {
        let client = client.clone();
        async move {
            let response = client.oneshot(ask()).await?; // 200, its body not read yet
            assert!(
                response.headers().contains_key("x-count"),
                "a bug of the handler's own"
            );
            Ok::<_, Infallible>(Response::new(Body::empty()))
        }
    });
    twenty_panics(handler, &layer.handle()).await;
}

#[tokio::test(start_paused = true)]
async fn nor_of_whom_it_still_waits_for() {
    let layer = GuardLayer::new("inventory", Http);
    let client = layer.layer(service_fn(async |_: Request<Body>| {
        std::future::pending::<Result<Response<Body>, Infallible>>().await
    }));
    let handler = service_fn(move |_: Request<Body>| {
        let client = client.clone();
        async move {
            let own = async {
                tokio::task::yield_now().await;
                panic!("a bug of the handler's own")
            };
            let (_, ()) = tokio::join!(client.oneshot(ask()), own);
            Ok::<_, Infallible>(Response::new(Body::empty()))
        }
    });
    twenty_panics(handler, &layer.handle()).await;
}

/// As under tower-http's `CatchPanicLayer` and futures' `catch_unwind`: the future is dropped after the panic was caught.
#[tokio::test]
async fn a_panic_that_somebody_else_catches_is_a_failure_too() {
    let layer = GuardLayer::new("orders", Http);
    let handler = service_fn(
        async |_: Request<Body>| -> Result<Response<Body>, Infallible> { panic!("as planned") },
    );
    let mut call = Box::pin(layer.layer(handler).call(ask()));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| call
            .as_mut()
            .poll(&mut cx)
            .is_ready()))
        .is_err()
    );
    drop(call);
    let counts = layer.handle().snapshot().counts;
    assert_eq!((counts.failures.of(Cause::Panic), counts.cancelled), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn whoever_has_no_patience_does_not_shut_the_route_for_all() {
    let client = GuardLayer::new("inventory", Http).layer(service_fn(async |_: Request<Body>| {
        Ok::<_, Infallible>(Response::new(Body::empty()))
    }));
    let layer = GuardLayer::with_policy(
        "orders",
        Http,
        &Policy::new().deadline(Duration::from_secs(10)),
    )
    .unwrap();
    let parsed = Arc::new(Notify::new());
    let own = parsed.clone();
    let server = layer.layer(service_fn(move |_: Request<Body>| {
        let (client, own) = (client.clone(), own.clone());
        async move {
            own.notified().await; // something of the handler's own that takes 3 ms
            client
                .oneshot(ask())
                .await
                .map(|answer| answer.map(Body::new))
        }
    }));
    let mut statuses = Vec::new();
    for _ in 0..20 {
        let request = Request::get("/")
            .header("x-envoy-expected-rq-timeout-ms", "1")
            .body(Body::empty())
            .unwrap();
        let mut call = Box::pin(server.clone().oneshot(request));
        statuses.push(
            match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(answer) => answer.unwrap().status(), // refused: the breaker is open
                Poll::Pending => {
                    tokio::time::advance(Duration::from_millis(3)).await;
                    parsed.notify_one();
                    call.await.unwrap().status()
                }
            },
        );
    }
    assert_eq!(layer.handle().state(), BreakerState::Closed, "{statuses:?}");
}
