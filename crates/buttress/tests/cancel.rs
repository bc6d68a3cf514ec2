//! Calls dropped at every poll leave nothing behind.
#![expect(clippy::unwrap_used, reason = "what a test takes for granted")]

use std::{cell::RefCell, collections::HashMap, fmt::Debug, future::poll_fn, time::Duration};

use buttress::{
    Admission, Ask, BreakerState, Buttress, CLOCK, Cause, Endpoint, FallbackLayer, GuardLayer,
    Handle, Idempotent, Key, LimitPolicy, Nanos, Outcome, Plain, Policy, Ratio, ReconnectPolicy,
    Redundancy, RetryLayer, Snapshot, StatsLayer, Vitals, fixed, instead,
};
use buttress_test::{Answer, Readiness, Script, Scripted, cancel_everywhere};
use tokio::time::sleep;
use tower::{BoxError, Layer as _, Service, service_fn, util::BoxCloneSyncService};

const MS: Duration = Duration::from_millis(1);

fn timed() -> Policy {
    Policy::new().deadline(1000 * MS).attempt_timeout(100 * MS)
}

fn again() -> Policy {
    timed().redundancy(Redundancy::failover(3))
}

/// One attempt after another, or beside another.
fn ways() -> impl Iterator<Item = Policy> {
    let beside = [
        Redundancy::hedge_after(3, 10 * MS),
        Redundancy::race(3),
        Redundancy::quorum(2, 3),
    ];
    let beside = beside.map(|way| {
        let policy = timed().redundancy(way);
        match way.always_extra() {
            0 => policy,
            always => policy.extra_load(Ratio::new(f64::from(always))),
        }
    });
    [again()].into_iter().chain(beside)
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

/// Every readiness with every answer.
fn all() -> impl Iterator<Item = (Readiness, Answer)> {
    let pairs = |ready: Readiness| answers().map(|answer| (ready.clone(), answer));
    readinesses().into_iter().flat_map(pairs)
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

/// What one call may leave behind.
struct Scene {
    shots: Box<dyn Fn() -> Vec<Snapshot>>,
    scripts: Vec<Script>,
}

impl Scene {
    fn of_root(root: Buttress, scripts: Vec<Script>) -> Self {
        let shots = Box::new(move || root.registry().snapshot(CLOCK.now()));
        Self { shots, scripts }
    }

    fn of<const N: usize>(handles: [Handle; N], script: Script) -> Self {
        let shots = move || handles.each_ref().map(Handle::snapshot).into();
        let (shots, scripts) = (Box::new(shots), vec![script]);
        Self { shots, scripts }
    }

    /// No permit, no future, no readiness and no place in a queue.
    fn holds_nothing(&self, at: &str) {
        for Snapshot { counts, .. } in (self.shots)() {
            assert_eq!(counts.in_flight(), 0, "{at}: {counts:?}");
            assert_eq!(counts.started, counts.finished(), "{at}: {counts:?}");
        }
        for script in &self.scripts {
            let counts = script.counts();
            let held = (counts.live, counts.reservations, counts.waiting);
            assert_eq!(held, (0, 0, 0), "{at}: {counts:?}");
            assert_eq!(script.violations(), [], "{at}");
        }
    }
}

/// Sets the stage anew for each drop, with the same draws. Returns how many polls the whole call takes.
async fn leaves_nothing<S>(what: impl Debug, seed: u64, stage: impl Fn() -> (S, Scene)) -> usize
where
    S: Service<u64> + Clone,
{
    let set = RefCell::new(None);
    cancel_everywhere(
        || {
            fastrand::seed(seed);
            let (service, scene) = stage();
            // What is known of an endpoint is known for as long as somebody can call it.
            *set.borrow_mut() = Some((service.clone(), scene));
            call(service)
        },
        |polls| {
            let (_service, scene) = set.take().unwrap();
            scene.holds_nothing(&format!("{polls} polls of {what:?}, seed {seed}"));
        },
    )
    .await
}

#[tokio::test(start_paused = true)]
async fn stacked_guards_hold_nothing_after_a_drop_at_any_poll() {
    // Nothing bounds a wait for readiness before the call.
    for (ready, answer) in all().filter(|(ready, _)| *ready != Readiness::Never) {
        leaves_nothing((&ready, &answer), 0, || {
            let inner = always(&ready, &answer);
            let layer = GuardLayer::with_policy("db", Plain, &timed()).unwrap();
            let outer = StatsLayer::with_policy("db", Plain, &timed()).unwrap();
            let scene = Scene::of([layer.handle(), outer.handle()], inner.script());
            (outer.layer(layer.layer(inner)), scene)
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn dispatch_holds_nothing_after_a_drop_at_any_poll() {
    let mut most = 0;
    for (ready, answer) in all() {
        for (way, seed) in ways().flat_map(|way| (0..4).map(move |seed| (way, seed))) {
            let stage = || {
                let root = Buttress::new().policy("set", way);
                let services = HashMap::from([
                    ("a", always(&ready, &answer)),
                    ("b", always(&Readiness::Ready, &Answer::Err("bad".into()))),
                    ("c", always(&Readiness::PendingOnce(5 * MS), &answer)),
                ]);
                let scripts = services.values().map(Scripted::script).collect();
                let connect = move |endpoint: &Endpoint| services[endpoint.address()].clone();
                let sets = fixed(["a", "b", "c"]).unwrap();
                let service = root.dispatch("set", Idempotent(Plain), sets, connect);
                (service.unwrap(), Scene::of_root(root, scripts))
            };
            most = most.max(leaves_nothing((&ready, &answer, way), seed, stage).await);
        }
    }
    assert!(most >= 6, "{most} polls are no journey");
}

#[tokio::test(start_paused = true)]
async fn retry_holds_nothing_after_a_drop_at_any_poll() {
    for (ready, answer) in all() {
        leaves_nothing((&ready, &answer), 1, || {
            let root = Buttress::new().policy("one", again());
            let inner = always(&ready, &answer);
            let scripts = vec![inner.script()];
            let service = root.retry("one", Idempotent(Plain)).unwrap().layer(inner);
            (service, Scene::of_root(root, scripts))
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn dispatch_over_guards_one_of_them_half_open_holds_nothing_after_a_drop_at_any_poll() {
    for (answer, seed) in answers()
        .into_iter()
        .flat_map(|one| (0..8).map(move |seed| (one.clone(), seed)))
    {
        leaves_nothing(&answer, seed, || {
            let root = Buttress::new().policy("set", again());
            let inner = always(&Readiness::PendingOnce(5 * MS), &answer);
            let [a, b] = ["a", "b"].map(|name| GuardLayer::new(name, Plain));
            broke_long_ago(a.handle().vitals());
            let guards = Scene::of([a.handle(), b.handle()], inner.script());
            let connect = move |endpoint: &Endpoint| match endpoint.address() {
                "a" => a.layer(inner.clone()),
                _ => b.layer(inner.clone()),
            };
            let sets = fixed(["a", "b"]).unwrap();
            let service = root.dispatch("set", Idempotent(Plain), sets, connect);
            let shots = move || {
                let mut shots = root.registry().snapshot(CLOCK.now());
                shots.extend((guards.shots)());
                shots
            };
            let (shots, scripts) = (Box::new(shots), guards.scripts);
            (service.unwrap(), Scene { shots, scripts })
        })
        .await;
    }
}

/// Drops a call at every poll while another holds the only place until 20 ms are over.
async fn gives_its_place_and_its_turn_back<S>(
    policy: Policy,
    stage: impl Fn(Policy, Scripted) -> (S, Handle),
) where
    S: Service<u64> + Clone,
{
    let policy = policy.limit(LimitPolicy::concurrency(1).wait(50 * MS));
    for answer in answers() {
        let set = RefCell::new(None);
        let polls = cancel_everywhere(
            || {
                let inner = always(&Readiness::PendingOnce(MS), &answer);
                let script = inner.script();
                let (service, handle) = stage(policy, inner);
                let busy = handle.admit().unwrap();
                tokio::spawn(async move {
                    sleep(20 * MS).await;
                    busy.finish(Outcome::Success);
                });
                *set.borrow_mut() = Some((service.clone(), handle, script));
                call(service)
            },
            |polls| {
                let at = format!("{polls} polls of {answer:?}");
                let (_service, handle, script) = set.take().unwrap();
                let counts = handle.snapshot().counts;
                if counts.in_flight() == 1 {
                    // Its place is that of the other, who has it still; after him it is free, and nobody is in the queue.
                    let next = handle.vitals().admit_or_wait(CLOCK.now(), Ask::default);
                    assert!(matches!(next, Ok(Admission::Later(_))), "{at}");
                    return;
                }
                Scene::of([handle.clone()], script).holds_nothing(&at);
                handle.admit().unwrap().finish(Outcome::Success);
            },
        )
        .await;
        assert!(polls >= 2, "{polls} polls are no journey");
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_gives_place_and_turn_back_at_any_poll() {
    gives_its_place_and_its_turn_back(timed(), |policy, inner| {
        let layer = GuardLayer::with_policy("db", Plain, &policy).unwrap();
        let handle = layer.handle();
        (layer.layer(inner), handle)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn dispatch_gives_place_and_turn_back_at_any_poll() {
    gives_its_place_and_its_turn_back(again(), |policy, inner| {
        let layer = RetryLayer::new("db", Idempotent(Plain), &policy).unwrap();
        let handle = layer.handle();
        (layer.layer(inner), handle)
    })
    .await;
}

/// Opens its breaker so long ago that the next call is the probe.
fn broke_long_ago(vitals: &Vitals) {
    let ago = Nanos::new(CLOCK.now().as_u64() - 10_000_000_000);
    for _ in 0..5 {
        let permit = vitals.permit(ago).unwrap();
        vitals.record(permit, ago, Outcome::Failure(Cause::Error));
    }
    assert_eq!(vitals.state(), BreakerState::Open);
}

/// Whoever dropped a probe has given its permit back: the next may go out when probes keep their distance, not a lease later.
fn another_may_probe(at: &str, vitals: &Vitals) {
    assert_ne!(
        vitals.state(),
        BreakerState::Closed,
        "{at}: one probe proves nothing"
    );
    let now = CLOCK.now();
    let due = vitals.due(now);
    assert!(due.since(now) <= 500 * MS, "{at}: not before {due:?}");
    let attempt = vitals.admit_at(now.max(due));
    assert!(attempt.is_ok(), "{at}: wedged: {:?}", vitals.state());
}

/// Drops the probe of a breaker at every poll, and asks for another.
async fn does_not_wedge<S>(stage: impl Fn(Scripted) -> (S, Handle))
where
    S: Service<u64>,
{
    for answer in [Answer::Ok { pending: 3 }, Answer::After(20 * MS)] {
        let probed = RefCell::new(None);
        cancel_everywhere(
            || {
                let inner = always(&Readiness::PendingOnce(MS), &answer);
                let script = inner.script();
                let (service, handle) = stage(inner);
                broke_long_ago(handle.vitals());
                *probed.borrow_mut() = Some((handle, script));
                call(service)
            },
            |polls| {
                let at = format!("{polls} polls of {answer:?}");
                let (handle, script) = probed.take().unwrap();
                Scene::of([handle.clone()], script).holds_nothing(&at);
                another_may_probe(&at, handle.vitals());
            },
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_probe_does_not_wedge_a_guard() {
    does_not_wedge(|inner| {
        let layer = GuardLayer::new("db", Plain);
        (layer.layer(inner), layer.handle())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_probe_does_not_wedge_dispatch() {
    does_not_wedge(|inner| {
        let layer = RetryLayer::new("one", Idempotent(Plain), &timed()).unwrap();
        let handle = layer.handle();
        (layer.layer(inner), handle)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panics_holds_nothing_and_is_a_failure() {
    let layer = GuardLayer::new("db", Plain);
    let root = Buttress::new().policy("set", again());
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
    let mut shots = root.registry().snapshot(CLOCK.now());
    shots.push(layer.handle().snapshot());
    for Snapshot { counts, .. } in shots {
        assert_eq!(counts.failures.of(Cause::Panic), 1, "{counts:?}");
        assert_eq!(counts.in_flight(), 0, "{counts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_by_keys_holds_nothing_after_a_drop_at_any_poll() {
    for (ready, answer) in all().filter(|(ready, _)| *ready != Readiness::Never) {
        leaves_nothing((&ready, &answer), 0, || {
            let root = Buttress::new().policy("db", timed());
            let inner = always(&ready, &answer);
            let scripts = vec![inner.script()];
            let layer = root.guard("db", Plain).unwrap();
            let service = layer.by(|request: &u64| Key::from(*request)).layer(inner);
            (service, Scene::of_root(root, scripts))
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_probe_does_not_wedge_a_key() {
    does_not_wedge(|inner| {
        let layer = GuardLayer::new("db", Plain).by(|_: &u64| Key::from("seven"));
        // It is born with its first call.
        drop(layer.layer(Scripted::new()).call(1));
        (layer.layer(inner), layer.handles().find("seven").unwrap())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_fallback_holds_nothing_after_a_drop_at_any_poll_of_either_service() {
    let mut most = 0;
    for ((ready, answer), standby) in all().flat_map(|one| answers().map(|two| (one.clone(), two)))
    {
        // Nothing bounds a wait for the stand-in.
        if ready == Readiness::Never || standby == Answer::Hang {
            continue;
        }
        let stage = || {
            let (inner, other) = (
                always(&ready, &answer),
                always(&Readiness::PendingOnce(5 * MS), &standby),
            );
            let guard = GuardLayer::with_policy("db", Plain, &timed()).unwrap();
            let own = StatsLayer::new("standby", Plain);
            let mut scene = Scene::of([guard.handle(), own.handle()], inner.script());
            scene.scripts.push(other.script());
            let instead = instead::service(own.layer(other));
            let layer = FallbackLayer::new(Idempotent(Plain), instead);
            (layer.layer(guard.layer(inner)), scene)
        };
        most = most.max(leaves_nothing((&ready, &answer, &standby), 0, stage).await);
    }
    assert!(most >= 4, "{most} polls are no journey");
}

type Boxed = BoxCloneSyncService<u64, u64, BoxError>;

/// Puts a layer around a service.
type Around = fn(&Buttress, Boxed) -> Boxed;

/// Every layer, each around any service.
const LAYERS: [(&str, Around); 8] = [
    ("guard", |root, inner| {
        Boxed::new(root.guard("timed", Plain).unwrap().layer(inner))
    }),
    ("limit", |root, inner| {
        Boxed::new(root.guard("limited", Plain).unwrap().layer(inner))
    }),
    ("keyed", |root, inner| {
        let layer = root.guard("timed", Plain).unwrap();
        Boxed::new(layer.by(|request: &u64| Key::from(*request)).layer(inner))
    }),
    ("retry", |root, inner| {
        Boxed::new(root.retry("again", Idempotent(Plain)).unwrap().layer(inner))
    }),
    ("dispatch", |root, inner| over_two(root, "again", inner)),
    ("hedge", |root, inner| over_two(root, "hedged", inner)),
    ("fallback", |root, inner| {
        let layer = root.fallback("timed", Plain, instead::with(|_| None));
        Boxed::new(layer.unwrap().layer(inner))
    }),
    ("reconnect", |root, inner| {
        let layer = root.reconnect("link", Plain, ReconnectPolicy::new());
        // A connection that is being made is made for whoever comes next: here it is there.
        let connected = inner.clone();
        let connect = move || std::future::ready(Ok::<_, BoxError>(inner.clone()));
        Boxed::new(layer.unwrap().over(connect).connected(connected))
    }),
];

fn over_two(root: &Buttress, policy: &str, inner: Boxed) -> Boxed {
    let sets = fixed(["a", "b"]).unwrap();
    let connect = move |_: &Endpoint| inner.clone();
    Boxed::new(
        root.dispatch(policy, Idempotent(Plain), sets, connect)
            .unwrap(),
    )
}

#[tokio::test(start_paused = true)]
async fn every_layer_around_every_layer_holds_nothing_after_a_drop_at_any_poll() {
    for (outer_name, outer) in LAYERS {
        for (inner_name, inner) in LAYERS {
            let endless = |name| matches!(name, "fallback" | "reconnect");
            for answer in answers() {
                // Neither has a time of its own.
                if answer == Answer::Hang && endless(outer_name) && endless(inner_name) {
                    continue;
                }
                let stage = || {
                    let root = Buttress::new()
                        .policy("timed", timed())
                        .policy(
                            "limited",
                            timed().limit(LimitPolicy::concurrency(1).wait(5 * MS)),
                        )
                        .policy("again", again())
                        .policy(
                            "hedged",
                            timed().redundancy(Redundancy::hedge_after(2, 10 * MS)),
                        );
                    let service = always(&Readiness::PendingOnce(5 * MS), &answer);
                    let scripts = vec![service.script()];
                    let stack = outer(&root, inner(&root, Boxed::new(service)));
                    (stack, Scene::of_root(root, scripts))
                };
                leaves_nothing((outer_name, inner_name, &answer), 3, stage).await;
            }
        }
    }
}
