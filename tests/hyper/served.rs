//! The other side: what clients do to a server under guard.

use std::sync::Arc;

use axum::{Router, body::Bytes, routing::post};
use buttress::{GuardLayer, Http};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Notify,
};

use crate::support::serve;

/// What a client does once its handler runs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Client {
    /// Resets the connection.
    Resets,
    /// Closes its half, and waits.
    HalfCloses,
    /// Never ends its head.
    Loris,
    /// Sends more of a head than anybody reads.
    Oversized,
}

struct Gone(Arc<Notify>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[tokio::test]
async fn whoever_leaves_is_no_failure_of_the_handler_and_whoever_never_asks_is_nobody() {
    for client in [
        Client::Resets,
        Client::HalfCloses,
        Client::Loris,
        Client::Oversized,
    ] {
        let (begun, gone) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let handler = {
            let (begun, gone) = (Arc::clone(&begun), Arc::clone(&gone));
            move || async move {
                let _gone = Gone(gone);
                begun.notify_one();
                std::future::pending::<()>().await;
            }
        };
        let layer = GuardLayer::new("orders", Http);
        let base = serve(Router::new().route("/", post(handler)).layer(layer.clone())).await;
        let mut socket = TcpStream::connect(base.trim_start_matches("http://"))
            .await
            .unwrap();
        let head = "POST / HTTP/1.1\r\nhost: orders\r\ncontent-length: 0\r\n";
        socket.write_all(head.as_bytes()).await.unwrap();
        let counts = || layer.handle().snapshot().counts;
        match client {
            Client::Loris => {
                socket.write_all(b"x-slo").await.unwrap();
                // Whether the server has read it or not: it can only be waiting for more.
                assert_eq!(counts().started, 0);
                continue;
            }
            Client::Oversized => {
                // It may be cut off before all of it is sent.
                let _ = socket
                    .write_all("x-long: y\r\n".repeat(100_000).as_bytes())
                    .await;
                let mut answer = Vec::new();
                let _ = socket.read_to_end(&mut answer).await;
                assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"));
                assert_eq!(counts().started, 0);
                continue;
            }
            Client::Resets | Client::HalfCloses => socket.write_all(b"\r\n").await.unwrap(),
        }
        begun.notified().await;
        if client == Client::Resets {
            socket.set_zero_linger().unwrap();
            drop(socket);
        } else {
            socket.shutdown().await.unwrap();
        }
        gone.notified().await;
        let counts = counts();
        assert_eq!(
            (counts.started, counts.failures.total(), counts.in_flight()),
            (1, 0, 0),
            "{client:?} {counts:?}"
        );
    }
}

#[tokio::test]
async fn an_upload_that_breaks_off_is_the_fault_of_whoever_sent_it() {
    let layer = GuardLayer::new("orders", Http);
    let ended = Arc::new(Notify::new());
    let told = Arc::clone(&ended);
    let handler = async |body: Result<Bytes, axum::extract::rejection::BytesRejection>| match body {
        Ok(_) => Ok(()),
        Err(rejection) => Err(rejection),
    };
    let app = Router::new().route("/", post(handler)).layer(layer.clone());
    let app = app.layer(axum::middleware::from_fn(
        move |request: axum::extract::Request, next: axum::middleware::Next| {
            let told = Arc::clone(&told);
            async move {
                let _told = Gone(told);
                next.run(request).await
            }
        },
    ));
    let base = serve(app).await;
    let mut socket = TcpStream::connect(base.trim_start_matches("http://"))
        .await
        .unwrap();
    let half = "POST / HTTP/1.1\r\nhost: orders\r\ncontent-length: 10\r\n\r\nhalf";
    socket.write_all(half.as_bytes()).await.unwrap();
    socket.set_zero_linger().unwrap();
    drop(socket);
    ended.notified().await;
    let counts = layer.handle().snapshot().counts;
    assert_eq!(counts.failures.total(), 0, "{counts:?}");
}
