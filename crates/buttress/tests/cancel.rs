//! Calls dropped at every poll leave nothing behind.
#![expect(clippy::unwrap_used, reason = "what a test takes for granted")]

use std::{cell::RefCell, collections::HashMap, future::poll_fn, time::Duration};

use buttress::{
    Buttress, CLOCK, Cause, Endpoint, GuardLayer, Idempotent, Nanos, Outcome, Plain, Policy,
    Redundancy, Snapshot, State, StatsLayer, Vitals, fixed,
};
use buttress_test::{Answer, Readiness, Script, Scripted, cancel_everywhere};
use tower::{BoxError, Layer as _, Service, service_fn};

const MS: Duration = Duration::from_millis(1);

fn timed() -> Policy {
    Policy::new()
        .deadline(1000 * MS)
        .attempt_timeout(100 * MS)
        .redundancy(Redundancy::None)
}

fn readinesses() -> [Readiness; 4] {
    [
        Readiness::Ready,
        Readiness::PendingOnce(10 * MS),
        Readiness::Never,
        Readiness::Err("unreachable".into()),
    ]
}

fn answers() -> [Answer; 5] {
    [
        Answer::Ok { pending: 0 },
        Answer::Ok { pending: 3 },
        Answer::Err("broken".into()),
        Answer::After(20 * MS),
        Answer::Hang,
    ]
}

/// A service that behaves so at every call.
fn always(ready: &Readiness, answer: &Answer) -> Scripted {
    let service = Scripted::new();
    service
        .script()
        .ready_always(ready.clone())
        .answer_always(answer.clone());
    service
}

async fn call<S: Service<u64>>(mut service: S) -> Result<S::Response, S::Error> {
    poll_fn(|cx| service.poll_ready(cx)).await?;
    service.call(1).await
}

