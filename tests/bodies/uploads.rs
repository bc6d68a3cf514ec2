//! Uploads that outlive the replica they were first sent to.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, body::Body, routing};
use buttress::{Buttress, CallCounts, HealthPolicy, Http, Once, Policy, Ratio, Redundancy, fixed};
use bytes::Bytes;
use http::{Method, Request};
use http_body::Frame;
use http_body_util::BodyExt as _;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    io::AsyncReadExt as _,
    sync::{Barrier, Semaphore, watch},
};
use tower::ServiceExt as _;

use super::support::{BOTH, BoxError, Frames, Towards, Version, close, hyper, raw, serve};

const CHUNK: usize = 1024;
const CHUNKS: usize = 32;

/// Opened when a server has seen the beginning of an upload.
#[derive(Clone)]
struct Gate(watch::Sender<bool>);

impl Gate {
    fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    fn open(&self) {
        self.0.send_replace(true);
    }

    /// 32 KiB, of which an eighth comes at once and the rest when the gate is open.
    fn upload(&self) -> Upload {
        self.0.send_replace(false);
        let mut gate = self.0.subscribe();
        Upload {
            opened: Box::pin(async move {
                gate.wait_for(|open| *open).await.unwrap();
            }),
            sent: 0,
            open: false,
        }
    }
}

struct Upload {
    opened: Pin<Box<dyn Future<Output = ()> + Send>>,
    sent: usize,
    open: bool,
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.sent == CHUNKS / 8 && !self.open {
            std::task::ready!(self.opened.as_mut().poll(cx));
            self.open = true;
        }
        if self.sent == CHUNKS {
            return Poll::Ready(None);
        }
        self.sent += 1;
        let chunk = vec![u8::try_from(self.sent).unwrap(); CHUNK];
        Poll::Ready(Some(Ok(Frame::data(chunk.into()))))
    }
}

fn whole() -> Vec<u8> {
    let chunk = |number| [u8::try_from(number).unwrap(); CHUNK];
    (1..=CHUNKS).flat_map(chunk).collect()
}

/// Reads the beginning of an upload and resets the connection. Tells how often.
async fn dying(gate: &Gate) -> (String, Arc<AtomicUsize>) {
    let deaths = Arc::new(AtomicUsize::new(0));
    let (counted, gate) = (deaths.clone(), gate.clone());
    let base = raw(move |mut stream| {
        let (deaths, gate) = (counted.clone(), gate.clone());
        async move {
            let mut read = vec![0; 2 * CHUNK];
            if stream.read_exact(&mut read).await.is_ok() {
                deaths.fetch_add(1, Ordering::SeqCst);
                close(stream, true);
                gate.open();
            }
        }
    })
    .await;
    (base, deaths)
}

/// Reads an upload whole, and answers with how long it was. Tells how many were not what was sent.
async fn well(gate: &Gate) -> (String, Arc<AtomicUsize>) {
    let wrong = Arc::new(AtomicUsize::new(0));
    let (counted, gate) = (wrong.clone(), gate.clone());
    let handle = move |body: Body| {
        let (wrong, gate) = (counted.clone(), gate.clone());
        async move {
            let mut body = body;
            let mut read = Vec::new();
            while let Some(Ok(frame)) = body.frame().await {
                gate.open();
                read.extend_from_slice(frame.data_ref().unwrap());
            }
            wrong.fetch_add(usize::from(read != whole()), Ordering::SeqCst);
            read.len().to_string()
        }
    };
    let app = Router::new().route("/", routing::put(handle.clone()).post(handle));
    (serve(app).await, wrong)
}

fn buttress(redundancy: Redundancy) -> Buttress {
    let policy = Policy::new()
        .redundancy(redundancy)
        .extra_load(Ratio::percent(100))
        .health(HealthPolicy::consecutive(1_000));
    Buttress::new().policy("store", policy)
}

fn counts(buttress: &Buttress) -> CallCounts {
    buttress.registry().call_counts()[0].1
}

