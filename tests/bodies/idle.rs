//! Bodies that pause for too long.

use std::time::Duration;

use axum::{Router, body::Body, routing};
use buttress::{Cause, GuardLayer, Http, IdleLayer, TrustBoundaryLayer};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tower::{Layer as _, ServiceExt as _};

use super::support::{BOTH, Frames, data, get, hyper, serve};

const SHORT: Duration = Duration::from_millis(100);

#[tokio::test]
async fn an_upload_that_stalls_is_ended() {
    let app = Router::new().route("/", routing::put(|_: Bytes| async { "whole" }));
    let app = app
        .layer(IdleLayer::new(SHORT))
        .layer(TrustBoundaryLayer::new());
    let base = serve(app).await;
    let mut stream = TcpStream::connect(base.trim_start_matches("http://"))
        .await
        .unwrap();
    let head = b"PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nslow";
    stream.write_all(head).await.unwrap();
    let mut status = [0; 10];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 4", "what came is no request");
}

#[tokio::test]
async fn an_answer_that_stalls_counts_as_a_timeout() {
    let stalls = || async { Body::new(Frames::new([data("one")]).stalling()) };
    let base = serve(Router::new().route("/", routing::get(stalls))).await;
    for version in BOTH {
        let client = GuardLayer::new("client", Http);
        let asking = client.layer(IdleLayer::new(SHORT).layer(hyper(version)));
        let answer = asking.oneshot(get(&base)).await.unwrap();
        let error = answer.into_body().collect().await.unwrap_err();
        assert!(error.refusal().is_some(), "{error:?}");
        let failures = client.handle().snapshot().counts.failures;
        assert_eq!(failures.of(Cause::Timeout), 1, "{version:?}");
    }
}

/// It fits around the clients it is for.
#[tokio::test]
async fn it_goes_around_a_tonic_channel_and_a_router() {
    const fn shareable<T: Clone + Send + Sync + 'static>(_: &T) {}
    let channel = tonic::transport::Channel::from_static("http://[::1]:1").connect_lazy();
    let idle = IdleLayer::responses(SHORT).layer(channel);
    shareable(&idle);
    let client = tonic_health::pb::health_client::HealthClient::new(
        IdleLayer::responses(SHORT).layer(
            tower::ServiceBuilder::new()
                .map_request(|request: http::Request<_>| request.map(tonic::body::Body::new))
                .service(tonic::transport::Channel::from_static("http://[::1]:1").connect_lazy()),
        ),
    );
    drop(client);
}