/// No permit, no future, no readiness and no place in a queue is held.
fn nothing_is_held<'a>(
    at: &str,
    shots: impl IntoIterator<Item = &'a Snapshot>,
    scripts: impl IntoIterator<Item = &'a Script>,
) {
    for Snapshot { counts, .. } in shots {
        assert_eq!(counts.in_flight(), 0, "{at}: {counts:?}");
        assert_eq!(counts.started, counts.finished(), "{at}: {counts:?}");
    }
    for script in scripts {
        let counts = script.counts();
        let held = (counts.live, counts.reservations, counts.waiting);
        assert_eq!(held, (0, 0, 0), "{at}: {counts:?}");
        assert_eq!(script.violations(), [], "{at}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_holds_nothing_after_a_drop_at_any_poll() {
    for ready in readinesses() {
        if ready == Readiness::Never {
            // Nothing bounds a wait for readiness before the call.
            continue;
        }
        for answer in answers() {
            let inner = always(&ready, &answer);
            let layer = GuardLayer::with_policy("db", Plain, &timed()).unwrap();
            let outer = StatsLayer::with_policy("db", Plain, &timed()).unwrap();
            cancel_everywhere(
                || call(outer.layer(layer.layer(inner.clone()))),
                |polls| {
                    let shots =
                        [layer.vitals(), outer.vitals()].map(|one| one.snapshot(CLOCK.now()));
                    let at = format!("{polls} polls of {ready:?}, {answer:?}");
                    nothing_is_held(&at, &shots, [&inner.script()]);
                },
            )
            .await;
        }
    }
}

/// What one call is sent through, and what it leaves behind.
struct Scene {
    root: Buttress,
    scripts: Vec<Script>,
    /// Vitals are known for as long as somebody can call.
    _kept: Box<dyn std::any::Any>,
}

impl Scene {
    fn nothing_is_held(&self, at: &str) {
        let shots = self.root.registry().snapshot(CLOCK.now());
        nothing_is_held(at, &shots, &self.scripts);
    }
}

#[tokio::test(start_paused = true)]
async fn dispatch_holds_nothing_after_a_drop_at_any_poll() {
    let policy = timed().redundancy(Redundancy::failover(3));
    let mut most = 0;
    for ready in readinesses() {
        for answer in answers() {
            for seed in 0..8 {
                let scene = RefCell::new(None);
                let polls = cancel_everywhere(
                    || {
                        // The same draws in each run, and a fresh record.
                        fastrand::seed(seed);
                        let root = Buttress::new().policy("set", policy);
                        let services: HashMap<&str, Scripted> = HashMap::from([
                            ("a", always(&ready, &answer)),
                            ("b", always(&Readiness::Ready, &Answer::Err("bad".into()))),
                            ("c", always(&Readiness::PendingOnce(5 * MS), &answer)),
                        ]);
                        let scripts = services.values().map(Scripted::script).collect();
                        let connect =
                            move |endpoint: &Endpoint| services[endpoint.address()].clone();
                        let sets = fixed(["a", "b", "c"]).unwrap();
                        let service = root.dispatch("set", Idempotent(Plain), sets, connect);
                        let service = service.unwrap();
                        *scene.borrow_mut() = Some(Scene {
                            root,
                            scripts,
                            _kept: Box::new(service.clone()),
                        });
                        call(service)
                    },
                    |polls| {
                        let at = format!("{polls} polls of {ready:?}, {answer:?}, {seed}");
                        scene.borrow().as_ref().unwrap().nothing_is_held(&at);
                    },
                )
                .await;
                most = most.max(polls);
            }
        }
    }
    assert!(most >= 6, "{most} polls are no journey");
}

#[tokio::test(start_paused = true)]
async fn retry_holds_nothing_after_a_drop_at_any_poll() {
    let policy = timed().redundancy(Redundancy::failover(3));
    for ready in readinesses() {
        for answer in answers() {
            let scene = RefCell::new(None);
            cancel_everywhere(
                || {
                    fastrand::seed(1);
                    let root = Buttress::new().policy("one", policy);
                    let inner = always(&ready, &answer);
                    let scripts = vec![inner.script()];
                    let layer = root.retry("one", Idempotent(Plain)).unwrap();
                    let service = layer.layer(inner);
                    *scene.borrow_mut() = Some(Scene {
                        root,
                        scripts,
                        _kept: Box::new(service.clone()),
                    });
                    call(service)
                },
                |polls| {
                    let at = format!("{polls} polls of {ready:?}, {answer:?}");
                    scene.borrow().as_ref().unwrap().nothing_is_held(&at);
                },
            )
            .await;
        }
    }
}

/// Opens its breaker so long ago that the next call is the probe.
fn broke_long_ago(vitals: &Vitals) {
    let ago = Nanos::new(CLOCK.now().as_u64() - 10_000_000_000);
    for _ in 0..5 {
        let permit = vitals.permit(ago).unwrap();
        vitals.record(permit, ago, Outcome::Failure(Cause::Error));
    }
    assert_eq!(vitals.state(), State::Open);
}

/// Whoever dropped a probe has given its permit back: the next may go out when probes keep their distance, not a lease later.
fn another_may_probe(at: &str, vitals: &Vitals) {
    assert_ne!(
        vitals.state(),
        State::Closed,
        "{at}: one probe proves nothing"
    );
    let (now, due) = (CLOCK.now(), vitals.due());
    assert!(due.since(now) <= 500 * MS, "{at}: not before {due:?}");
    let attempt = vitals.admit_at(now.max(due));
    assert!(attempt.is_ok(), "{at}: wedged: {:?}", vitals.state());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_probe_does_not_wedge_a_guard() {
    for answer in [Answer::Ok { pending: 3 }, Answer::After(20 * MS)] {
        let probed = RefCell::new(None);
        cancel_everywhere(
            || {
                let inner = always(&Readiness::PendingOnce(MS), &answer);
                let script = inner.script();
                let layer = GuardLayer::new("db", Plain);
                broke_long_ago(layer.vitals());
                *probed.borrow_mut() = Some((layer.vitals().clone(), script));
                call(layer.layer(inner))
            },
            |polls| {
                let at = format!("{polls} polls of {answer:?}");
                let (vitals, script) = probed.take().unwrap();
                nothing_is_held(&at, [&vitals.snapshot(CLOCK.now())], [&script]);
                another_may_probe(&at, &vitals);
            },
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_probe_does_not_wedge_dispatch() {
    for answer in [Answer::Ok { pending: 3 }, Answer::After(20 * MS)] {
        let probed = RefCell::new(None);
        cancel_everywhere(
            || {
                let inner = always(&Readiness::PendingOnce(MS), &answer);
                let script = inner.script();
                let root = Buttress::new().policy("one", timed());
                let layer = root.retry("one", Idempotent(Plain)).unwrap();
                let vitals = layer.vitals().unwrap();
                broke_long_ago(&vitals);
                *probed.borrow_mut() = Some((vitals, script));
                call(layer.layer(inner))
            },
            |polls| {
                let at = format!("{polls} polls of {answer:?}");
                let (vitals, script) = probed.take().unwrap();
                nothing_is_held(&at, [&vitals.snapshot(CLOCK.now())], [&script]);
                another_may_probe(&at, &vitals);
            },
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn guards_within_dispatch_hold_nothing_after_a_drop_at_any_poll() {
    let policy = timed().redundancy(Redundancy::failover(3));
    for answer in answers() {
        for seed in 0..8 {
            let scene = RefCell::new(None);
            cancel_everywhere(
                || {
                    fastrand::seed(seed);
                    let root = Buttress::new().policy("set", policy);
                    let inner = always(&Readiness::PendingOnce(5 * MS), &answer);
                    let scripts = vec![inner.script()];
                    let [a, b] = ["a", "b"].map(|name| GuardLayer::new(name, Plain));
                    // The guard of the first is half open.
                    broke_long_ago(a.vitals());
                    let vitals = [a.vitals().clone(), b.vitals().clone()];
                    let connect = move |endpoint: &Endpoint| match endpoint.address() {
                        "a" => a.layer(inner.clone()),
                        _ => b.layer(inner.clone()),
                    };
                    let sets = fixed(["a", "b"]).unwrap();
                    let service = root
                        .dispatch("set", Idempotent(Plain), sets, connect)
                        .unwrap();
                    let _kept = Box::new(service.clone());
                    let kept = Scene {
                        root,
                        scripts,
                        _kept,
                    };
                    *scene.borrow_mut() = Some((kept, vitals));
                    call(service)
                },
                |polls| {
                    let at = format!("{polls} polls of {answer:?}, {seed}");
                    let (scene, vitals) = scene.take().unwrap();
                    scene.nothing_is_held(&at);
                    let shots = vitals.map(|one| one.snapshot(CLOCK.now()));
                    nothing_is_held(&at, &shots, []);
                },
            )
            .await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panics_holds_nothing_and_is_a_failure() {
    let layer = GuardLayer::new("db", Plain);
    let root = Buttress::new().policy("set", timed().redundancy(Redundancy::failover(3)));
    let inner = layer.layer(service_fn(async |_: u64| -> Result<u64, BoxError> {
        tokio::task::yield_now().await;
        panic!("as planned")
    }));
    let connect = move |_: &Endpoint| inner.clone();
    let sets = fixed(["a"]).unwrap();
    let service = root.dispatch("set", Idempotent(Plain), sets, connect);
    let service = service.unwrap();
    let ended = tokio::spawn(call(service.clone())).await;
    assert!(ended.unwrap_err().is_panic());
    let [dispatched] = &root.registry().snapshot(CLOCK.now())[..] else {
        panic!("one endpoint")
    };
    let guarded = layer.vitals().snapshot(CLOCK.now());
    for shot in [dispatched, &guarded] {
        assert_eq!(shot.counts.failures.of(Cause::Panic), 1);
        nothing_is_held("a panic", [shot], []);
    }
}