/// Sends uploads until a replica has died over some, and tells of how many, and how many came to nothing.
async fn upload<B>(
    http: Http,
    version: Version,
    make: impl Fn(Upload) -> Request<B>,
) -> (usize, usize, CallCounts)
where
    B: buttress::Replayable
        + http_body::Body<Data = Bytes, Error: Into<BoxError>>
        + Send
        + Unpin
        + 'static,
{
    let gate = Gate::new();
    let ((first, deaths), (second, wrong)) = (dying(&gate).await, well(&gate).await);
    let buttress = buttress(Redundancy::failover(2));
    let client = hyper(version);
    let replicas = fixed([first, second]).unwrap();
    let connect = move |to: &buttress::Endpoint| Towards::new(&client, to);
    let service = buttress.dispatch("store", http, replicas, connect).unwrap();
    let mut failed = 0;
    for _ in 0..200 {
        let request = make(gate.upload());
        match service.clone().oneshot(request).await {
            Ok(answer) => {
                let length = answer.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(length, whole().len().to_string());
            }
            Err(_) => failed += 1,
        }
        if deaths.load(Ordering::SeqCst) >= 2 {
            break;
        }
    }
    if failed == 0 {
        assert_eq!(
            wrong.load(Ordering::SeqCst),
            0,
            "what was sent again is the whole"
        );
    }
    (deaths.load(Ordering::SeqCst), failed, counts(&buttress))
}

fn put<B>(body: B) -> Request<B> {
    Request::put("http://store/").body(body).unwrap()
}

#[tokio::test]
async fn a_streaming_upload_survives_the_death_of_its_replica() {
    let with_key = |body| {
        let mut request = put(Body::new(body));
        *request.method_mut() = Method::POST;
        let key = "k1".parse().unwrap();
        request.headers_mut().insert("idempotency-key", key);
        request
    };
    for version in BOTH {
        let (deaths, failed, counts) = upload(Http, version, |body| put(Body::new(body))).await;
        assert_eq!((deaths, failed, counts.committed), (2, 0, 0), "{version:?}");
        let (deaths, failed, _) = upload(Http, version, with_key).await;
        assert_eq!((deaths, failed), (2, 0), "{version:?}");
    }
}

#[tokio::test]
async fn an_upload_beyond_what_is_kept_fails_with_its_replica_and_is_counted() {
    let tight = Http.replay_up_to(CHUNK);
    for version in BOTH {
        let (deaths, failed, counts) = upload(tight, version, |body| put(Body::new(body))).await;
        assert_eq!((deaths, failed, counts.committed), (2, 2, 2), "{version:?}");
        assert_eq!(counts.extra, 0);
    }
}

#[tokio::test]
async fn what_is_sent_once_fails_with_its_replica() {
    let (deaths, failed, counts) = upload(Http, Version::One, |body| put(Once::from(body))).await;
    assert_eq!((deaths, failed, counts.extra), (2, 2, 0));
}

/// A body that arrives from elsewhere, once as it is and once in a box.
#[tokio::test]
async fn an_incoming_body_survives_in_a_box() {
    let gate = Gate::new();
    let ((first, deaths), (second, _)) = (dying(&gate).await, well(&gate).await);
    let from = gate.clone();
    let source = move || std::future::ready(Body::new(from.upload()));
    let source = serve(Router::new().route("/", routing::get(source))).await;
    let buttress = buttress(Redundancy::failover(2));
    let client = hyper(Version::One);
    let replicas = fixed([first, second]).unwrap();
    let connect = move |to: &buttress::Endpoint| Towards::new(&client, to);
    let service = buttress.dispatch("store", Http, replicas, connect).unwrap();
    while deaths.load(Ordering::SeqCst) == 0 {
        let ask = super::support::get(&source);
        let incoming = hyper(Version::One).request(ask).await.unwrap().into_body();
        let request = put(incoming.map_err(BoxError::from).boxed());
        let answer = service.clone().oneshot(request).await.unwrap();
        assert!(answer.status().is_success());
    }
}

