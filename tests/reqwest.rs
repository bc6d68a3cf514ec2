//! reqwest's client over real axum servers: it keeps its types, and `url()`.

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
    routing::{any, get},
};
use buttress::{
    At, Buttress, Cause, Dispatch, Endpoint, GuardLayer, HealthPolicy, Http, LimitPolicy, Policy,
    Redundancy, Refusal, fixed,
};
use bytes::Bytes;
use reqwest::{Client, Method, Request, Response};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tower::{Layer as _, ServiceExt as _};

async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

async fn gone() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn request(method: Method, url: &str) -> Request {
    Request::new(method, url.parse().unwrap())
}

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

fn replicas<const N: usize>(addresses: [String; N]) -> (Buttress, Dispatch<At<Client>, Http>) {
    let policy = Policy::new()
        .deadline(Duration::from_secs(5))
        .redundancy(Redundancy::failover(3))
        .health(HealthPolicy::consecutive(1_000));
    let (root, client) = (Buttress::new().policy("orders", policy), client());
    let connect = move |to: &Endpoint| At::new(to, client.clone());
    let sets = fixed(addresses).unwrap();
    let dispatch = root.dispatch("orders", Http, sets, connect).unwrap();
    (root, dispatch)
}

#[tokio::test]
async fn an_answer_is_reqwests_own_with_its_url() {
    let app = Router::new().route("/api/today", get(async || "well"));
    let base = serve(app).await;
    let layer = GuardLayer::new("orders", Http);
    let url = format!("{base}/api/today?all");
    let answer = layer.layer(client()).oneshot(request(Method::GET, &url));
    let answer: Response = answer.await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.url().as_str()),
        (200, &*url)
    );
    assert_eq!(answer.content_length(), Some(4));
    assert_eq!(answer.text().await.unwrap(), "well");
    let counts = layer.handle().snapshot().counts;
    assert_eq!((counts.successes, counts.in_flight()), (1, 0));
}

#[tokio::test]
async fn two_base_addresses_are_replicas_of_one_another() {
    let app = Router::new().route("/api/today", get(async || "well"));
    let well = format!("{}/api", serve(app).await);
    let (_, orders) = replicas([gone().await, well.clone()]);
    for _ in 0..8 {
        let asked = request(Method::GET, "http://orders/today?all");
        let answer = orders.clone().oneshot(asked).await.unwrap();
        assert_eq!(answer.url().as_str(), format!("{well}/today?all"));
        assert_eq!(answer.text().await.unwrap(), "well");
    }
}

#[tokio::test]
async fn what_is_sent_again_is_what_may_be_and_can_be() {
    let handled = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&handled);
    let fails = any(async move |body: Bytes| {
        assert_eq!(body, "payload");
        counted.fetch_add(1, Ordering::SeqCst);
        StatusCode::BAD_GATEWAY
    });
    let base = serve(Router::new().route("/", fails)).await;
    let whole = || reqwest::Body::from("payload");
    let once = || reqwest::Body::wrap(http_body_util::Full::new(Bytes::from("payload")));
    let keyed = Some("k1");
    for (method, key, body, times) in [
        (Method::PUT, None, whole(), 3),
        (Method::POST, None, whole(), 1),
        (Method::POST, keyed, whole(), 3),
        (Method::PUT, None, once(), 1),
    ] {
        let mut asked = request(method.clone(), "http://orders/");
        *asked.body_mut() = Some(body);
        if let Some(key) = key {
            asked
                .headers_mut()
                .insert("idempotency-key", key.parse().unwrap());
        }
        let (_, orders) = replicas([base.clone()]);
        let answer = orders.oneshot(asked).await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
        assert_eq!(handled.swap(0, Ordering::SeqCst), times, "{method} {key:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_a_response_that_says_so() {
    let layer = GuardLayer::with_policy(
        "orders",
        Http,
        &Policy::new().health(HealthPolicy::consecutive(1)),
    )
    .unwrap();
    let service = layer.layer(client());
    let url = gone().await;
    let failed = service.clone().oneshot(request(Method::GET, &url)).await;
    assert!(failed.unwrap_err().is_connect());
    assert_eq!(layer.handle().snapshot().failures().of(Cause::Connect), 1);
    let refused = service.oneshot(request(Method::GET, &url)).await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(matches!(
        refused.extensions().get(),
        Some(Refusal::Open { .. })
    ));
    let problem: serde_json::Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
    assert_eq!(problem["reason"], "open");
}

#[tokio::test]
async fn a_stream_holds_its_place_to_its_end() {
    let chunks = async || {
        let parts = ["one", "two", "three"].map(|part| Ok::<_, Infallible>(Bytes::from(part)));
        Body::from_stream(tokio_stream::iter(parts))
    };
    let base = serve(Router::new().route("/", get(chunks))).await;
    let limit = Policy::new().limit(LimitPolicy::concurrency(1));
    let layer = GuardLayer::with_policy("orders", Http, &limit).unwrap();
    let asked = request(Method::GET, &base);
    let mut answer = layer.layer(client()).oneshot(asked).await.unwrap();
    let mut whole = Vec::new();
    while let Some(part) = answer.chunk().await.unwrap() {
        whole.extend_from_slice(&part);
        if whole.len() < 11 {
            assert!(layer.handle().admit().is_err(), "{whole:?}");
        }
    }
    assert_eq!(whole, b"onetwothree");
    assert!(layer.handle().admit().is_ok());
    assert_eq!(layer.handle().snapshot().counts.successes, 1);
}

#[tokio::test]
async fn a_body_that_breaks_off_fails_the_endpoint_and_the_reader_hears_of_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut asked = [0; 1024];
        let _ = socket.read(&mut asked).await.unwrap();
        let half = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
        socket.write_all(half).await.unwrap();
    });
    let layer = GuardLayer::new("orders", Http);
    let asked = request(Method::GET, &base);
    let answer = layer.layer(client()).oneshot(asked).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.bytes().await.is_err());
    let snapshot = layer.handle().snapshot();
    assert_eq!(
        (
            snapshot.failures().of(Cause::Reset),
            snapshot.counts.finished()
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn a_timeout_of_reqwests_own_is_a_timeout_and_what_cannot_be_built_is_nobodys_fault() {
    let base = serve(Router::new().route("/", get(std::future::pending::<()>))).await;
    let layer = GuardLayer::new("orders", Http);
    let mut asked = request(Method::GET, &base);
    *asked.timeout_mut() = Some(Duration::from_millis(10));
    let late = layer.layer(client()).oneshot(asked).await.unwrap_err();
    assert!(late.is_timeout());
    let unknown = request(Method::GET, "nowhere://orders/");
    assert!(layer.layer(client()).oneshot(unknown).await.is_err());
    let counts = layer.handle().snapshot().counts;
    assert_eq!(
        (counts.failures.of(Cause::Timeout), counts.failures.total()),
        (1, 1),
        "{counts:?}"
    );
}
