//! HTTP/2 streams that are reset, for another replica was faster (CVE-2023-44487 is made of such).

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{ConnectInfo, State},
    routing::any,
};
use buttress::{At, Buttress, Dispatch, HealthPolicy, Http, Policy, Ratio, Redundancy, fixed};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use tokio::{
    net::TcpListener,
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::ServiceExt as _;

use crate::support::{Hyper, PATIENCE, Version, client, well};

/// What a server has seen.
#[derive(Clone, Default)]
struct Seen {
    connections: Arc<Mutex<HashSet<SocketAddr>>>,
    resets: Arc<AtomicUsize>,
}

/// A request under way: hyper drops it when its stream is reset.
struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

async fn slow(
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    State(seen): State<Seen>,
) -> &'static str {
    seen.connections.lock().unwrap().insert(from);
    let under_way = UnderWay(seen.resets);
    sleep(Duration::from_millis(50)).await;
    std::mem::forget(under_way);
    "slow"
}

/// Two replicas, of which one is slow, and both are asked.
async fn raced(policy: Policy) -> (Seen, Dispatch<At<Hyper>, Http>) {
    let seen = Seen::default();
    let app = Router::new().route("/", any(slow)).with_state(seen.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let policy = policy
        .redundancy(Redundancy::race(2))
        .extra_load(Ratio::percent(100))
        .health(HealthPolicy::consecutive(1_000_000));
    let root = Buttress::new().policy("work", policy);
    let (client, ends) = (client(Version::Two), fixed([base, well().await]).unwrap());
    let connect = move |to: &_| At::new(to, client.clone());
    (seen, root.dispatch("work", Http, ends, connect).unwrap())
}

/// Calls eight at a time, and waits until the server has heard of what became of them.
async fn call(work: &Dispatch<At<Hyper>, Http>, calls: usize) {
    let mut workers = JoinSet::new();
    for _ in 0..8 {
        let work = work.clone();
        workers.spawn(async move {
            for _ in 0..calls / 8 {
                // Without a body: a server that answers before it has read one resets the stream, too.
                let answer = work.clone().oneshot(Request::new(Full::default()));
                let answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
                assert_eq!(answer.status(), StatusCode::OK);
                answer.into_body().collect().await.unwrap();
            }
        });
    }
    workers.join_all().await;
    sleep(Duration::from_millis(100)).await;
}

#[tokio::test]
async fn no_more_streams_are_reset_than_a_server_bears() {
    let (seen, work) = raced(Policy::new()).await;
    call(&work, 1_600).await;
    let resets = seen.resets.load(Ordering::Relaxed);
    // Whoever was under way when the last that may be was dropped is dropped, too.
    assert!((150..=208).contains(&resets), "{resets}");
    assert!(work.destination().calls().counts().withheld > 1_000);
}

#[tokio::test]
async fn a_server_of_hyper_bears_ten_thousand() {
    let (seen, work) = raced(Policy::new().resets(u32::MAX)).await;
    call(&work, 10_000).await;
    let resets = seen.resets.load(Ordering::Relaxed);
    assert!(resets > 9_000, "{resets}");
    assert_eq!(work.destination().calls().counts().withheld, 0);
    assert_eq!(seen.connections.lock().unwrap().len(), 1);
}