/// Neither answers before both have the whole.
#[tokio::test]
async fn two_readers_at_once_both_get_the_whole() {
    for version in BOTH {
        let (gate, barrier) = (Gate::new(), Arc::new(Barrier::new(2)));
        let replica = async || {
            let (gate, barrier) = (gate.clone(), barrier.clone());
            let handle = move |body: Body| async move {
                let mut body = body;
                let mut read = Vec::new();
                while let Some(Ok(frame)) = body.frame().await {
                    gate.open();
                    read.extend_from_slice(frame.data_ref().unwrap());
                }
                barrier.wait().await;
                (read == whole()).to_string()
            };
            serve(Router::new().route("/", routing::put(handle))).await
        };
        let replicas = fixed([replica().await, replica().await]).unwrap();
        let buttress = buttress(Redundancy::hedge_after(2, Duration::from_millis(1)));
        let client = hyper(version);
        let connect = move |to: &buttress::Endpoint| Towards::new(&client, to);
        let service = buttress.dispatch("store", Http, replicas, connect).unwrap();
        let answer = service
            .oneshot(put(Body::new(gate.upload())))
            .await
            .unwrap();
        let right = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(right, "true", "{version:?}");
        assert_eq!(counts(&buttress).extra, 1);
    }
}

/// Tells when it is dropped.
struct Told(Arc<Semaphore>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

async fn length(mut body: Body) -> Option<usize> {
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        read += frame.ok()?.data_ref().map_or(0, Bytes::len);
    }
    Some(read)
}

/// One of two copies falls behind by more than is kept, and fails before the other is answered: that is the answer all the same.
#[tokio::test]
async fn a_copy_that_falls_behind_leaves_the_answer_to_the_other() {
    const PIECE: usize = 256 * 1024;
    const PIECES: usize = 64;
    for version in BOTH {
        let (gate, gone) = (Gate::new(), Arc::new(Semaphore::new(0)));
        let begun = Arc::new(Semaphore::new(0));
        // Reads nothing before the other has read it all.
        let (opened, told, here) = (gate.clone(), gone.clone(), begun.clone());
        let slow = move |body: Body| async move {
            let _told = Told(told);
            here.add_permits(1);
            opened.0.subscribe().wait_for(|open| *open).await.unwrap();
            format!("{:?}", length(body).await)
        };
        // Reads when the other is there, and answers when it is gone.
        let (open, gone) = (gate.clone(), gone.clone());
        let well = move |body: Body| async move {
            begun.acquire().await.unwrap().forget();
            let read = length(body).await;
            open.open();
            gone.acquire().await.unwrap().forget();
            format!("{read:?}")
        };
        let slow = serve(Router::new().route("/", routing::put(slow))).await;
        let well = serve(Router::new().route("/", routing::put(well))).await;
        let buttress = buttress(Redundancy::race(2));
        let mut connector = HttpConnector::new();
        connector.set_send_buffer_size(Some(2 * PIECE));
        let client = Client::builder(TokioExecutor::new())
            .http2_only(version == Version::Two)
            // A connection that was used takes more at once: the kernel has given it more room.
            .pool_max_idle_per_host(0)
            .build(connector);
        let connect = move |to: &buttress::Endpoint| Towards::new(&client, to);
        // More than goes into buffers on the way to the slow one, and less than all.
        let http = Http.replay_up_to(PIECE * PIECES / 4);
        let replicas = fixed([slow, well]).unwrap();
        let service = buttress.dispatch("store", http, replicas, connect).unwrap();
        for _ in 0..4 {
            gate.0.send_replace(false);
            let piece = |_| Ok::<_, BoxError>(Frame::data(Bytes::from(vec![7; PIECE])));
            let mut large = Frames::new([]);
            large.frames = (0..PIECES).map(piece).collect();
            let answer = service
                .clone()
                .oneshot(put(Body::new(large)))
                .await
                .unwrap();
            let read = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(read, format!("{:?}", Some(PIECES * PIECE)), "{version:?}");
        }
    }
}
