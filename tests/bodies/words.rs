//! What the errors of real clients are taken for: a new wording of theirs turns one of these red.

use std::{error::Error, io, time::Duration};

use axum::{Router, body::Body, routing};
use buttress::{Cause, Http, Outcome, Protocol};
use http::{Request, Response};
use http_body_util::Empty;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower::ServiceExt as _;

use super::support::{
    BOTH, BoxError, Frames, Version, answering, data, get, hyper, nobody, raw, serve,
};

fn judged<E: Error + 'static>(error: &E) -> Outcome {
    Protocol::<Response<Empty<&[u8]>>, E>::classify(&Http, Err(error))
}

const fn failure(cause: Cause) -> Outcome {
    Outcome::Failure(cause)
}

#[tokio::test]
async fn connections_that_come_to_nothing_or_break() {
    for (version, base, outcome) in [
        (Version::One, nobody(), failure(Cause::Connect)),
        (Version::Two, nobody(), failure(Cause::Connect)),
        (
            Version::One,
            answering(b"", true).await,
            failure(Cause::Reset),
        ),
        (
            Version::One,
            answering(b"", false).await,
            failure(Cause::Reset),
        ),
        (
            Version::One,
            answering(b"\0\x01\x02\r\n", false).await,
            failure(Cause::Protocol),
        ),
        (
            Version::One,
            answering(b"HTTP/1.1 2x0 OK\r\n\r\n", false).await,
            failure(Cause::Protocol),
        ),
        (
            Version::One,
            answering(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", false).await,
            failure(Cause::Protocol),
        ),
    ] {
        let error = hyper::<Body>(version)
            .request(get(&base))
            .await
            .unwrap_err();
        assert_eq!(judged(&error), outcome, "{version:?} {error:?}");
        let error = reqwest::Client::builder();
        let client = match version {
            Version::One => error.build().unwrap(),
            Version::Two => continue,
        };
        let error = client.get(&base).send().await.unwrap_err();
        assert_eq!(judged(&error), outcome, "{error:?}");
    }
}

#[tokio::test]
async fn names_that_nobody_knows() {
    type Name = hyper_util::client::legacy::connect::dns::Name;
    let resolver = tower::service_fn(|_: Name| async {
        Err::<std::vec::IntoIter<std::net::SocketAddr>, _>(io::Error::other("nobody knows"))
    });
    let connector = HttpConnector::new_with_resolver(resolver);
    let client = Client::builder(TokioExecutor::new()).build::<_, Body>(connector.clone());
    let error = client.request(get("http://unknown/")).await.unwrap_err();
    assert_eq!(judged(&error), failure(Cause::Connect), "{error:?}");
    // The connector by itself, as tonic and others use it.
    let error = connector.oneshot("http://unknown/".parse().unwrap()).await;
    let Err(error) = error.map(drop) else {
        panic!()
    };
    let boxed: BoxError = error.into();
    let outcome =
        Protocol::<Response<Empty<&[u8]>>, BoxError>::classify(&Http.boxed(), Err(&boxed));
    assert_eq!(outcome, failure(Cause::Connect), "{boxed:?}");
}

/// A frame of HTTP/2 (RFC 9113 §4.1).
fn frame(kind: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    let head = [&[0, 0, length, kind, 0], &stream.to_be_bytes()[..]].concat();
    [&head, payload].concat()
}

/// Speaks HTTP/2 so far as to answer the first request with these bytes.
async fn framed(answer: Vec<u8>) -> String {
    raw(move |mut stream| {
        let answer = answer.clone();
        async move {
            stream.write_all(&frame(4, 0, &[])).await.unwrap();
            let mut preface = [0; 24];
            stream.read_exact(&mut preface).await.unwrap();
            loop {
                let mut head = [0; 9];
                if stream.read_exact(&mut head).await.is_err() {
                    return;
                }
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
                let mut payload = vec![0; length as usize];
                stream.read_exact(&mut payload).await.unwrap();
                // HEADERS: the request.
                if head[3] == 1 {
                    stream.write_all(&answer).await.unwrap();
                }
            }
        }
    })
    .await
}

#[tokio::test]
async fn what_http_2_says_of_streams_and_connections() {
    let reset = |code: u32| frame(3, 1, &code.to_be_bytes());
    let go_away =
        |last: u32, code: u32| frame(7, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat());
    for (answer, outcome) in [
        // REFUSED_STREAM, and a GOAWAY before the first stream: not processed.
        (reset(7), failure(Cause::Connect)),
        (go_away(0, 0), failure(Cause::Connect)),
        (go_away(0, 11), failure(Cause::Connect)),
        // INTERNAL_ERROR, CANCEL, PROTOCOL_ERROR, ENHANCE_YOUR_CALM.
        (reset(2), failure(Cause::Reset)),
        (reset(8), failure(Cause::Reset)),
        (reset(1), failure(Cause::Protocol)),
        (reset(11), Outcome::Overload(None)),
        // DATA of no stream, which ends the connection.
        (frame(0, 0, b"x"), failure(Cause::Protocol)),
    ] {
        let base = framed(answer.clone()).await;
        let error = hyper::<Body>(Version::Two)
            .request(get(&base))
            .await
            .unwrap_err();
        assert_eq!(judged(&error), outcome, "{answer:?} {error:?}");
        let channel = tonic::transport::Channel::from_shared(base)
            .unwrap()
            .connect_lazy();
        let request = Request::new(tonic::body::Body::empty());
        let error = channel.oneshot(request).await.map(drop).unwrap_err();
        assert_eq!(judged(&error), outcome, "{answer:?} {error:?}");
    }
}

/// A request that was let in before its server said goodbye, and then cut off, may have been processed.
#[tokio::test]
async fn a_stream_before_the_last_of_a_goodbye_is_not_unsent() {
    let last = frame(7, 0, &[1_u32.to_be_bytes(), 0_u32.to_be_bytes()].concat());
    let base = raw(move |mut stream| {
        let last = last.clone();
        async move {
            stream.write_all(&frame(4, 0, &[])).await.unwrap();
            let mut read = vec![0; 24 + 9];
            stream.read_exact(&mut read).await.unwrap();
            let mut rest = [0; 1024];
            let _ = stream.read(&mut rest).await;
            stream.write_all(&last).await.unwrap();
            super::support::close(stream, false);
        }
    })
    .await;
    let error = hyper::<Body>(Version::Two)
        .request(get(&base))
        .await
        .unwrap_err();
    assert_eq!(judged(&error), failure(Cause::Reset), "{error:?}");
}

#[tokio::test]
async fn a_request_whose_own_body_fails() {
    let app = Router::new().route("/", routing::put(|_: bytes::Bytes| async { "whole" }));
    let base = serve(app).await;
    for version in BOTH {
        let body = Frames::new([data("one"), Err("cable".into())]);
        let request = Request::put(&base).body(Body::new(body)).unwrap();
        let error = hyper(version).request(request).await.unwrap_err();
        assert_eq!(judged(&error), Outcome::Cancelled, "{version:?} {error:?}");
    }
}

#[tokio::test]
async fn the_patience_of_others() {
    let silent = raw(|mut stream| async move {
        let mut read = [0; 1024];
        while stream.read(&mut read).await.is_ok_and(|read| read > 0) {}
    })
    .await;
    let short = Duration::from_millis(50);
    let client = reqwest::Client::builder().timeout(short).build().unwrap();
    let error = client.get(&silent).send().await.unwrap_err();
    assert_eq!(judged(&error), failure(Cause::Timeout), "{error:?}");
    let channel = tonic::transport::Channel::from_shared(silent.clone()).unwrap();
    let channel = channel.timeout(short).connect_lazy();
    let request = Request::new(tonic::body::Body::empty());
    let error = channel.oneshot(request).await.map(drop).unwrap_err();
    assert_eq!(judged(&error), failure(Cause::Timeout), "{error:?}");
    let error = tokio::time::timeout(short, std::future::pending::<()>())
        .await
        .unwrap_err();
    assert_eq!(judged(&error), failure(Cause::Timeout), "{error:?}");
}

#[tokio::test]
async fn a_lazy_channel_to_a_dead_port() {
    let channel = tonic::transport::Channel::from_shared(nobody()).unwrap();
    let request = Request::new(tonic::body::Body::empty());
    let error = channel
        .connect_lazy()
        .oneshot(request)
        .await
        .map(drop)
        .unwrap_err();
    assert_eq!(judged(&error), failure(Cause::Connect), "{error:?}");
}
