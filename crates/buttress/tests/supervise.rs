//! Services that fail, hang and panic, on paused time.
#![expect(clippy::unwrap_used, reason = "what a test takes for granted")]
#![expect(clippy::panic, reason = "services here panic on purpose")]

use std::{
    cell::Cell,
    fmt,
    future::pending,
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use buttress::{
    BackoffPolicy, Buttress, CLOCK, Cause, EventKind, Exit, GaveUp, Health, IntoExit as _, Jitter,
    Nanos, Redact, Restart, Snapshot, StartError, Stop, Stopped, Supervisor, SupervisorPolicy,
};
use tokio::time::{sleep, timeout};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Waits are 100, 200, 400 … ms.
fn policy() -> SupervisorPolicy {
    SupervisorPolicy::new().backoff(BackoffPolicy::new().jitter(Jitter::None))
}

fn since(before: Nanos) -> Duration {
    CLOCK.now().since(before)
}

fn shot(supervisor: &Supervisor, name: &str) -> Snapshot {
    supervisor.handle(name).unwrap().snapshot()
}

fn events(supervisor: &Supervisor) -> Vec<String> {
    let events = supervisor.registry().events().since(0).events;
    events.iter().map(|event| event.kind.to_string()).collect()
}

/// Counts its runs, and panics after `length` of each.
fn panics_after(length: Duration, runs: &Arc<AtomicUsize>) -> impl FnMut(Stop) -> Panics + use<> {
    let runs = Arc::clone(runs);
    move |_| {
        runs.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            sleep(length).await;
            panic!("as planned");
        })
    }
}

