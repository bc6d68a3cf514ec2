//! Whatever a layer watches, in somebody's hand.
#![expect(clippy::unwrap_used, reason = "what a test takes for granted")]

use std::time::Duration;

use buttress::{
    BreakerLayer, BreakerState, Buttress, Event, EventKind, Force, GuardLayer, Health, HealthLayer,
    Idempotent, Key, Outcome, Plain, Policy, RetryLayer, StatsLayer, fixed,
};
use tower::{BoxError, Layer as _, ServiceExt as _, service_fn};

type Refused = buttress::Refusal;

const FORCES: [(Force, bool); 5] = [
    (Force::Open, false),
    (Force::Drain, false),
    (Force::Closed, true),
    (Force::MetricsOnly, true),
    (Force::Disabled, true),
];

#[tokio::test(start_paused = true)]
async fn each_force_is_visible_told_and_taken_back() {
    for (force, admits) in FORCES {
        let handle = GuardLayer::new("db", Plain).handle();
        let mut events = handle.events();
        handle.force(force);
        assert_eq!(handle.forced(), Some(force));
        assert_eq!(handle.snapshot().forced, Some(force));
        match handle.admit() {
            Ok(attempt) => assert!(admits, "{force}: {attempt:?}"),
            Err(refusal) => assert!(!admits && refusal == Refused::Withdrawn, "{force}"),
        }
        handle.release();
        assert_eq!((handle.forced(), handle.snapshot().forced), (None, None));
        let back = if admits {
            BreakerState::Closed
        } else {
            BreakerState::Ramping
        };
        assert_eq!(handle.state(), back, "{force}");
        let mut told = Vec::new();
        while let Some(Event { kind, .. }) = events.try_next() {
            told.push(kind);
        }
        assert_eq!(
            told,
            [EventKind::Forced(Some(force)), EventKind::Forced(None)]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_forgets_what_is_known_and_keeps_what_was() {
    let handle = BreakerLayer::new("db", Plain).handle();
    while let Ok(attempt) = handle.admit() {
        attempt.finish(Outcome::Failure(buttress::Cause::Error));
    }
    assert_eq!(
        (handle.state(), handle.health()),
        (BreakerState::Open, Health::Down)
    );
    handle.reset();
    assert_eq!(
        (handle.state(), handle.health()),
        (BreakerState::Closed, Health::Healthy)
    );
    assert!(handle.snapshot().counts.failures.total() > 0);
}

#[tokio::test(start_paused = true)]
async fn every_layer_has_one_and_it_outlives_the_services() {
    let inner = || service_fn(async |id: u64| Ok::<_, BoxError>(id));
    macro_rules! one_call {
        ($layer:expr) => {{
            let layer = $layer;
            let handle = layer.handle();
            assert_eq!(layer.layer(inner()).oneshot(7).await.unwrap(), 7);
            drop(layer);
            assert_eq!(handle.snapshot().counts.successes, 1, "{}", handle.name());
        }};
    }
    one_call!(GuardLayer::new("db", Plain));
    one_call!(HealthLayer::new("db", Plain));
    one_call!(BreakerLayer::new("db", Plain));
    one_call!(StatsLayer::new("db", Plain));
    one_call!(RetryLayer::new("db", Idempotent(Plain), &Policy::new()).unwrap());
}

/// A root with a set of two, whose first set is read, and a guard of another name.
async fn root() -> (Buttress, Kept) {
    let root = Buttress::new()
        .policy("set", Policy::new())
        .policy("db", Policy::new());
    let connect = |_: &_| service_fn(|id: u64| async move { Ok::<_, BoxError>(id) });
    let sets = fixed(["a:1", "b:1"]).unwrap();
    let mut set = root
        .dispatch("set", Idempotent(Plain), sets, connect)
        .unwrap();
    let _ = set.ready().await.unwrap();
    let db = root.guard("db", Plain).unwrap();
    (root, Kept(Box::new((set, db))))
}

struct Kept(#[expect(dead_code, reason = "only kept")] Box<dyn std::any::Any>);

#[tokio::test(start_paused = true)]
async fn names_find_one_endpoint_or_a_whole_set_and_others_are_told() {
    let (root, _kept) = root().await;
    assert_eq!(root.handle("db").unwrap().name(), "db");
    assert_eq!(root.handle("set/b:1").unwrap().name(), "set/b:1");
    let names: Vec<String> = (root.handles("set").unwrap().all().iter())
        .map(buttress::Handle::name)
        .collect();
    assert_eq!(names, ["set/a:1", "set/b:1"]);
    for (name, error) in [
        (
            "sat",
            "nothing goes by the name \"sat\"; known: db, set, set/a:1, set/b:1",
        ),
        (
            "set/c:1",
            "nothing goes by the name \"set/c:1\"; known: db, set, set/a:1, set/b:1",
        ),
        ("set", "2 go by the name \"set\"; known: set/a:1, set/b:1"),
    ] {
        assert_eq!(root.handle(name).unwrap_err().to_string(), error);
    }
    let error = root.handles("set/a:1").unwrap_err().to_string();
    assert_eq!(error, "nothing goes by the name \"set/a:1\"; known: set");
    let destinations = root.registry().destinations();
    let names: Vec<&str> = destinations
        .iter()
        .map(buttress::Destination::name)
        .collect();
    assert_eq!(names, ["set", "db"]);
}

#[tokio::test(start_paused = true)]
async fn a_set_is_forced_and_released_as_one() {
    let (root, _kept) = root().await;
    let set = root.handles("set").unwrap();
    let mut events = set.events();
    set.force(Force::MetricsOnly);
    let forced: Vec<_> = set.snapshot().iter().map(|shot| shot.forced).collect();
    assert_eq!(forced, [Some(Force::MetricsOnly); 2]);
    assert_eq!(root.handle("db").unwrap().forced(), None);
    set.release();
    set.reset();
    root.handle("db").unwrap().reset();
    assert!(set.all().iter().all(|one| one.forced().is_none()));
    let told = std::iter::from_fn(|| events.try_next()).count();
    assert_eq!((told, events.missed()), (6, 0));
}

#[tokio::test(start_paused = true)]
async fn events_of_one_endpoint_are_of_no_other_and_come_when_they_happen() {
    let (root, _kept) = root().await;
    let [a, b] = ["set/a:1", "set/b:1"].map(|name| root.handle(name).unwrap());
    let (mut of_a, mut of_b) = (a.events(), b.events());
    let waiting = tokio::spawn(async move { of_a.next().await });
    tokio::time::sleep(Duration::from_millis(1)).await;
    a.reset();
    let event = waiting.await.unwrap();
    assert_eq!(
        (event.endpoint.as_deref(), event.kind),
        (Some("a:1"), EventKind::Reset)
    );
    assert!(of_b.try_next().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_misses_the_oldest_and_is_told_how_many() {
    let handle = GuardLayer::new("db", Plain).handle();
    let mut events = handle.events();
    (0..300).for_each(|_| handle.reset());
    handle.force(Force::Closed);
    assert_eq!(events.missed(), 301 - 256);
    let last = std::iter::from_fn(|| events.try_next()).last().unwrap();
    assert_eq!(last.kind, EventKind::Forced(Some(Force::Closed)));
    // Whoever no longer listens is not told, and whoever begins now has missed nothing.
    drop(events);
    let events = handle.events();
    handle.reset();
    assert_eq!(events.missed(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_an_event_may_be_dropped_and_loses_none() {
    let handle = GuardLayer::new("db", Plain).handle();
    let mut events = handle.events();
    let gone = tokio::time::timeout(Duration::from_secs(1), events.next()).await;
    assert!(gone.is_err());
    handle.reset();
    assert_eq!(events.next().await.kind, EventKind::Reset);
}

#[tokio::test(start_paused = true)]
async fn a_set_is_told_of_those_that_come_later() {
    let layer = GuardLayer::new("db", Plain).by(|tenant: &u64| Key::from(*tenant));
    let mut events = layer.handles().events();
    let service = layer.layer(service_fn(async |id: u64| Ok::<_, BoxError>(id)));
    service.oneshot(7).await.unwrap();
    layer.handles().find("7").unwrap().force(Force::Drain);
    let event = events.next().await;
    assert_eq!(event.endpoint.as_deref(), Some("7"));
}
