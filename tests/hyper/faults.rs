//! HTTP/1.1 and below: what becomes of a call, and whether another replica is asked.

use std::sync::Arc;

use buttress::{Cause, GuardLayer, Http, Policy};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor, rt::TokioIo};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Notify,
};
use tower::{BoxError, Layer as _, ServiceExt as _, service_fn};

use crate::support::{PATIENCE, Version, client, dead, in_turn, request, scripted, well};

/// What a server does once it has read the head of a request.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Resets the connection.
    Reset,
    /// Closes it.
    Closed,
    /// Closes its half, and reads on.
    HalfClosed,
    /// Speaks something else.
    Foreign,
    /// A head without an end to it.
    Oversized,
    /// A head that never comes to its end.
    Loris,
    /// Half of a body, and a reset.
    ResetMidBody,
    /// Half of a body, and the end.
    ShortBody,
    /// Half of a body, and nothing.
    BodyStalls,
}

impl Fault {
    async fn handle(self, mut socket: TcpStream, read: Arc<Notify>) {
        let mut asked = Vec::new();
        while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
            if socket.read_buf(&mut asked).await.unwrap_or_default() == 0 {
                return;
            }
        }
        let half = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
        let said = match self {
            Self::Reset | Self::Closed | Self::HalfClosed => Vec::new(),
            Self::Foreign => b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(),
            Self::Oversized => {
                let header = format!("x-{}: {}\r\n", "a".repeat(100), "b".repeat(8_000));
                format!("HTTP/1.1 200 OK\r\n{}", header.repeat(100)).into_bytes()
            }
            Self::Loris => b"HTTP/1.1 200 OK\r\nx-slo".to_vec(),
            Self::ResetMidBody | Self::ShortBody | Self::BodyStalls => half.to_vec(),
        };
        let _ = socket.write_all(&said).await;
        match self {
            Self::Reset => socket.set_zero_linger().unwrap(),
            Self::ResetMidBody => {
                // A reset overtakes what is not read yet.
                read.notified().await;
                socket.set_zero_linger().unwrap();
            }
            Self::HalfClosed => {
                let _ = socket.shutdown().await;
                let mut rest = Vec::new();
                let _ = socket.read_to_end(&mut rest).await;
            }
            Self::Loris | Self::BodyStalls => std::future::pending().await,
            Self::Closed | Self::Foreign | Self::Oversized | Self::ShortBody => {}
        }
    }
}

/// A server with that fault; its body breaks off when it is told that half of it was `read`.
async fn faulty(fault: Fault, read: &Arc<Notify>) -> String {
    let read = Arc::clone(read);
    scripted(move |socket| fault.handle(socket, Arc::clone(&read))).await
}

#[tokio::test]
async fn before_the_head_another_replica_is_asked_where_the_request_may_be_sent_twice() {
    for (fault, cause) in [
        (Fault::Reset, Cause::Reset),
        (Fault::Closed, Cause::Reset),
        (Fault::HalfClosed, Cause::Reset),
        (Fault::Foreign, Cause::Protocol),
        (Fault::Oversized, Cause::Protocol),
        (Fault::Loris, Cause::Timeout),
    ] {
        for method in [Method::GET, Method::POST] {
            let (first, client) = (faulty(fault, &Arc::default()).await, client(Version::One));
            let (root, work) = in_turn(&first, &well().await, move |_| client.clone());
            let answer = work.clone().oneshot(request(method.clone(), "/")).await;
            let again = method == Method::GET;
            let status = answer.as_ref().map(Response::status).ok();
            assert_eq!(status == Some(StatusCode::OK), again, "{fault:?} {method}");
            let counts = root
                .handle(&format!("work/{first}"))
                .unwrap()
                .snapshot()
                .counts;
            assert_eq!(
                (counts.failures.of(cause), counts.finished()),
                (1, 1),
                "{fault:?} {method}: {counts:?}"
            );
        }
    }
}