type Panics = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// Ends when it is told to.
async fn heeds(stop: Stop) {
    stop.await;
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_panics_every_second_reports_its_true_mtbf() {
    let (buttress, runs) = (Buttress::new(), Arc::default());
    let supervisor = buttress.supervisor();
    let policy = policy().unlimited();
    supervisor
        .start("poller", policy, panics_after(SECOND, &runs))
        .unwrap();
    sleep(3_600 * SECOND).await;
    let [snapshot] = &buttress.registry().snapshot(CLOCK.now())[..] else {
        panic!("it is seen once");
    };
    let figures = snapshot.reliability.unwrap();
    let mtbf = figures.mtbf.unwrap();
    assert!((950 * MS..1_050 * MS).contains(&mtbf), "{mtbf:?}");
    // After the first waits, each is the longest.
    let mttr = figures.mttr.unwrap();
    assert!((26 * SECOND..=30 * SECOND).contains(&mttr), "{mttr:?}");
    assert_eq!(&*snapshot.policy, "poller");
    assert_eq!(snapshot.counts.failures.of(Cause::Panic), figures.failures);
    assert_eq!(snapshot.counts.started, runs.load(Ordering::SeqCst) as u64);
    let availability = figures.availability.unwrap();
    let expected = figures.failures as f64 / 3_600.0;
    assert!((availability - expected).abs() < 0.001, "{availability}");
}

#[tokio::test(start_paused = true)]
async fn by_default_too_a_loop_that_panics_every_second_reports_its_true_mtbf() {
    let (supervisor, runs) = (Supervisor::new(), Arc::default());
    supervisor
        .start(
            "poller",
            SupervisorPolicy::new(),
            panics_after(SECOND, &runs),
        )
        .unwrap();
    let failure = supervisor.failed().await;
    assert_eq!((failure.restarts, runs.load(Ordering::SeqCst)), (20, 21));
    let mtbf = shot(&supervisor, "poller")
        .reliability
        .unwrap()
        .mtbf
        .unwrap();
    assert!((950 * MS..1_050 * MS).contains(&mtbf), "{mtbf:?}");
}

#[tokio::test(start_paused = true)]
async fn a_service_is_run_again_after_errors_and_panics_later_each_time() {
    let supervisor = Supervisor::new();
    let begun = Arc::new(Mutex::new(Vec::new()));
    let (log, start) = (Arc::clone(&begun), CLOCK.now());
    let service = move |_: Stop| {
        log.lock().unwrap().push(since(start).as_millis());
        let odd = log.lock().unwrap().len() % 2 == 1;
        async move {
            assert!(!odd, "as planned");
            Err::<(), _>("broken")
        }
    };
    supervisor.start("flaky", policy(), service).unwrap();
    sleep(2 * SECOND).await;
    let begun: Vec<u128> = begun.lock().unwrap().clone();
    for (begun, expected) in begun.iter().zip([0, 100, 300, 700, 1_500]) {
        assert!(begun.abs_diff(expected) < 10, "{begun} for {expected}");
    }
    assert_eq!(begun.len(), 5);
    assert_eq!(
        events(&supervisor)[..2],
        [
            "failed, again in 100.0ms: panicked: as planned",
            "failed, again in 200.0ms: broken"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_that_panics_before_it_has_a_future_is_run_again_too() {
    let (supervisor, runs) = (Supervisor::new(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&runs);
    let service = move |stop: Stop| {
        assert!(count.fetch_add(1, Ordering::SeqCst) > 0, "as planned");
        heeds(stop)
    };
    supervisor.start("late", policy(), service).unwrap();
    sleep(SECOND).await;
    assert!(supervisor.is_running("late"));
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_one_until_a_run_has_lasted() {
    let (supervisor, runs) = (Supervisor::new(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&runs);
    let service = move |stop: Stop| {
        let run = count.fetch_add(1, Ordering::SeqCst);
        async move {
            match run {
                0 => sleep(10 * SECOND).await,
                1..4 => sleep(50 * MS).await,
                _ => {
                    heeds(stop).await;
                    return Ok(());
                }
            }
            Err("broken")
        }
    };
    supervisor.start("poller", policy(), service).unwrap();
    sleep(20 * SECOND).await;
    let snapshot = shot(&supervisor, "poller");
    let [episode] = &snapshot.episodes[..] else {
        panic!("one outage: {:?}", snapshot.episodes);
    };
    assert_eq!(episode.causes.of(Cause::Error), 4);
    // Four waits, and three runs too short to be one.
    let lasted = episode.lasted(CLOCK.now());
    assert!(lasted.abs_diff(1_650 * MS) < 20 * MS, "{lasted:?}");
    assert_eq!(snapshot.health, Health::Healthy);
    assert_eq!(snapshot.counts.in_flight(), 1);
    assert_eq!(events(&supervisor).last().unwrap(), "restored");
}

#[tokio::test(start_paused = true)]
async fn a_run_as_long_as_the_first_wait_has_lasted() {
    for (length, outages) in [(99 * MS, 1), (100 * MS, 6)] {
        let (supervisor, runs) = (Supervisor::new(), Arc::default());
        let policy = policy().intensity(5, 60 * SECOND);
        supervisor
            .start("poller", policy, panics_after(length, &runs))
            .unwrap();
        supervisor.failed().await;
        let figures = shot(&supervisor, "poller").reliability.unwrap();
        assert_eq!(figures.failures, outages, "{length:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn is_given_up_once_and_whoever_asks_is_told_once() {
    let (supervisor, runs) = (Supervisor::new(), Arc::default());
    let policy = policy().intensity(3, 10 * SECOND);
    supervisor
        .start("doomed", policy, panics_after(MS, &runs))
        .unwrap();
    // Before anybody asked.
    sleep(60 * SECOND).await;
    let failure = timeout(MS, supervisor.failed()).await.unwrap();
    assert_eq!((&*failure.service, failure.restarts), ("doomed", 3));
    assert_eq!(
        failure.to_string(),
        "service doomed was given up after 3 restarts: panicked: as planned"
    );
    assert!(
        timeout(60 * SECOND, supervisor.failed()).await.is_err(),
        "told twice"
    );
    assert_eq!(runs.load(Ordering::SeqCst), 4);
    assert!(!supervisor.is_running("doomed"));
    let gave_up = |event: &&String| *event == "given up after 3 restarts";
    assert_eq!(events(&supervisor).iter().filter(gave_up).count(), 1);
    assert_eq!(shot(&supervisor, "doomed").health, Health::Down);
}

#[tokio::test(start_paused = true)]
async fn each_of_many_that_wait_is_told_of_another_failure() {
    let supervisor = Arc::new(Supervisor::new());
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let supervisor = Arc::clone(&supervisor);
            tokio::spawn(async move { supervisor.failed().await.service.to_string() })
        })
        .collect();
    tokio::task::yield_now().await;
    for name in ["a", "b", "c"] {
        let policy = policy().intensity(0, SECOND);
        supervisor
            .start(name, policy, async |_| Err::<(), _>("broken"))
            .unwrap();
    }
    let mut told = Vec::new();
    for one in waiting {
        told.push(one.await.unwrap());
    }
    told.sort_unstable();
    assert_eq!(told, ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn one_that_was_given_up_may_be_started_again_and_its_outage_ends_then() {
    let supervisor = Supervisor::new();
    let policy = policy().intensity(0, SECOND);
    supervisor
        .start("db", policy, async |_| Err::<(), _>("broken"))
        .unwrap();
    supervisor.failed().await;
    sleep(30 * SECOND).await;
    supervisor.start("db", policy, heeds).unwrap();
    sleep(SECOND).await;
    let snapshot = shot(&supervisor, "db");
    let mttr = snapshot.reliability.unwrap().mttr.unwrap();
    assert!(mttr.abs_diff(30 * SECOND) < 10 * MS, "{mttr:?}");
    assert_eq!(snapshot.health, Health::Healthy);
}

#[tokio::test(start_paused = true)]
async fn stops_by_itself_within_its_time_or_is_aborted_and_that_is_told() {
    let supervisor = Supervisor::new();
    supervisor.start("good", policy(), heeds).unwrap();
    supervisor
        .start("deaf", policy(), async |_| pending::<()>().await)
        .unwrap();
    sleep(SECOND).await;
    let before = CLOCK.now();
    assert_eq!(supervisor.stop("good").await, Stopped::InTime);
    assert!(since(before) < 10 * MS);
    assert_eq!(supervisor.stop("deaf").await, Stopped::Aborted);
    assert!(
        since(before).abs_diff(5 * SECOND) < 10 * MS,
        "{:?}",
        since(before)
    );
    assert_eq!(events(&supervisor), ["did not stop in time, aborted"]);
    for name in ["good", "deaf", "unknown"] {
        assert_eq!(supervisor.stop(name).await, Stopped::NotRunning);
        assert!(!supervisor.is_running(name) && supervisor.handle(name).is_none());
    }
    assert!(supervisor.registry().snapshot(CLOCK.now()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_for_its_next_run_stops_at_once_and_is_not_run_again() {
    let (supervisor, runs) = (Supervisor::new(), Arc::default());
    let backoff = BackoffPolicy::new().first(60 * SECOND);
    let policy = policy().backoff(backoff).unlimited();
    supervisor
        .start("slow", policy, panics_after(MS, &runs))
        .unwrap();
    sleep(SECOND).await;
    assert!(!supervisor.is_running("slow"), "it waits");
    let stopping = timeout(MS, supervisor.stop("slow"));
    assert_eq!(stopping.await, Ok(Stopped::InTime));
    sleep(600 * SECOND).await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_nobody_waits_for_is_carried_out_all_the_same() {
    let supervisor = Supervisor::new();
    supervisor
        .start("deaf", policy(), async |_| pending::<()>().await)
        .unwrap();
    sleep(SECOND).await;
    drop(supervisor.stop("deaf"));
    sleep(4 * SECOND).await;
    assert!(supervisor.is_running("deaf"));
    sleep(2 * SECOND).await;
    assert!(!supervisor.is_running("deaf"));
    assert_eq!(events(&supervisor), ["did not stop in time, aborted"]);
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_while_it_stops_has_stopped_and_is_told_of() {
    let supervisor = Supervisor::new();
    let service = async |stop: Stop| {
        stop.await;
        panic!("while stopping");
    };
    supervisor.start("clumsy", policy(), service).unwrap();
    sleep(SECOND).await;
    assert_eq!(supervisor.stop("clumsy").await, Stopped::InTime);
    assert_eq!(events(&supervisor), ["failed: panicked: while stopping"]);
}

#[tokio::test(start_paused = true)]
async fn shutdown_stops_all_at_the_same_time() {
    let supervisor = Supervisor::new();
    for name in ["a", "b", "c"] {
        supervisor
            .start(name, policy(), async |_| pending::<()>().await)
            .unwrap();
    }
    supervisor.start("d", policy(), heeds).unwrap();
    sleep(SECOND).await;
    let before = CLOCK.now();
    supervisor.shutdown().await;
    assert!(since(before) < 6 * SECOND, "{:?}", since(before));
    assert!(
        !["a", "b", "c", "d"]
            .iter()
            .any(|name| supervisor.is_running(name))
    );
}

/// Counts those that are alive.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_the_supervisor_aborts_what_it_runs() {
    let (supervisor, alive) = (Supervisor::new(), Arc::new(AtomicUsize::new(0)));
    for name in ["a", "b"] {
        let count = Arc::clone(&alive);
        let service = move |_: Stop| {
            let alive = Alive::new(&count);
            async move {
                pending::<()>().await;
                drop(alive);
            }
        };
        supervisor.start(name, policy(), service).unwrap();
    }
    sleep(SECOND).await;
    assert_eq!(alive.load(Ordering::SeqCst), 2);
    let stopping = supervisor.stop("a");
    drop(supervisor);
    assert_eq!(stopping.await, Stopped::Aborted);
    sleep(MS).await;
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_run_has_started_hears_that_the_run_has_ended() {
    let (supervisor, alive) = (Supervisor::new(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&alive);
    let service = move |stop: Stop| {
        let alive = Alive::new(&count);
        async move {
            tokio::spawn(async move {
                stop.await;
                drop(alive);
            });
            sleep(SECOND).await;
            panic!("as planned");
        }
    };
    supervisor.start("parent", policy(), service).unwrap();
    sleep(60 * SECOND).await;
    assert!(alive.load(Ordering::SeqCst) <= 1, "children pile up");
}

#[tokio::test(start_paused = true)]
async fn is_run_again_after_the_ends_that_its_kind_says() {
    for (restart, fails, again) in [
        (Restart::Always, true, true),
        (Restart::Always, false, true),
        (Restart::OnFailure, true, true),
        (Restart::OnFailure, false, false),
        (Restart::Never, true, false),
        (Restart::Never, false, false),
    ] {
        let (supervisor, runs) = (Supervisor::new(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&runs);
        let service = move |_: Stop| {
            count.fetch_add(1, Ordering::SeqCst);
            async move { if fails { Err("broken") } else { Ok(()) } }
        };
        supervisor
            .start("one", policy().restart(restart), service)
            .unwrap();
        sleep(SECOND).await;
        let case = format!("{restart:?}, fails: {fails}");
        assert_eq!(runs.load(Ordering::SeqCst) > 1, again, "{case}");
        // What failed for good stays to be seen, and is nobody's to be told of: it was not to be run again.
        let health = supervisor.handle("one").map(|one| one.snapshot().health);
        let expected =
            (again || fails).then_some(if fails { Health::Down } else { Health::Healthy });
        assert_eq!(health, expected, "{case}");
        assert!(
            timeout(SECOND, supervisor.failed()).await.is_err(),
            "{case}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_is_taken_until_its_service_has_ended() {
    let supervisor = Supervisor::new();
    supervisor.start("one", policy(), heeds).unwrap();
    let error = supervisor.start("one", policy(), heeds).unwrap_err();
    assert_eq!(error, StartError::Running("one".into()));
    assert_eq!(error.to_string(), "service one is already running");
    supervisor.stop("one").await;
    supervisor.start("one", policy(), heeds).unwrap();
    let error = supervisor.start("two", policy().intensity(9_999, SECOND), heeds);
    let StartError::Policy(error) = error.unwrap_err() else {
        panic!("a policy that cannot be");
    };
    assert_eq!(error.field(), "supervisor.intensity");
}

#[tokio::test(start_paused = true)]
async fn panics_are_told_short_on_one_line_and_without_what_they_were_about() {
    let text = move || format!("no such user: {:?}\nsecond line {}", "bob", "x".repeat(500));
    for (mode, begins, ends) in [
        (
            Redact::Values,
            "panicked: no such user: \"[…]\" second line xxx",
            "x…",
        ),
        (
            Redact::Nothing,
            "panicked: no such user: \"bob\" second line xxx",
            "x…",
        ),
        (Redact::Everything, "panicked: […]", "[…]"),
    ] {
        let supervisor = Supervisor::new();
        let policy = policy().redact(mode).intensity(0, SECOND);
        let service = move |_: Stop| async move { panic!("{}", text()) };
        supervisor.start("secretive", policy, service).unwrap();
        let GaveUp { why, .. } = supervisor.failed().await;
        assert!(why.starts_with(begins) && why.ends_with(ends), "{why}");
        assert!(why.chars().count() <= 210, "{why}");
        let told = supervisor.registry().events().since(0).events;
        assert!(told.iter().any(
            |event| matches!(&event.kind, EventKind::Failed { why: told, .. } if *told == why)
        ));
    }
}

/// An error that is neither `Send` nor an `Error`.
struct Odd(Rc<Cell<u32>>);

impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "odd {}", self.0.get())
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_need_not_be_send_nor_the_service_sync() {
    let supervisor = Supervisor::new();
    let calls = Cell::new(0);
    let service = move |_: Stop| {
        calls.set(calls.get() + 1);
        let call = calls.get();
        async move { Err::<(), Odd>(Odd(Rc::new(Cell::new(call)))) }
    };
    supervisor
        .start("odd", policy().intensity(1, SECOND), service)
        .unwrap();
    assert_eq!(&*supervisor.failed().await.why, "odd 2");
    assert_eq!(Ok::<u8, Odd>(1).into_exit(), Exit::Done);
}

#[test]
fn a_service_outlives_no_runtime() {
    let supervisor = Supervisor::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        supervisor.start("one", policy(), heeds).unwrap();
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        assert!(supervisor.is_running("one"));
    });
    drop(runtime);
    assert!(!supervisor.is_running("one"));
}

#[test]
fn a_thousand_services_stop_on_two_threads() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (supervisor, alive) = (Supervisor::new(), Arc::new(AtomicUsize::new(0)));
        for n in 0..1_000 {
            let count = Arc::clone(&alive);
            let service = move |stop: Stop| {
                let alive = Alive::new(&count);
                async move {
                    stop.await;
                    drop(alive);
                }
            };
            supervisor.start(&n.to_string(), policy(), service).unwrap();
        }
        supervisor.shutdown().await;
        assert_eq!(alive.load(Ordering::SeqCst), 0);
    });
}

#[cfg(feature = "serde")]
#[test]
fn a_policy_is_read_from_a_file() {
    let read: SupervisorPolicy = toml::from_str(
        r#"
        restart = "always"
        intensity = 5
        period = "10s"
        redact = "everything"
        [backoff]
        first = "50ms"
        jitter = "full"
        "#,
    )
    .unwrap();
    let backoff = BackoffPolicy::new().first(50 * MS).jitter(Jitter::Full);
    let built = SupervisorPolicy::new()
        .restart(Restart::Always)
        .intensity(5, 10 * SECOND)
        .redact(Redact::Everything)
        .backoff(backoff);
    assert_eq!(read, built);
    let printed = toml::to_string(&built).unwrap();
    assert_eq!(toml::from_str::<SupervisorPolicy>(&printed).unwrap(), built);
    assert!(toml::from_str::<SupervisorPolicy>("retries = 3").is_err());
}

#[tokio::test(start_paused = true)]
async fn services_that_have_ended_are_forgotten() {
    let supervisor = Buttress::new().supervisor();
    let mut sizes = Vec::new();
    for round in 0..3 {
        for number in 0..1_000 {
            let name = format!("job-{round}-{number}");
            supervisor
                .start(&name, SupervisorPolicy::new(), async |_: Stop| ())
                .unwrap();
        }
        sleep(MS).await;
        sizes.push(format!("{supervisor:?}").len());
    }
    assert!(sizes[2] < 2 * sizes[0], "{sizes:?}");
}
