//! Answers that take long because there is much to say.

use std::{convert::Infallible, time::Duration};

use axum::body::Body;
use buttress::{BreakerState, GuardLayer, Health, Http, Policy};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, StreamBody};
use tokio::time::sleep;
use tower::{Layer as _, ServiceExt as _, service_fn};

/// Four parts, one every 400 ms.
fn parts() -> Body {
    let (tell, parts) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        for _ in 0..4 {
            sleep(Duration::from_millis(400)).await;
            let part = http_body::Frame::data(Bytes::from_static(b"part"));
            if tell.send(Ok::<_, Infallible>(part)).await.is_err() {
                return;
            }
        }
    });
    Body::new(StreamBody::new(
        tokio_stream::wrappers::ReceiverStream::new(parts),
    ))
}

#[tokio::test(start_paused = true)]
async fn downloads_that_go_on_are_not_taken_for_calls_that_hang() {
    // A call that takes longer than half of this is late.
    let policy = Policy::new().attempt_timeout(Duration::from_secs(2));
    let layer = GuardLayer::with_policy("files", Http, &policy).unwrap();
    let service = layer.layer(service_fn(async |_: Request<Body>| {
        Ok::<_, Infallible>(Response::new(parts()))
    }));
    let mut downloads = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let service = service.clone();
        downloads.spawn(async move {
            let answer = service.oneshot(Request::new(Body::empty())).await.unwrap();
            answer.into_body().collect().await.unwrap().to_bytes().len()
        });
    }
    while let Some(read) = downloads.join_next().await {
        assert_eq!(read.unwrap(), 16);
    }
    let snapshot = layer.handle().snapshot();
    assert_eq!(
        (snapshot.state, snapshot.health),
        (BreakerState::Closed, Health::Healthy)
    );
    assert_eq!(snapshot.counts.successes, 20);
}
