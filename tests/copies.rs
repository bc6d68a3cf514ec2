//! Copies of bodies that nobody waits for, or that are lost.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what a test takes for granted"
)]
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::body::Body;
use buttress::{
    At, Buttress, Endpoint, FallbackLayer, HealthPolicy, Http, MirrorLayer, Policy, Ratio,
    Redundancy, fixed, instead,
};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::watch,
};
use tower::{BoxError, Layer as _, ServiceExt as _, service_fn};

const SIZE: usize = 256 * 1024;

/// An upload whose length nobody knows, as any chunked one: more than the 64 KiB that are kept.
fn upload() -> Request<Body> {
    let frames =
        (0..SIZE / 1024).map(|_| Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[7; 1024]))));
    Request::put("/")
        .body(Body::new(StreamBody::new(tokio_stream::iter(frames))))
        .unwrap()
}

async fn read(request: Request<Body>) -> Result<Response<Body>, BoxError> {
    let size = request.into_body().collect().await?.to_bytes().len();
    Ok(Response::new(Body::from(size.to_string())))
}

async fn said(
    answer: Result<Response<impl http_body::Body<Data = Bytes, Error: std::fmt::Debug>>, BoxError>,
) -> Bytes {
    answer
        .expect("the caller's own call")
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes()
}

#[tokio::test(start_paused = true)]
async fn a_mirrored_copy_that_is_faster_does_not_break_the_call_itself() {
    let (copy_read, wait) = watch::channel(false);
    let copy_read = Arc::new(copy_read);
    let second = service_fn(move |request| {
        let copy_read = copy_read.clone();
        async move {
            let answer = read(request).await;
            copy_read.send_replace(true);
            answer
        }
    });
    let first = service_fn(move |request| {
        let mut wait = wait.clone();
        async move {
            wait.wait_for(|read| *read).await?;
            read(request).await
        }
    });
    let mirror = MirrorLayer::new(Http.boxed(), Ratio::percent(100), second).unwrap();
    assert_eq!(
        said(mirror.layer(first).oneshot(upload()).await).await,
        SIZE.to_string()
    );
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_is_faster_does_not_break_the_call_itself() {
    let (trial_read, wait) = watch::channel(false);
    let (trial_read, ill) = (Arc::new(trial_read), Arc::new(AtomicUsize::new(1)));
    let illness = ill.clone();
    let connect = move |endpoint: &Endpoint| {
        let (sick, trial_read, wait, ill) = (
            endpoint.address() == "sick",
            trial_read.clone(),
            wait.clone(),
            illness.clone(),
        );
        service_fn(move |request: Request<Body>| {
            let (trial_read, mut wait, ill) = (
                trial_read.clone(),
                wait.clone(),
                ill.load(Ordering::SeqCst) == 1,
            );
            async move {
                match (sick, ill) {
                    (true, true) => {
                        return Ok(Response::builder().status(500).body(Body::empty())?);
                    }
                    (false, false) => drop(wait.wait_for(|read| *read).await?),
                    _ => {}
                }
                let answer = read(request).await;
                if sick {
                    trial_read.send_replace(true);
                }
                answer
            }
        })
    };
    let root = Buttress::new().policy(
        "set",
        Policy::new()
            .redundancy(Redundancy::failover(2))
            .health(HealthPolicy::consecutive(1)),
    );
    let service = root
        .dispatch(
            "set",
            Http.boxed(),
            fixed(["sick", "well"]).unwrap(),
            connect,
        )
        .unwrap()
        .mirrored_trials();
    for _ in 0..20 {
        service
            .clone()
            .oneshot(Request::put("/").body(Body::from("x")).unwrap())
            .await
            .unwrap();
    }
    ill.store(0, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(60)).await; // the breaker of the sick one wants to know
    assert_eq!(
        said(service.clone().oneshot(upload()).await).await,
        SIZE.to_string()
    );
}

#[tokio::test]
async fn a_failed_attempt_that_reads_on_does_not_break_the_next() {
    let (early, late) = (
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
    );
    let at = [&early, &late].map(|one| format!("http://{}", one.local_addr().unwrap()));
    let (more, frames) = tokio::sync::mpsc::unbounded_channel();
    let frame = || Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[7; 1024])));
    more.send(frame()).unwrap();
    let (all_read, mut wait) = watch::channel(false);
    tokio::spawn(async move {
        // Answers at once and reads on, as nginx does (`lingering_close`).
        let (mut one, _) = early.accept().await.unwrap();
        let mut part = vec![0; 65536];
        assert!(one.read(&mut part).await.unwrap() > 0);
        one.write_all(b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n")
            .await
            .unwrap();
        loop {
            let size = one.read(&mut part).await.unwrap_or(0);
            if size == 0 || part[..size].ends_with(b"0\r\n\r\n") {
                break;
            }
        }
        all_read.send_replace(true);
        std::future::pending::<()>().await;
    });
    tokio::spawn(async move {
        let (mut one, _) = late.accept().await.unwrap();
        (0..SIZE / 1024).for_each(|_| more.send(frame()).unwrap()); // only now the rest of the upload comes
        drop(more);
        wait.wait_for(|read| *read).await.unwrap(); // busy
        let (mut part, mut all) = (vec![0; 65536], Vec::new());
        while !all.ends_with(b"0\r\n\r\n") {
            let size = one.read(&mut part).await.unwrap();
            if size == 0 {
                return;
            }
            all.extend_from_slice(&part[..size]);
        }
        one.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .await
            .unwrap();
    });
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .build_http::<Body>();
    let root = Buttress::new().policy("set", Policy::new().redundancy(Redundancy::failover(2)));
    let sets = fixed([
        Endpoint::new(at[0].as_str()).unwrap(),
        Endpoint::new(at[1].as_str()).unwrap().priority(1),
    ])
    .unwrap();
    let service = root
        .dispatch("set", Http, sets, move |to: &Endpoint| {
            At::new(to, client.clone())
        })
        .unwrap();
    let body = Body::new(StreamBody::new(
        tokio_stream::wrappers::UnboundedReceiverStream::new(frames),
    ));
    let answer = service.oneshot(Request::put("/").body(body).unwrap()).await;
    assert_eq!(answer.expect("the second has all it needs").status(), 200);
}

#[tokio::test(start_paused = true)]
async fn whoever_stands_in_is_not_asked_with_a_copy_that_is_lost() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let other = service_fn(move |request| {
        count.fetch_add(1, Ordering::SeqCst);
        read(request)
    });
    let first = service_fn(async |request| {
        read(request).await?;
        Ok::<_, BoxError>(Response::builder().status(500).body(Body::empty())?)
    });
    let service = FallbackLayer::new(Http.boxed(), instead::service(other)).layer(first);
    assert_eq!(service.oneshot(upload()).await.unwrap().status(), 500);
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_second_service_that_answers_500_has_failed() {
    let second = service_fn(async |_: Request<Body>| {
        Ok::<_, BoxError>(Response::builder().status(500).body(Body::empty())?)
    });
    let first =
        service_fn(async |_: Request<Body>| Ok::<_, BoxError>(Response::new(Body::empty())));
    let layer = MirrorLayer::new(Http.boxed(), Ratio::percent(100), second).unwrap();
    let service = layer.layer(first);
    service
        .clone()
        .oneshot(Request::get("/").body(Body::empty()).unwrap())
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(layer.counts().failed, 1, "{:?}", layer.counts());
}