#[tokio::test]
async fn after_the_head_its_reader_hears_of_it_and_the_endpoint_has_failed() {
    for (fault, cause) in [
        (Fault::ResetMidBody, Cause::Reset),
        (Fault::ShortBody, Cause::Reset),
        (Fault::BodyStalls, Cause::Timeout),
    ] {
        let read = Arc::new(Notify::new());
        let (first, client) = (faulty(fault, &read).await, client(Version::One));
        let (root, work) = in_turn(&first, &well().await, move |_| client.clone());
        let answer = work
            .clone()
            .oneshot(request(Method::GET, "/"))
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let mut body = answer.into_body();
        let half = body.frame().await.unwrap().unwrap();
        assert_eq!(half.into_data().unwrap(), "half");
        read.notify_one();
        assert!(body.collect().await.is_err(), "{fault:?}");
        let counts = root
            .handle(&format!("work/{first}"))
            .unwrap()
            .snapshot()
            .counts;
        assert_eq!(
            (counts.failures.of(cause), counts.finished()),
            (1, 1),
            "{fault:?}: {counts:?}"
        );
    }
}

#[tokio::test]
async fn a_connection_that_cannot_be_made_sends_anything_elsewhere() {
    for version in [Version::One, Version::Two] {
        let (first, client) = (dead().await, client(version));
        let (root, work) = in_turn(&first, &well().await, move |_| client.clone());
        let answer = work
            .clone()
            .oneshot(request(Method::POST, "/"))
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let snapshot = root.handle(&format!("work/{first}")).unwrap().snapshot();
        assert_eq!(snapshot.failures().of(Cause::Connect), 1);
    }
}

/// A server that takes connections and never says hello, as TLS would want it to; how long that is waited for, if at all.
async fn stalling(gives_up: bool) -> (u64, u64, bool) {
    let stalls = scripted(|socket| async move {
        let _held = socket;
        std::future::pending::<()>().await;
    })
    .await;
    let stalled: Uri = stalls.parse().unwrap();
    let connector = service_fn(move |to: Uri| {
        let shakes = to.port_u16() == stalled.port_u16();
        Box::pin(async move {
            let host = (to.host().unwrap(), to.port_u16().unwrap());
            let mut socket = TcpStream::connect(host).await?;
            if shakes && gives_up {
                // Its own patience is at an end.
                return Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into());
            }
            if shakes {
                socket.read_u8().await?;
            }
            Ok::<_, BoxError>(TokioIo::new(socket))
        })
    });
    let client: Client<_, Full<bytes::Bytes>> =
        Client::builder(TokioExecutor::new()).build(connector);
    let (root, work) = in_turn(&stalls, &well().await, move |_| client.clone());
    let get = work.clone().oneshot(request(Method::GET, "/")).await;
    assert_eq!(get.unwrap().status(), StatusCode::OK);
    let post = work
        .clone()
        .oneshot(request(Method::POST, "/"))
        .await
        .unwrap();
    let snapshot = root.handle(&format!("work/{stalls}")).unwrap().snapshot();
    let of = |cause| snapshot.failures().of(cause);
    (
        of(Cause::Timeout),
        of(Cause::Connect),
        post.status() == StatusCode::OK,
    )
}

#[tokio::test]
async fn a_hello_that_is_never_answered_is_a_timeout_and_of_a_connector_that_gives_up_first_nothing_was_sent()
 {
    // Only the connector knows that nothing was sent.
    assert_eq!(stalling(false).await, (2, 0, false));
    assert_eq!(stalling(true).await, (0, 2, true));
}

#[tokio::test]
async fn a_guard_alone_says_the_same() {
    for (fault, cause) in [
        (Fault::Reset, Cause::Reset),
        (Fault::Foreign, Cause::Protocol),
        (Fault::Loris, Cause::Timeout),
    ] {
        let policy = Policy::new().attempt_timeout(PATIENCE / 4);
        let layer = GuardLayer::with_policy("work", Http, &policy).unwrap();
        let first = faulty(fault, &Arc::default()).await;
        let asked: Request<_> = request(Method::GET, &first);
        let answer = layer.layer(client(Version::One)).oneshot(asked).await;
        let late = answer.map(|answer| answer.status()).ok();
        let expected = matches!(fault, Fault::Loris).then_some(StatusCode::GATEWAY_TIMEOUT);
        assert_eq!(late, expected, "{fault:?}");
        assert_eq!(
            layer.handle().snapshot().failures().of(cause),
            1,
            "{fault:?}"
        );
    }
}
