//! Requests that may not be handled twice, through every mode and fault.
#![expect(clippy::unwrap_used, reason = "what a test takes for granted")]

use std::{
    collections::HashMap,
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use buttress::{Buttress, Endpoint, HealthPolicy, Http, Policy, Ratio, Redundancy, fixed};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tokio::time::sleep;
use tower::{Service, ServiceExt as _};

const CALLS: u32 = 10_000;

/// How often each request was handled, over all replicas.
type Handled = Arc<Mutex<HashMap<u32, u32>>>;

/// Fails in every way there is, by a draw for each request.
#[derive(Clone)]
struct Replica(Handled);

impl Service<Request<Full<Bytes>>> for Replica {
    type Response = Response<Full<Bytes>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let id = request.headers()["id"].to_str().unwrap().parse().unwrap();
        let draw = fastrand::u32(..100);
        if draw < 15 {
            // Before anything is handled.
            return Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) });
        }
        *self.0.lock().unwrap().entry(id).or_default() += 1;
        Box::pin(async move {
            let status = |status| {
                let mut response = Response::new(Full::default());
                *response.status_mut() = status;
                Ok(response)
            };
            match draw {
                ..25 => status(StatusCode::INTERNAL_SERVER_ERROR),
                25..30 => status(StatusCode::SERVICE_UNAVAILABLE),
                30..40 => Err(io::ErrorKind::ConnectionReset.into()),
                40..45 => {
                    sleep(Duration::from_secs(3600)).await;
                    status(StatusCode::OK)
                }
                _ => {
                    sleep(Duration::from_millis(u64::from(draw - 44))).await;
                    status(StatusCode::OK)
                }
            }
        })
    }
}

async fn handled_twice(policy: Policy, trials: bool, key: bool) -> (usize, usize) {
    let handled = Handled::default();
    let buttress = Buttress::new().policy("posts", policy);
    let connect = {
        let handled = Arc::clone(&handled);
        move |_: &Endpoint| Replica(Arc::clone(&handled))
    };
    let replicas = fixed(["a:1", "b:1", "c:1", "d:1"]).unwrap();
    let service = buttress.dispatch("posts", Http, replicas, connect).unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for id in 0..CALLS {
        let mut request = Request::post("http://posts/").header("id", id);
        if key {
            request = request.header("idempotency-key", id);
        }
        let request = request
            .body(Full::new(Bytes::from_static(b"once")))
            .unwrap();
        let service = service.clone();
        calls.spawn(async move {
            let answer = if trials {
                service.mirrored_trials().oneshot(request).await
            } else {
                service.oneshot(request).await
            };
            drop(answer);
        });
        sleep(Duration::from_millis(1)).await;
        while calls.try_join_next().is_some() {}
    }
    while calls.join_next().await.is_some() {}
    let handled = handled.lock().unwrap();
    (
        handled.len(),
        handled.values().filter(|times| **times > 1).count(),
    )
}

#[tokio::test(start_paused = true)]
async fn of_ten_thousand_posts_none_is_handled_twice_in_any_mode_under_any_fault() {
    fastrand::seed(7);
    let policy = || {
        Policy::new()
            .deadline(Duration::from_secs(1))
            .extra_load(Ratio::new(3.0))
    };
    let lenient = policy().health(HealthPolicy::consecutive(1_000_000));
    let ms = Duration::from_millis;
    for (what, policy, trials) in [
        (
            "failover",
            policy()
                .extra_load(Ratio::percent(100))
                .redundancy(Redundancy::failover(3)),
            false,
        ),
        (
            "failover, trials with copies",
            policy()
                .extra_load(Ratio::percent(100))
                .redundancy(Redundancy::failover(3)),
            true,
        ),
        (
            "hedge",
            lenient
                .extra_load(Ratio::percent(100))
                .redundancy(Redundancy::hedge(3)),
            false,
        ),
        (
            "hedge after",
            lenient
                .extra_load(Ratio::percent(100))
                .redundancy(Redundancy::hedge_after(3, ms(5))),
            false,
        ),
        ("race", lenient.redundancy(Redundancy::race(3)), false),
        (
            "quorum",
            lenient.redundancy(Redundancy::quorum(2, 3)),
            false,
        ),
    ] {
        let (handled, twice) = handled_twice(policy, trials, false).await;
        assert_eq!(twice, 0, "{what}");
        assert!(handled > 1_000, "{what}: {handled}");
    }
}

/// The same with evidence: if nothing were sent twice then either, the test above would say nothing.
#[tokio::test(start_paused = true)]
async fn with_a_key_they_are_sent_again() {
    fastrand::seed(7);
    let policy = Policy::new()
        .deadline(Duration::from_secs(1))
        .health(HealthPolicy::consecutive(1_000_000))
        .extra_load(Ratio::new(3.0))
        .redundancy(Redundancy::race(3));
    let (_, twice) = handled_twice(policy, false, true).await;
    assert!(twice > 1_000, "{twice}");
}
