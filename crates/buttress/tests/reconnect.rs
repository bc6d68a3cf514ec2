//! Connections that break, hang and cannot be made, on paused time.
#![expect(clippy::unwrap_used, reason = "what a test takes for granted")]

use std::{
    cell::RefCell,
    collections::VecDeque,
    fmt,
    future::{Ready, pending, ready},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use buttress::{
    BackoffPolicy, BreakerState, Buttress, CLOCK, Cause, Endpoint, GuardLayer, Health, Idempotent,
    Jitter, Outcome, Plain, Policy, Protocol, Receipt, Reconnect, ReconnectLayer, ReconnectPolicy,
    Redundancy, Refusal, Snapshot, fixed,
};
use buttress_test::{Answer, Readiness, Scripted, cancel_everywhere, laws::Laws};
use tokio::time::{sleep, timeout};
use tower::{BoxError, Layer as _, Service, ServiceExt as _, service_fn};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Waits are 100, 200, 400 … ms.
fn policy() -> ReconnectPolicy {
    ReconnectPolicy::new().backoff(BackoffPolicy::new().jitter(Jitter::None))
}

fn layer() -> ReconnectLayer<Plain> {
    ReconnectLayer::with_policy("db", Plain, policy()).unwrap()
}

/// A server as tests want it: how long it takes to connect, what comes of it, and how often it was tried.
#[derive(Clone, Default)]
struct Server(Arc<Inner>);

#[derive(Default)]
struct Inner {
    connects: AtomicUsize,
    /// Connections being made.
    live: AtomicUsize,
    takes: Mutex<Duration>,
    refuses: AtomicBool,
    /// What is made next; then echoes that work.
    made: Mutex<VecDeque<Scripted>>,
}

struct Live(Arc<Inner>);

impl Drop for Live {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Server {
    fn taking(span: Duration) -> Self {
        let server = Self::default();
        *server.0.takes.lock().unwrap() = span;
        server
    }

    fn refuses(&self, refuses: bool) {
        self.0.refuses.store(refuses, Ordering::SeqCst);
    }

    /// The next connection is this one.
    fn makes(&self, service: &Scripted) {
        self.0.made.lock().unwrap().push_back(service.clone());
    }

    fn connects(&self) -> usize {
        self.0.connects.load(Ordering::SeqCst)
    }

    fn live(&self) -> usize {
        self.0.live.load(Ordering::SeqCst)
    }

    async fn connect(self) -> Result<Scripted, &'static str> {
        let inner = self.0;
        inner.connects.fetch_add(1, Ordering::SeqCst);
        inner.live.fetch_add(1, Ordering::SeqCst);
        let _live = Live(Arc::clone(&inner));
        let takes = *inner.takes.lock().unwrap();
        if !takes.is_zero() {
            sleep(takes).await;
        }
        if inner.refuses.load(Ordering::SeqCst) {
            return Err("connection refused");
        }
        let made = inner.made.lock().unwrap().pop_front();
        Ok(made.unwrap_or_default())
    }

    fn behind<P: Clone>(&self, layer: &ReconnectLayer<P>) -> Reconnect<Scripted, P> {
        let server = self.clone();
        layer.over(move || server.clone().connect())
    }
}

fn refusal(error: &BoxError) -> Option<Refusal> {
    error.downcast_ref::<Refusal>().copied()
}

/// After how long to try again: it was refused for there is no connection.
fn refused<T: fmt::Debug>(answer: Result<T, BoxError>) -> Duration {
    match refusal(&answer.unwrap_err()).unwrap() {
        Refusal::Disconnected { retry_after } => retry_after,
        other => unreachable!("{other}"),
    }
}

/// A service that fails every call, or is broken at its `poll_ready`.
fn always(ready: Readiness, answer: Answer) -> Scripted {
    let service = Scripted::new();
    service.script().ready_always(ready);
    service.script().answer_always(answer);
    service
}

fn shot<P>(service: &Reconnect<Scripted, P>) -> Snapshot {
    service.handle().snapshot()
}

/// An error of this text breaks the connection; others are the server's.
#[derive(Clone, Copy)]
struct Resets;

impl Protocol<u64, BoxError> for Resets {
    type Response = u64;
    type Error = BoxError;

    fn classify(&self, result: Result<&u64, &BoxError>) -> Outcome {
        match result {
            Ok(_) => Outcome::Success,
            Err(error) if error.to_string() == "reset" => Outcome::Failure(Cause::Reset),
            Err(_) => Outcome::Failure(Cause::Error),
        }
    }

    fn respond(&self, response: u64, _: Receipt) -> u64 {
        response
    }

    fn fail(&self, error: BoxError) -> BoxError {
        error
    }

    fn refuse(&self, refusal: Refusal) -> Result<u64, BoxError> {
        Err(refusal.into())
    }
}

fn resets() -> ReconnectLayer<Resets> {
    ReconnectLayer::with_policy("db", Resets, policy()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn it_keeps_the_laws_of_services() {
    let over = |inner: Scripted| {
        let again = inner.clone();
        let service = layer().over(move || ready(Ok::<_, BoxError>(again.clone())));
        service.connected(inner)
    };
    Laws::picking_in_call().check(over).await;
    // Under a guard, too, which counts.
    Laws::picking_in_call()
        .check(|inner| GuardLayer::new("db", Plain).layer(over(inner)))
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_thousand_callers_wait_for_one_connection() {
    let server = Server::taking(SECOND);
    let service = server.behind(&layer());
    let calls: Vec<_> = (0..1_000)
        .map(|id| tokio::spawn(service.clone().oneshot(id)))
        .collect();
    for (id, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.unwrap().unwrap(), id as u64);
    }
    assert_eq!(server.connects(), 1);
}

#[test]
fn a_thousand_callers_on_two_threads_wait_for_one_connection() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        for round in 0..20 {
            let server = Server::taking(if round % 2 == 0 { Duration::ZERO } else { MS });
            let service = server.behind(&layer());
            let calls: Vec<_> = (0..1_000)
                .map(|id| tokio::spawn(service.clone().oneshot(id)))
                .collect();
            for call in calls {
                call.await.unwrap().unwrap();
            }
            assert_eq!(server.connects(), 1);
        }
    });
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_are_told_when_it_cannot_be_made() {
    let server = Server::taking(SECOND);
    server.refuses(true);
    let service = server.behind(&layer());
    let calls: Vec<_> = (0..100)
        .map(|id| tokio::spawn(service.clone().oneshot(id)))
        .collect();
    for call in calls {
        let retry_after = refused(call.await.unwrap());
        assert!(retry_after <= 100 * MS, "{retry_after:?}");
    }
    assert_eq!(server.connects(), 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_has_seen_one_attempt_fail_waits_for_no_other() {
    let server = Server::taking(SECOND);
    server.refuses(true);
    let service = server.behind(&layer());
    let mut call = std::pin::pin!(service.clone().oneshot(1));
    assert!(timeout(MS, call.as_mut()).await.is_err());
    // It looks again long after the wait that followed is over.
    sleep(60 * SECOND).await;
    let before = CLOCK.now();
    assert_eq!(refused(call.await), Duration::ZERO);
    assert_eq!((CLOCK.now(), server.connects()), (before, 1));
}

#[tokio::test(start_paused = true)]
async fn whoever_began_to_connect_may_go_away() {
    let server = Server::taking(SECOND);
    let service = server.behind(&layer());
    let first = tokio::spawn(service.clone().oneshot(1));
    sleep(100 * MS).await;
    let second = tokio::spawn(service.clone().oneshot(2));
    sleep(100 * MS).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let answer = timeout(SECOND, second).await;
    assert_eq!(answer.unwrap().unwrap().unwrap(), 2);
    assert_eq!(server.connects(), 1);
}

#[tokio::test(start_paused = true)]
async fn callers_of_little_patience_get_there_all_the_same() {
    let server = Server::taking(SECOND);
    let service = server.behind(&layer());
    let mut tries = 0;
    while timeout(300 * MS, service.clone().oneshot(1)).await.is_err() {
        tries += 1;
    }
    assert_eq!((tries, server.connects()), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn calls_dropped_at_any_poll_leave_nothing_behind() {
    for takes in [Duration::ZERO, 10 * MS] {
        for (ready, answer) in [
            (Readiness::Ready, Answer::Ok { pending: 2 }),
            (Readiness::PendingOnce(10 * MS), Answer::After(20 * MS)),
            (Readiness::Ready, Answer::Err("broken".into())),
            (Readiness::Err("unreachable".into()), Answer::Hang),
        ] {
            let set = RefCell::new(None);
            let polls = cancel_everywhere(
                || {
                    let (server, inner) =
                        (Server::taking(takes), always(ready.clone(), answer.clone()));
                    server.makes(&inner);
                    let service = server.behind(&layer());
                    *set.borrow_mut() = Some((service.clone(), inner.script()));
                    service.oneshot(1)
                },
                |polls| {
                    let (_service, script) = set.take().unwrap();
                    let counts = script.counts();
                    let held = (counts.live, counts.reservations, counts.waiting);
                    assert_eq!(held, (0, 0, 0), "{polls} polls of {ready:?}, {answer:?}");
                    assert_eq!(script.violations(), []);
                },
            )
            .await;
            assert!(polls >= 2, "{polls} polls are no journey");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn others_are_served_wherever_one_is_dropped() {
    let (set, mut others) = (RefCell::new(None), Vec::new());
    let polls = cancel_everywhere(
        || {
            let server = Server::taking(10 * MS);
            let service = server.behind(&layer());
            let other = tokio::spawn(service.clone().oneshot(2));
            *set.borrow_mut() = Some((other, server));
            service.oneshot(1)
        },
        |_| {
            others.extend(set.take());
        },
    )
    .await;
    assert!(polls >= 2, "{polls} polls are no journey");
    for (other, server) in others {
        let answer = timeout(SECOND, other).await;
        assert_eq!(answer.unwrap().unwrap().unwrap(), 2);
        assert_eq!(server.connects(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_the_last_who_could_use_it() {
    let server = Server::taking(SECOND);
    let service = server.behind(&layer());
    let _ = timeout(MS, service.clone().oneshot(1)).await;
    assert_eq!(server.live(), 1);
    let vitals = service.handle();
    drop(service);
    sleep(MS).await;
    assert_eq!(server.live(), 0);
    let counts = vitals.snapshot().counts;
    assert_eq!((counts.in_flight(), counts.cancelled), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn refuses_at_once_while_it_waits_and_says_for_how_long() {
    let server = Server::default();
    server.refuses(true);
    let service = server.behind(&layer());
    for (connects, wait) in [(1, 100), (2, 200), (3, 400), (4, 800)] {
        assert_eq!(refused(service.clone().oneshot(1).await), wait * MS);
        let before = CLOCK.now();
        for _ in 0..10 {
            assert_eq!(refused(service.clone().oneshot(1).await), wait * MS);
        }
        assert_eq!(CLOCK.now(), before, "refused at once");
        assert_eq!(server.connects(), connects as usize);
        sleep(wait * MS).await;
    }
    server.refuses(false);
    assert_eq!(service.clone().oneshot(1).await.unwrap(), 1);
    let told = refused(Err::<(), _>(
        Refusal::Disconnected {
            retry_after: SECOND,
        }
        .into(),
    ));
    assert_eq!(told, SECOND);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_while_nobody_calls() {
    let server = Server::default();
    server.refuses(true);
    let service = server.behind(&layer());
    refused(service.clone().oneshot(1).await);
    sleep(3_600 * SECOND).await;
    assert_eq!(server.connects(), 1);
    drop(service);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_to_connect_that_hangs_is_given_up() {
    let service = layer().over(pending::<Result<Scripted, BoxError>>);
    let before = CLOCK.now();
    assert_eq!(refused(service.clone().oneshot(1).await), 100 * MS);
    assert_eq!(CLOCK.now().since(before).as_millis(), 5_000);
    let counts = shot(&service).counts;
    assert_eq!(counts.failures.of(Cause::Timeout), 1);
    assert_eq!(counts.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_had_served_is_made_again_at_once() {
    let server = Server::default();
    let first = Scripted::new();
    server.makes(&first);
    let service = server.behind(&resets());
    assert_eq!(service.clone().oneshot(1).await.unwrap(), 1);
    first.script().answer_always(Answer::Err("reset".into()));
    assert_eq!(
        service.clone().oneshot(2).await.unwrap_err().to_string(),
        "reset"
    );
    assert_eq!(service.clone().oneshot(3).await.unwrap(), 3);
    assert_eq!(server.connects(), 2);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_on_a_connection_that_is_found_broken_before_it_is_used() {
    let server = Server::default();
    let first = Scripted::new();
    server.makes(&first);
    let service = server.behind(&layer());
    assert_eq!(service.clone().oneshot(1).await.unwrap(), 1);
    first.script().ready_always(Readiness::Err("closed".into()));
    assert_eq!(service.clone().oneshot(2).await.unwrap(), 2);
    assert_eq!((server.connects(), first.script().counts().calls), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_only_accepted_proves_nothing() {
    for (ready, answer, told) in [
        (Readiness::Ready, Answer::Err("reset".into()), "reset"),
        (Readiness::Err("closed".into()), Answer::Hang, "closed"),
    ] {
        let server = Server::default();
        let service = server.behind(&resets());
        for (connects, wait) in [(1, 100), (2, 200), (3, 400)] {
            server.makes(&always(ready.clone(), answer.clone()));
            let error = service.clone().oneshot(1).await.unwrap_err();
            assert_eq!(
                (error.to_string().as_str(), server.connects()),
                (told, connects)
            );
            assert_eq!(refused(service.clone().oneshot(1).await), wait * MS);
            sleep(wait * MS).await;
        }
        // It serves: the next time it breaks, it is made again at once, and the waits begin anew.
        let good = Scripted::new();
        server.makes(&good);
        assert_eq!(service.clone().oneshot(1).await.unwrap(), 1);
        good.script().answer_always(Answer::Err("reset".into()));
        service.clone().oneshot(1).await.unwrap_err();
        server.refuses(true);
        assert_eq!(refused(service.clone().oneshot(1).await), 100 * MS);
    }
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_server_break_no_connection() {
    let server = Server::default();
    server.makes(&always(Readiness::Ready, Answer::Err("no such row".into())));
    let (service, plain) = (server.behind(&resets()), server.behind(&layer()));
    for _ in 0..50 {
        service.clone().oneshot(1).await.unwrap_err();
    }
    assert_eq!(server.connects(), 1);
    // A protocol that knows no causes can be told that every error does.
    server.makes(&always(Readiness::Ready, Answer::Err("gone".into())));
    plain.clone().oneshot(1).await.unwrap_err();
    assert_eq!(server.connects(), 2);
    let layer = layer().breaks_on(|outcome| matches!(outcome, Outcome::Failure(_)));
    server.makes(&always(Readiness::Ready, Answer::Err("gone".into())));
    let told = server.behind(&layer);
    told.clone().oneshot(1).await.unwrap_err();
    refused(told.clone().oneshot(1).await);
}

/// Answers when it is told to, each call with what is sent for it.
#[derive(Clone)]
struct Slow(u64, Arc<tokio::sync::Notify>);

impl Service<u64> for Slow {
    type Response = u64;
    type Error = BoxError;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<u64, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Self::Future {
        let Self(generation, late) = self.clone();
        Box::pin(async move {
            match request {
                0 => Ok(generation),
                1 => Err("reset".into()),
                _ => {
                    late.notified().await;
                    Err("reset".into())
                }
            }
        })
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_old_connection_does_not_tear_down_the_new() {
    let (late, connects) = (Arc::new(tokio::sync::Notify::new()), AtomicUsize::new(0));
    let told = Arc::clone(&late);
    let service = resets().over(move || {
        let generation = connects.fetch_add(1, Ordering::SeqCst) as u64 + 1;
        ready(Ok::<_, BoxError>(Slow(generation, Arc::clone(&told))))
    });
    assert_eq!(service.clone().oneshot(0).await.unwrap(), 1);
    let hangs = tokio::spawn(service.clone().oneshot(2));
    sleep(MS).await;
    service.clone().oneshot(1).await.unwrap_err();
    assert_eq!(service.clone().oneshot(0).await.unwrap(), 2);
    late.notify_waiters();
    hangs.await.unwrap().unwrap_err();
    assert_eq!(
        service.clone().oneshot(0).await.unwrap(),
        2,
        "it was torn down"
    );
}

#[tokio::test(start_paused = true)]
async fn outages_of_the_connection_are_seen_in_the_registry() {
    let buttress = Buttress::new();
    let (server, first) = (Server::default(), Scripted::new());
    server.makes(&first);
    let layer = buttress.reconnect("db", Resets, policy()).unwrap();
    let service = server.behind(&layer);
    assert_eq!(service.clone().oneshot(1).await.unwrap(), 1);
    sleep(100 * SECOND).await;
    first.script().answer_always(Answer::Err("reset".into()));
    server.refuses(true);
    service.clone().oneshot(1).await.unwrap_err();
    refused(service.clone().oneshot(1).await);
    let shots = || buttress.registry().snapshot(CLOCK.now());
    let (health, state) = (shots()[0].health, shots()[0].state);
    assert_eq!((health, state), (Health::Down, BreakerState::Open));
    sleep(10 * SECOND).await;
    server.refuses(false);
    assert_eq!(service.clone().oneshot(1).await.unwrap(), 1);
    let [shot] = &shots()[..] else {
        unreachable!("one connection");
    };
    assert_eq!(shot.health, Health::Healthy);
    let figures = shot.reliability.unwrap();
    let seconds = |span: Option<Duration>| span.unwrap().as_secs_f64().round() as u64;
    assert_eq!((seconds(figures.mtbf), seconds(figures.mttr)), (100, 10));
    let causes = shot.episodes[0].causes;
    assert_eq!((causes.of(Cause::Reset), causes.of(Cause::Connect)), (1, 1));
    assert_eq!((shot.counts.started, shot.counts.successes), (3, 2));
    let events = buttress.registry().events().since(0).events;
    let told: Vec<String> = events.iter().map(|event| event.kind.to_string()).collect();
    let expected = [
        "failed: reset",
        "failed, again in 100.0ms: connection refused",
        "restored",
    ];
    assert_eq!(told, expected);
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_calls_come_back_by_degrees_and_after_a_mere_break_at_once() {
    for (outage, state) in [(true, BreakerState::Ramping), (false, BreakerState::Closed)] {
        let guard = GuardLayer::new("db", Plain);
        let (server, first) = (Server::default(), Scripted::new());
        server.makes(&first);
        let service = server.behind(&layer().reentering(&guard.handle()));
        let service = guard.layer(service);
        service.clone().oneshot(1).await.unwrap();
        first.script().ready_always(Readiness::Err("closed".into()));
        server.refuses(outage);
        let _ = service.clone().oneshot(1).await;
        assert_eq!(
            guard.handle().state(),
            BreakerState::Closed,
            "one failure is no evidence"
        );
        sleep(SECOND).await;
        server.refuses(false);
        service.clone().oneshot(1).await.unwrap();
        assert_eq!(guard.handle().state(), state, "outage: {outage}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_connecting_is_a_failure_to_connect() {
    let calls = AtomicUsize::new(0);
    let service = layer().over(move || {
        let call = calls.fetch_add(1, Ordering::SeqCst);
        assert!(call != 0, "before there is a future, as planned");
        async move {
            assert!(call != 1, "in the future, as planned");
            Ok::<_, BoxError>(Scripted::new())
        }
    });
    for wait in [100, 200] {
        assert_eq!(refused(service.clone().oneshot(1).await), wait * MS);
        sleep(wait * MS).await;
    }
    assert_eq!(service.clone().oneshot(1).await.unwrap(), 1);
    assert_eq!(shot(&service).counts.failures.of(Cause::Panic), 2);
}

#[test]
fn a_runtime_that_ends_while_it_connects_leaves_nobody_waiting() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
    };
    let server = Server::taking(20 * MS);
    let service = server.behind(&layer());
    let first = runtime();
    let call = service.clone().oneshot(1);
    assert!(first.block_on(async { timeout(MS, call).await }).is_err());
    drop(first);
    let second = runtime();
    let retry_after = refused(second.block_on(service.clone().oneshot(1)));
    assert!(retry_after <= 100 * MS, "{retry_after:?}");
    second.block_on(async {
        sleep(retry_after).await;
        assert_eq!(service.clone().oneshot(1).await.unwrap(), 1);
    });
}

#[tokio::test(start_paused = true)]
async fn services_that_make_services_make_it() {
    let connects = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connects);
    let maker = service_fn(move |target: &'static str| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            assert_eq!(target, "db:5432");
            Ok::<_, BoxError>(service_fn(async |id: u64| Ok::<_, BoxError>(id + 1)))
        }
    });
    let service = layer().layer(maker.map_request(|()| "db:5432"));
    assert_eq!(service.clone().oneshot(1).await.unwrap(), 2);
    assert_eq!(service.clone().oneshot(2).await.unwrap(), 3);
    assert_eq!(connects.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn under_dispatch_another_replica_is_asked() {
    let (sick, well) = (Server::default(), Server::default());
    sick.refuses(true);
    let policy = Policy::new().redundancy(Redundancy::failover(2));
    let root = Buttress::new().policy("db", policy);
    let services = [sick.behind(&layer()), well.behind(&layer())];
    let connect =
        move |endpoint: &Endpoint| services[usize::from(endpoint.address() == "b")].clone();
    let replicas = fixed(["a", "b"]).unwrap();
    let service = root
        .dispatch("db", Idempotent(Plain), replicas, connect)
        .unwrap();
    for id in 0..100 {
        assert_eq!(service.clone().oneshot(id).await.unwrap(), id);
        sleep(MS).await;
    }
    assert!(sick.connects() <= 2, "{}", sick.connects());
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_cannot_be_is_refused() {
    let policy = policy().connect_timeout(Duration::ZERO);
    let error = Buttress::new().reconnect("db", Plain, policy).unwrap_err();
    assert_eq!(error.field(), "reconnect.connect_timeout");
}

/// What ought to become of each call, worked out anew.
#[derive(Default)]
struct Twin {
    connects: usize,
    up: bool,
    proven: bool,
    failures: u32,
    until: Duration,
}

impl Twin {
    fn call(&mut self, now: Duration, server_refuses: bool, resets: bool) -> &'static str {
        if !self.up {
            if now < self.until {
                return "refused";
            }
            self.connects += 1;
            if server_refuses {
                self.fail(now);
                return "refused";
            }
            (self.up, self.proven) = (true, false);
        }
        if !resets {
            (self.proven, self.failures) = (true, 0);
            return "served";
        }
        self.up = false;
        if !self.proven {
            self.fail(now);
        } else {
            self.until = now;
        }
        "reset"
    }

    fn fail(&mut self, now: Duration) {
        self.failures += 1;
        self.until = now + policy().waits().wait(self.failures, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn goes_the_way_of_its_twin_whatever_happens() {
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (server, mut twin, start) = (Server::default(), Twin::default(), CLOCK.now());
        let resets_now = Arc::new(AtomicBool::new(false));
        let (flag, dial) = (Arc::clone(&resets_now), server.clone());
        let service = resets().over(move || {
            let (flag, dial) = (Arc::clone(&flag), dial.clone());
            async move {
                dial.connect().await?;
                let call = move |id: u64| {
                    let resets = flag.load(Ordering::SeqCst);
                    ready(if resets {
                        Err(BoxError::from("reset"))
                    } else {
                        Ok(id)
                    })
                };
                Ok::<_, &str>(service_fn(call))
            }
        });
        for step in 0..100 {
            sleep(random.u32(0..400) * MS).await;
            let (refuses, breaks) = (random.u8(..) < 100, random.u8(..) < 80);
            server.refuses(refuses);
            resets_now.store(breaks, Ordering::SeqCst);
            let expected = twin.call(CLOCK.now().since(start), refuses, breaks);
            let answer = match service.clone().oneshot(step).await {
                Ok(_) => "served",
                Err(error) if refusal(&error).is_some() => "refused",
                Err(_) => "reset",
            };
            assert_eq!(answer, expected, "seed {seed}, step {step}");
            assert_eq!(server.connects(), twin.connects, "seed {seed}, step {step}");
        }
    }
}

/// Clones are counted: whoever makes thousands goes round in circles.
struct Counted(Arc<AtomicUsize>);
impl Clone for Counted {
    fn clone(&self) -> Self {
        assert!(
            self.0.fetch_add(1, Ordering::SeqCst) < 1_000,
            "it goes round in circles"
        );
        Self(Arc::clone(&self.0))
    }
}
impl Service<u32> for Counted {
    type Response = u32;
    type Error = BoxError;
    type Future = Ready<Result<u32, BoxError>>;
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }
    fn call(&mut self, id: u32) -> Self::Future {
        ready(Ok(id))
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_handed_over_while_one_is_being_made() {
    let count = Arc::new(AtomicUsize::new(0));
    let made = Arc::clone(&count);
    let db = ReconnectLayer::new("db", Plain).over(move || {
        let made = Arc::clone(&made);
        async move {
            sleep(100 * MS).await;
            Ok::<_, BoxError>(Counted(made))
        }
    });
    let first = tokio::spawn(db.clone().oneshot(1));
    tokio::task::yield_now().await;
    let db = db.connected(Counted(Arc::clone(&count)));
    assert_eq!(db.clone().oneshot(2).await.unwrap(), 2);
    sleep(200 * MS).await;
    assert_eq!(first.await.unwrap().unwrap(), 1);
    assert_eq!(db.clone().oneshot(3).await.unwrap(), 3);
}
