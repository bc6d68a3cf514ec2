//! A permit ends with the body, whatever kind that is.

use std::{convert::Infallible, time::Duration};

use axum::{Router, body::Body, extract::Request, routing};
use buttress::{BodyError, Buttress, Cause, GuardLayer, Http, Policy, Refusal};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tower::{Layer as _, ServiceExt as _};

use super::support::{BOTH, BoxError, Frames, Version, answering, data, get, hyper, serve, until};

fn chunks() -> Body {
    Body::new(Frames::new([data("one"), data("two"), data("three")]))
}

fn with_trailers() -> Body {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "7".parse().unwrap());
    Body::new(Frames::new([data("one"), Ok(Frame::trailers(trailers))]))
}

/// A piece, and then nothing more.
fn stalling() -> Body {
    Body::new(Frames::new([data("one")]).stalling())
}

fn kinds() -> Router {
    Router::new()
        .route("/text", routing::get(|| async { "text" }))
        .route("/nothing", routing::get(|| async { Body::empty() }))
        .route("/none", routing::get(|| async { StatusCode::NO_CONTENT }))
        .route("/same", routing::get(|| async { StatusCode::NOT_MODIFIED }))
        .route("/chunks", routing::get(|| async { chunks() }))
        .route("/trailers", routing::get(|| async { with_trailers() }))
        .route("/stalls", routing::get(|| async { stalling() }))
}

const KINDS: [(Method, &str); 8] = [
    (Method::GET, "/text"),
    (Method::HEAD, "/text"),
    (Method::GET, "/nothing"),
    (Method::GET, "/none"),
    (Method::GET, "/same"),
    (Method::GET, "/chunks"),
    (Method::HEAD, "/chunks"),
    (Method::GET, "/trailers"),
];

#[tokio::test]
async fn every_kind_of_body_ends_its_permit_on_both_sides() {
    for version in BOTH {
        let (server, client) = (
            GuardLayer::new("server", Http),
            GuardLayer::new("client", Http),
        );
        let base = serve(kinds().layer(server.clone())).await;
        let asking = client.layer(hyper(version));
        for (method, path) in KINDS {
            let mut request = get(&format!("{base}{path}"));
            *request.method_mut() = method;
            let answer = asking.clone().oneshot(request).await.unwrap();
            answer.into_body().collect().await.unwrap();
            let counts = client.handle().snapshot().counts;
            assert_eq!(counts.in_flight(), 0, "{version:?} {path}");
        }
        let all = KINDS.len() as u64;
        assert_eq!(client.handle().snapshot().counts.successes, all);
        until(|| server.handle().snapshot().counts.in_flight() == 0).await;
        let counts = server.handle().snapshot().counts;
        assert_eq!(
            (counts.successes, counts.finished()),
            (all, all),
            "{version:?}"
        );
    }
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_permit_of_the_server() {
    for version in BOTH {
        let (server, client) = (
            GuardLayer::new("server", Http),
            GuardLayer::new("client", Http),
        );
        let base = serve(kinds().layer(server.clone())).await;
        let asking = client.layer(hyper(version));
        let request = get(&format!("{base}/stalls"));
        let mut body = asking.clone().oneshot(request).await.unwrap().into_body();
        assert!(body.frame().await.unwrap().is_ok());
        assert_eq!(server.handle().snapshot().counts.in_flight(), 1);
        drop((body, asking));
        // The head was well, and nobody can say more.
        assert_eq!(client.handle().snapshot().counts.successes, 1);
        until(|| server.handle().snapshot().counts.in_flight() == 0).await;
        assert_eq!(
            server.handle().snapshot().counts.successes,
            1,
            "{version:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_breaks_off_has_failed() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\none";
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n";
    let nonsense = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\nxyz\r\n";
    let fails = || async { Body::new(Frames::new([data("one"), Err("cable".into())])) };
    let failing = serve(Router::new().route("/", routing::get(fails))).await;
    for (version, base, cause) in [
        (Version::One, answering(head, true).await, Cause::Reset),
        (Version::One, answering(head, false).await, Cause::Reset),
        (Version::One, answering(chunked, false).await, Cause::Reset),
        (
            Version::One,
            answering(nonsense, false).await,
            Cause::Protocol,
        ),
        (Version::One, failing.clone(), Cause::Reset),
        (Version::Two, failing, Cause::Reset),
    ] {
        let client = GuardLayer::new("client", Http);
        let asking = client.layer(hyper(version));
        let answer = asking.oneshot(get(&base)).await.unwrap();
        assert!(answer.into_body().collect().await.is_err());
        let counts = client.handle().snapshot().counts;
        let ends = (counts.failures.of(cause), counts.finished());
        assert_eq!(ends, (1, 1), "{version:?} {base} {counts:?}");
    }
}

/// The connection goes on as something else, and no call is under way.
#[tokio::test]
async fn an_upgrade_ends_the_permit_though_the_connection_goes_on() {
    let server = GuardLayer::new("server", Http);
    let echo = |mut request: Request| async move {
        tokio::spawn(async move {
            let upgraded = hyper::upgrade::on(&mut request).await.unwrap();
            let stream = hyper_util::rt::TokioIo::new(upgraded);
            let (mut from, mut to) = tokio::io::split(stream);
            tokio::io::copy(&mut from, &mut to).await.unwrap();
        });
        let answer = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
        let answer = answer
            .header("connection", "upgrade")
            .header("upgrade", "echo");
        Ok::<_, Infallible>(answer.body(Body::empty()).unwrap())
    };
    let app = Router::new().route_service("/", tower::service_fn(echo));
    let base = serve(app.layer(server.clone())).await;
    let mut stream = TcpStream::connect(base.trim_start_matches("http://"))
        .await
        .unwrap();
    let ask = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    stream.write_all(ask).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"));
    until(|| server.handle().snapshot().counts.in_flight() == 0).await;
    stream.write_all(b"again").await.unwrap();
    let mut echoed = [0; 5];
    stream.read_exact(&mut echoed).await.unwrap();
    assert_eq!(&echoed, b"again");
    assert_eq!(server.handle().snapshot().counts.successes, 1);
}

#[tokio::test]
async fn the_deadline_cuts_a_body_that_stalls() {
    for version in BOTH {
        let base = serve(kinds()).await;
        let policy = Policy::new().deadline(Duration::from_millis(300));
        let buttress = Buttress::new().policy("client", policy);
        let client = buttress.guard("client", Http).unwrap();
        let asking = client.layer(hyper(version));
        let answer = asking
            .oneshot(get(&format!("{base}/stalls")))
            .await
            .unwrap();
        let error = answer.into_body().collect().await.unwrap_err();
        let BodyError::Refused(Refusal::Timeout { .. } | Refusal::Deadline { .. }) = error else {
            panic!("{error:?}");
        };
        let counts = client.handle().snapshot().counts;
        let ends = (counts.failures.of(Cause::Timeout), counts.finished());
        assert_eq!(ends, (1, 1), "{version:?}");
    }
}

/// A body whose errors are boxed goes through the guard of a server.
#[tokio::test]
async fn a_body_with_boxed_errors_is_served() {
    let server = GuardLayer::new("server", Http);
    let plain = tower::service_fn(|_: Request| async {
        Ok::<_, Infallible>(Response::new(Frames::new([data("one")])))
    });
    let app = Router::new().route_service("/", server.layer(plain));
    let base = serve(app).await;
    let answer = hyper(Version::One).request(get(&base)).await.unwrap();
    let read: Result<_, BoxError> = answer.into_body().collect().await.map_err(BoxError::from);
    assert_eq!(read.unwrap().to_bytes(), "one");
}
