//! One guard with a record for each key, on paused time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use buttress::{
    BreakerState, Buttress, Cause, EventKind, GuardLayer, HealthLayer, Key, LimitPolicy, Plain,
    Policy,
};
use tokio::sync::Semaphore;
use tower::{BoxError, Layer as _, Service, ServiceExt as _, service_fn};

struct Query(&'static str);

/// "hung" never answers, "ill" fails, all others answer.
fn db() -> impl Service<Query, Response = (), Error = BoxError, Future: Send> + Clone {
    service_fn(async |Query(tenant)| match tenant {
        "hung" => std::future::pending().await,
        "ill" => Err(BoxError::from("broken")),
        _ => Ok(()),
    })
}

fn tenant(query: &Query) -> Key<'_> {
    Key::from(query.0)
}

#[tokio::test(start_paused = true)]
async fn a_key_that_hangs_is_given_up_on_and_the_others_never_hear_of_it() {
    let policy = Policy::new().attempt_timeout(Duration::from_millis(200));
    let layer = GuardLayer::with_policy("db", Plain, &policy)
        .unwrap()
        .by(tenant);
    let service = layer.layer(db());
    for _ in 0..10 {
        tokio::spawn(service.clone().oneshot(Query("hung")));
        service.clone().oneshot(Query("well")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let handles = layer.handles();
    let [hung, well] = ["hung", "well"].map(|name| handles.find(name).unwrap());
    tokio::time::sleep(Duration::from_millis(50)).await;
    // None has timed out yet: half the timeout is an age.
    assert_eq!(hung.snapshot().counts.failures.total(), 0);
    assert_eq!(
        (hung.state(), well.state()),
        (BreakerState::Open, BreakerState::Closed)
    );
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(hung.snapshot().counts.failures.of(Cause::Timeout), 10);
    assert_eq!(hung.snapshot().counts.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn keys_are_seen_in_the_registry_and_the_one_service_they_took_the_place_of_is_not() {
    let root = Buttress::new().policy("db", Policy::new());
    let service = root.guard("db", Plain).unwrap().by(tenant).layer(db());
    assert!(root.handle("db").is_err());
    for name in ["a", "b", "a"] {
        service.clone().oneshot(Query(name)).await.unwrap();
    }
    let names: Vec<String> = (root.registry().snapshot(buttress::CLOCK.now()).iter())
        .map(buttress::Snapshot::name)
        .collect();
    assert_eq!(names, ["db/a", "db/b"]);
    assert_eq!(root.handle("db/a").unwrap().snapshot().counts.successes, 2);
    assert_eq!(root.handles("db").unwrap().all().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_is_told_and_a_call_under_way_ends_all_the_same() {
    let layer = GuardLayer::new("db", Plain).by(tenant).at_most(1);
    let mut events = layer.handles().events();
    let service = layer.layer(db());
    let waiting = tokio::spawn(service.clone().oneshot(Query("hung")));
    tokio::task::yield_now().await;
    service.clone().oneshot(Query("other")).await.unwrap();
    assert_eq!(
        events.try_next().map(|event| event.kind),
        Some(EventKind::Forgotten(1))
    );
    assert!(layer.handles().find("hung").is_err());
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    assert_eq!(layer.handles().snapshot()[0].forgotten_keys, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_key_known_to_be_ill_is_not_forgotten_where_nothing_is_refused_either() {
    let layer = HealthLayer::new("db", Plain).by(tenant).at_most(2);
    let service = layer.layer(db());
    for _ in 0..20 {
        assert!(service.clone().oneshot(Query("ill")).await.is_err());
    }
    for name in ["a", "b", "c", "d"] {
        service.clone().oneshot(Query(name)).await.unwrap();
    }
    assert_eq!(
        layer.handles().find("ill").unwrap().health(),
        buttress::Health::Down
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_that_cannot_become_ready_is_held_against_no_key() {
    let layer = GuardLayer::new("db", Plain).by(tenant);
    let broken = tower::util::BoxCloneService::<Query, (), BoxError>::new(NeverReady);
    let mut service = layer.layer(broken);
    assert!(service.ready().await.is_err());
    assert!(layer.handles().all().is_empty());
}

#[derive(Clone)]
struct NeverReady;

impl Service<Query> for NeverReady {
    type Response = ();
    type Error = BoxError;
    type Future = std::future::Ready<Result<(), BoxError>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), BoxError>> {
        std::task::Poll::Ready(Err("unreachable".into()))
    }

    fn call(&mut self, _: Query) -> Self::Future {
        std::future::ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_calls_are_under_way_keeps_its_limit() {
    let now = Arc::new(AtomicUsize::new(0));
    let gate = Arc::new(Semaphore::new(0));
    let policy = Policy::new().limit(LimitPolicy::concurrency(1));
    let layer = GuardLayer::with_policy("db", Plain, &policy)
        .unwrap()
        .by(|query: &Query| Key::from(query.0))
        .at_most(2);
    let (under_way, open) = (Arc::clone(&now), Arc::clone(&gate));
    let service = layer.layer(service_fn(move |Query(name)| {
        let (now, gate) = (Arc::clone(&under_way), Arc::clone(&open));
        async move {
            if name == "greedy" {
                now.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
            }
            Ok::<_, BoxError>(())
        }
    }));
    let first = tokio::spawn(service.clone().oneshot(Query("greedy")));
    tokio::task::yield_now().await;
    assert!(
        service.clone().oneshot(Query("greedy")).await.is_err(),
        "one at once"
    );
    for name in ["1", "2", "3", "4"] {
        service.clone().oneshot(Query(name)).await.unwrap();
    }
    let second = tokio::spawn(service.clone().oneshot(Query("greedy")));
    tokio::task::yield_now().await;
    assert_eq!(
        now.load(Ordering::SeqCst),
        1,
        "under way at once, where one may be"
    );
    drop((first, second));
}
