//! Real axum servers and hyper clients on loopback.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::StatusCode,
    routing::{get, head, post},
};
use buttress::{
    BreakerState, Buttress, CLOCK, Endpoint, GuardLayer, HealthPolicy, Http, Policy, Redundancy,
    Refusal, fixed,
};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::net::TcpListener;
use tower::{Layer as _, ServiceExt as _};

type Hyper = Client<HttpConnector, Full<Bytes>>;

fn hyper() -> Hyper {
    Client::builder(TokioExecutor::new()).build_http()
}

async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

fn request(method: Method, uri: &str) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(uri)
        .body(Full::new(Bytes::from_static(b"payload")))
        .unwrap()
}

/// A hyper client whose requests go to one replica.
#[derive(Clone)]
struct Towards(Hyper, String);

impl tower::Service<Request<Full<Bytes>>> for Towards {
    type Response = http::Response<hyper::body::Incoming>;
    type Error = hyper_util::client::legacy::Error;
    type Future = hyper_util::client::legacy::ResponseFuture;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Full<Bytes>>) -> Self::Future {
        *request.uri_mut() = format!("{}{}", self.1, request.uri().path())
            .parse()
            .expect("a checked address");
        self.0.request(request)
    }
}

fn towards(client: &Hyper, endpoint: &Endpoint) -> Towards {
    Towards(client.clone(), endpoint.address().to_owned())
}

#[tokio::test]
async fn every_kind_of_answer_counts_as_a_success() {
    let layer = GuardLayer::new("orders", Http);
    let chunks = || async {
        let parts = ["one", "two", "three"].map(|part| Ok::<_, Infallible>(Bytes::from(part)));
        Body::from_stream(Parts(parts.into_iter().collect()))
    };
    let app = Router::new()
        .route("/text", get(|| async { "text" }))
        .route("/empty", get(|| async { StatusCode::NO_CONTENT }))
        .route("/head", head(|| async { "not sent" }))
        .route("/chunks", get(chunks))
        .layer(layer.clone());
    let base = serve(app).await;
    for (method, path) in [
        (Method::GET, "/text"),
        (Method::GET, "/empty"),
        (Method::HEAD, "/head"),
        (Method::GET, "/chunks"),
    ] {
        let answer = hyper()
            .request(request(method, &format!("{base}{path}")))
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{path}");
        answer.into_body().collect().await.unwrap();
    }
    let counts = layer.handle().snapshot().counts;
    assert_eq!(
        (counts.successes, counts.finished(), counts.in_flight()),
        (4, 4, 0),
        "{counts:?}"
    );
}

struct Parts(std::collections::VecDeque<Result<Bytes, Infallible>>);

impl futures_core::Stream for Parts {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.pop_front())
    }
}

#[tokio::test]
async fn two_routes_share_one_breaker_and_refusals_are_answers() {
    let layer = GuardLayer::new("orders", Http);
    let app = Router::new()
        .route("/bad", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .route("/good", get(|| async { "well" }))
        .layer(layer.clone());
    let base = serve(app).await;
    let ask = async |path: &str| {
        hyper()
            .request(request(Method::GET, &format!("{base}{path}")))
            .await
            .unwrap()
    };
    for _ in 0..5 {
        assert_eq!(
            ask("/bad").await.status(),
            StatusCode::INTERNAL_SERVER_ERROR
        );
    }
    let refused = ask("/good").await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(
        refused.headers()["content-type"],
        "application/problem+json"
    );
    let body = refused.into_body().collect().await.unwrap().to_bytes();
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (
            &problem["status"],
            &problem["reason"],
            &problem["retry_after"]
        ),
        (&503.into(), &"open".into(), &1.into())
    );
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.starts_with("circuit open"), "{detail}");
    assert_eq!(layer.handle().state(), BreakerState::Open);
}

/// Three servers: one gone, one failing, one well. Tells how many requests the failing one handled.
async fn three() -> ([String; 3], Arc<AtomicU32>) {
    let gone = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let handled = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&handled);
    let failing = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        async { StatusCode::INTERNAL_SERVER_ERROR }
    };
    let failing = serve(Router::new().route("/work", get(failing.clone()).post(failing))).await;
    let well = serve(Router::new().route(
        "/work",
        get(|| async { "done" }).merge(post(|| async { "done" })),
    ))
    .await;
    ([format!("http://{gone}"), failing, well], handled)
}

fn replicas() -> Buttress {
    let policy = Policy::new()
        .deadline(Duration::from_secs(5))
        .redundancy(Redundancy::failover(3))
        .health(HealthPolicy::consecutive(1_000));
    Buttress::new().policy("work", policy)
}

#[tokio::test]
async fn a_get_survives_a_dead_and_a_failing_replica() {
    let (addresses, _) = three().await;
    let (buttress, client) = (replicas(), hyper());
    let service = buttress
        .dispatch("work", Http, fixed(addresses).unwrap(), move |to| {
            towards(&client, to)
        })
        .unwrap();
    for _ in 0..8 {
        let answer = service
            .clone()
            .oneshot(request(Method::GET, "/work"))
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(
            answer.into_body().collect().await.unwrap().to_bytes(),
            "done"
        );
    }
}

#[tokio::test]
async fn a_post_is_sent_again_only_when_it_was_provably_never_sent() {
    let (addresses, handled) = three().await;
    let (buttress, client) = (replicas(), hyper());
    let service = buttress
        .dispatch("work", Http, fixed(addresses).unwrap(), move |to| {
            towards(&client, to)
        })
        .unwrap();
    let mut failed = 0;
    for _ in 0..30 {
        let answer = service
            .clone()
            .oneshot(request(Method::POST, "/work"))
            .await
            .unwrap();
        failed += u32::from(answer.status() == StatusCode::INTERNAL_SERVER_ERROR);
    }
    // Those that met the dead replica first went on; those that met the failing one did not.
    assert_eq!(handled.load(Ordering::SeqCst), failed);
    let snapshot = buttress.registry().snapshot(CLOCK.now());
    let sent: u64 = snapshot.iter().map(|shot| shot.counts.started).sum();
    assert_eq!(
        sent - 30,
        snapshot[0].counts.failures.total(),
        "only connect failures were made good"
    );
}

#[tokio::test]
async fn a_dead_server_says_so_and_when_to_come_back() {
    let gone = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let policy = Policy::new().health(HealthPolicy::consecutive(1));
    let (buttress, client) = (Buttress::new().policy("work", policy), hyper());
    let to = Endpoint::new(format!("http://{gone}")).unwrap();
    let layer = buttress.retry("work", Http).unwrap();
    let service = layer.layer(towards(&client, &to));
    assert!(
        service
            .clone()
            .oneshot(request(Method::GET, "/work"))
            .await
            .is_err(),
        "the connector's own error"
    );
    let refused = service
        .oneshot(request(Method::GET, "/work"))
        .await
        .unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(matches!(
        refused.extensions().get(),
        Some(Refusal::NoEndpoint { known: 1, .. })
    ));
}
