//! What one request asks for, and how deadlines go from call to call, by scripted services and paused time.
#![expect(clippy::unwrap_used, reason = "what a test takes for granted")]

use std::{
    collections::HashMap,
    fmt::Debug,
    sync::{Arc, Mutex},
    time::Duration,
};

use buttress::{
    Buttress, CLOCK, Call, CallCounts, Cause, Dispatch, Endpoint, Guard, GuardLayer, HealthLayer,
    Idempotent, Nanos, Plain, Policy, Priority, Redundancy, Refusal, RetryLayer, StatsLayer,
    Tightened, carry, current_call, fixed,
};
use buttress_test::{Answer, Readiness, Script, Scripted};
use tower::{BoxError, Layer as _, Service, ServiceExt as _, service_fn};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// A protocol under which every request asks for the same.
fn asking(call: Call) -> Tightened<Plain, impl Fn(&u64) -> Call + Clone> {
    Tightened::new(Plain, move |_: &u64| call)
}

fn hung() -> Scripted {
    let service = Scripted::new();
    service.script().answer_always(Answer::Hang);
    service
}

fn refusal<T: Debug>(result: Result<T, BoxError>) -> Refusal {
    *result.unwrap_err().downcast::<Refusal>().unwrap()
}

/// What came of it, and how long it took.
async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let before = CLOCK.now();
    (future.await, CLOCK.now().since(before))
}

fn counts(root: &Buttress) -> CallCounts {
    root.registry().calls("set").counts()
}

/// Replicas that behave as the first letter of their names says: good, bad or hung.
fn over<P: Clone>(
    root: &Buttress,
    protocol: P,
    names: &[&'static str],
) -> (Dispatch<Scripted, P>, Vec<Script>) {
    let all: HashMap<&str, Scripted> = names.iter().map(|name| (*name, replica(name))).collect();
    let scripts = names.iter().map(|name| all[name].script()).collect();
    let sets = fixed(names.iter().copied()).unwrap();
    let connect = move |to: &Endpoint| all[to.address()].clone();
    let service = root.dispatch("set", protocol, sets, connect).unwrap();
    (service, scripts)
}

fn replica(name: &str) -> Scripted {
    let service = Scripted::new();
    match name.as_bytes()[0] {
        b'b' => service.script().answer_always(Answer::Err(name.into())),
        b'h' => service.script().answer_always(Answer::Hang),
        _ => &service.script(),
    };
    service
}

fn sent(scripts: &[Script]) -> usize {
    scripts.iter().map(|script| script.counts().calls).sum()
}

/// A guarded service that tells what its calls are a part of.
fn telling<P: Clone>(layer: &GuardLayer<P>) -> Guard<impl Told, P> {
    layer.layer(service_fn(async |_: u64| Ok::<_, BoxError>(current_call())))
}

trait Told: Service<u64, Response = Call, Error = BoxError, Future: Send> + Clone + Send {}

impl<S> Told for S where
    S: Service<u64, Response = Call, Error = BoxError, Future: Send> + Clone + Send
{
}

#[tokio::test(start_paused = true)]
async fn a_call_with_less_time_is_given_up_earlier_and_nobody_is_blamed() {
    let policy = Policy::new().deadline(SECOND);
    let patient = asking(Call::new().within(300 * MS));
    let layer = GuardLayer::with_policy("db", patient, &policy).unwrap();
    let (answer, took) = timed(layer.layer(hung()).oneshot(1)).await;
    assert_eq!(refusal(answer), Refusal::Deadline { after: 300 * MS });
    assert_eq!(took, 300 * MS);
    let counts = layer.handle().snapshot().counts;
    assert_eq!((counts.cancelled, counts.failures.total()), (1, 0));
    let calls = layer.handle().vitals().destination().calls().counts();
    assert_eq!((calls.overdue, calls.expired), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_cannot_have_more_time_than_its_policy_gives() {
    let later = CLOCK.now().after(10 * SECOND);
    let policy = Policy::new().deadline(SECOND).attempt_timeout(100 * MS);
    let layer = GuardLayer::with_policy("db", asking(Call::new().deadline(later)), &policy);
    let layer = layer.unwrap();
    let (answer, took) = timed(layer.layer(hung()).oneshot(1)).await;
    assert_eq!(refusal(answer), Refusal::Timeout { after: 100 * MS });
    assert_eq!(took, 100 * MS);
    let counts = layer.handle().snapshot().counts;
    assert_eq!(counts.failures.of(Cause::Timeout), 1);
}

#[tokio::test(start_paused = true)]
async fn expired_work_is_refused_before_it_starts_and_is_no_endpoints_failure() {
    let past = asking(Call::new().deadline(CLOCK.now()));
    let root = Buttress::new().policy("set", Policy::new());
    let expired = Refusal::Deadline {
        after: Duration::ZERO,
    };
    let service = Scripted::new();
    let guarded = root
        .guard("set", past.clone())
        .unwrap()
        .layer(service.clone());
    assert_eq!(refusal(guarded.clone().oneshot(1).await), expired);
    let again = root.retry("set", Idempotent(past.clone())).unwrap();
    let again = again.layer(service.clone());
    assert_eq!(refusal(again.clone().oneshot(1).await), expired);
    let (set, scripts) = over(&root, Idempotent(past), &["good1", "good2"]);
    assert_eq!(refusal(set.clone().oneshot(1).await), expired);

    assert_eq!(service.script().counts().calls + sent(&scripts), 0);
    for shot in root.registry().snapshot(CLOCK.now()) {
        assert_eq!((shot.counts.started, shot.counts.rejected), (0, 0));
    }
    assert_eq!((counts(&root).expired, counts(&root).overdue), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_becomes_ready_at_the_deadline_is_not_called_any_more() {
    let root = Buttress::new().policy("set", Policy::new().deadline(SECOND));
    let service = Scripted::new();
    let script = service.script();
    script.ready_always(Readiness::PendingOnce(SECOND));
    let again = root.retry("set", Plain).unwrap().layer(service);
    assert_eq!(
        refusal(again.oneshot(1).await),
        Refusal::Deadline { after: SECOND }
    );
    assert_eq!(script.counts().calls, 0);
    assert_eq!(counts(&root).overdue, 1);
}

#[tokio::test(start_paused = true)]
async fn attempts_get_no_more_time_than_is_left_and_the_one_cut_short_is_not_blamed() {
    let policy = Policy::new()
        .deadline(3 * SECOND)
        .redundancy(Redundancy::failover(3));
    let root = Buttress::new().policy("set", policy);
    let patient = Idempotent(asking(Call::new().within(1400 * MS)));
    let (service, scripts) = over(&root, patient, &["hung1", "hung2", "hung3"]);
    let (answer, took) = timed(service.clone().oneshot(1)).await;
    assert_eq!(refusal(answer), Refusal::Deadline { after: 1400 * MS });
    assert_eq!((took, sent(&scripts)), (1400 * MS, 2));
    let shots = root.registry().snapshot(CLOCK.now());
    let of = |cause| -> u64 { shots.iter().map(|shot| shot.failures().of(cause)).sum() };
    assert_eq!(of(Cause::Timeout), 1, "the first had its whole second");
    let cancelled: u64 = shots.iter().map(|shot| shot.counts.cancelled).sum();
    assert_eq!((cancelled, counts(&root).overdue), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_would_outlast_the_deadline_is_not_begun() {
    fastrand::seed(1);
    let policy = Policy::new().redundancy(Redundancy::failover(3));
    for (within, least) in [(1 * MS, 1), (SECOND, 3)] {
        let patient = Idempotent(asking(Call::new().within(within)));
        let layer = RetryLayer::new("one", patient, &policy).unwrap();
        let bad = replica("bad");
        let script = bad.script();
        let (answer, took) = timed(layer.layer(bad).oneshot(1)).await;
        assert_eq!(
            answer.unwrap_err().to_string(),
            "bad",
            "the last answer stands"
        );
        assert_eq!(script.counts().calls, least);
        assert!(took < within);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_wants_no_retry_is_sent_once() {
    let policy = Policy::new().redundancy(Redundancy::failover(3));
    for (call, times) in [
        (Call::new(), 3),
        (Call::new().no_hedge(), 3),
        (Call::new().no_retry(), 1),
    ] {
        let root = Buttress::new().policy("set", policy);
        let (service, scripts) = over(&root, Idempotent(asking(call)), &["bad1", "bad2", "bad3"]);
        assert!(service.oneshot(1).await.is_err());
        assert_eq!(sent(&scripts), times, "{call:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_tightest_of_policy_surroundings_and_request_counts() {
    let begun = CLOCK.now();
    let at = |seconds: u32| begun.after(seconds * SECOND);
    let deadlines = [None, Some(1), Some(2), Some(3)];
    let all =
        deadlines.map(|own| deadlines.map(|around| deadlines.map(|call| (own, around, call))));
    for (own, around, call) in all.into_iter().flatten().flatten() {
        let policy = own.map_or(Policy::new(), |own| Policy::new().deadline(own * SECOND));
        let asked = call.map_or(Call::new(), |call| Call::new().deadline(at(call)));
        let layer = GuardLayer::with_policy("db", asking(asked), &policy).unwrap();
        let ambient = around.map_or(Call::new(), |around| Call::new().deadline(at(around)));
        let told = carry(ambient, telling(&layer).oneshot(1)).await.unwrap();
        let tightest = [own, around, call].into_iter().flatten().min();
        assert_eq!(
            told.deadline,
            tightest.map(at),
            "{own:?} {around:?} {call:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn calls_within_a_handler_keep_its_deadline_without_being_told() {
    let client = GuardLayer::with_policy("client", Plain, &Policy::new().deadline(9 * SECOND));
    let client = client.unwrap();
    let root = Buttress::new().policy("set", Policy::new().deadline(9 * SECOND));
    let set = root
        .dispatch("set", Plain, fixed(["a"]).unwrap(), |_| {
            service_fn(async |_: u64| Ok::<_, BoxError>(current_call()))
        })
        .unwrap();
    let nested = telling(&client);
    let handler = service_fn(move |_: u64| {
        let (nested, set) = (nested.clone(), set.clone());
        async move {
            tokio::time::sleep(300 * MS).await;
            let through_guard = nested.oneshot(1).await?;
            let through_dispatch = set.oneshot(1).await?;
            Ok::<_, BoxError>([through_guard, through_dispatch, current_call()])
        }
    });
    let policy = Policy::new().deadline(SECOND);
    let due = CLOCK.now().after(SECOND);
    let server = GuardLayer::with_policy("server", Plain, &policy).unwrap();
    for told in server.layer(handler).oneshot(1).await.unwrap() {
        assert_eq!(told.deadline, Some(due));
    }
    assert_eq!(current_call(), Call::new());
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_first_says_so_and_those_within_are_not_blamed() {
    let inner = GuardLayer::with_policy("inner", Plain, &Policy::new().deadline(9 * SECOND));
    let inner = inner.unwrap();
    let root = Buttress::new().policy("set", Policy::new().attempt_timeout(100 * MS));
    let service = inner.layer(hung());
    let connect = move |_: &Endpoint| service.clone();
    let set = root
        .dispatch("set", Plain, fixed(["a"]).unwrap(), connect)
        .unwrap();
    let answer = set.clone().oneshot(1).await;
    assert_eq!(refusal(answer), Refusal::Timeout { after: 100 * MS });
    let outer = root.registry().snapshot(CLOCK.now());
    assert_eq!(outer[0].failures().of(Cause::Timeout), 1);
    let counts = inner.handle().snapshot().counts;
    assert_eq!((counts.cancelled, counts.failures.total()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn other_tasks_on_the_same_thread_are_no_part_of_it() {
    let policy = Policy::new().deadline(SECOND);
    let server = GuardLayer::with_policy("server", Plain, &policy).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let beside = Arc::clone(&seen);
    let handler = service_fn(move |_: u64| {
        let beside = Arc::clone(&beside);
        async move {
            let note = move || beside.lock().unwrap().push(current_call().deadline);
            note();
            let spawned = tokio::spawn({
                let note = note.clone();
                async move { note() }
            });
            tokio::time::sleep(10 * MS).await;
            spawned.await?;
            tokio::spawn(carry(current_call(), async move { note() })).await?;
            Ok::<_, BoxError>(())
        }
    });
    let due = CLOCK.now().after(SECOND);
    server.layer(handler).oneshot(1).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [Some(due), None, Some(due)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_carried_into_a_task_is_kept_there_with_a_timer_of_its_own() {
    let client = GuardLayer::new("client", Plain);
    let call = Call::new().within(200 * MS);
    let work = carry(call, client.layer(hung()).oneshot(1));
    let (answer, took) = timed(tokio::spawn(work)).await;
    assert_eq!(
        refusal(answer.unwrap()),
        Refusal::Deadline { after: 200 * MS }
    );
    assert_eq!(took, 200 * MS);
    // A call that was made in the handler and moved elsewhere is still a part of it.
    let policy = Policy::new().deadline(SECOND);
    let server = GuardLayer::with_policy("server", Plain, &policy).unwrap();
    let root = Buttress::new().policy("set", Policy::new());
    for moved in [true, false] {
        let (guarded, (set, _)) = (client.layer(hung()), over(&root, Plain, &["hung"]));
        let handler = service_fn(move |_: u64| {
            let (mut guarded, mut set) = (guarded.clone(), set.clone());
            async move {
                let call: std::pin::Pin<Box<dyn Future<Output = _> + Send>> = if moved {
                    Box::pin(guarded.ready().await?.call(1))
                } else {
                    Box::pin(set.ready().await?.call(1))
                };
                Ok::<_, BoxError>(tokio::spawn(call))
            }
        });
        let spawned = server.layer(handler).oneshot(1).await.unwrap();
        let (answer, took) = timed(spawned).await;
        assert_eq!(
            refusal(answer.unwrap()),
            Refusal::Deadline { after: SECOND }
        );
        assert_eq!(took, SECOND);
    }
}

#[tokio::test(start_paused = true)]
async fn a_priority_goes_along_and_can_only_be_lowered() {
    for (around, own, told) in [
        (None, None, None),
        (None, Some(Priority::High), Some(Priority::High)),
        (Some(Priority::Low), None, Some(Priority::Low)),
        (
            Some(Priority::Low),
            Some(Priority::Critical),
            Some(Priority::Low),
        ),
        (
            Some(Priority::High),
            Some(Priority::Sheddable),
            Some(Priority::Sheddable),
        ),
    ] {
        let calling = |priority: Option<Priority>| {
            priority.map_or(Call::new(), |priority| Call::new().priority(priority))
        };
        let layer = GuardLayer::new("db", asking(calling(own)));
        let heard = carry(calling(around), telling(&layer).oneshot(1)).await;
        assert_eq!(heard.unwrap().priority, told);
    }
}

#[tokio::test(start_paused = true)]
async fn layers_that_refuse_nothing_refuse_nothing_here_either() {
    let past = || asking(Call::new().deadline(Nanos::ZERO));
    let around = Call::new().deadline(Nanos::ZERO);
    let health = HealthLayer::new("db", past()).layer(Scripted::new());
    let stats = StatsLayer::new("db", past()).layer(Scripted::new());
    assert_eq!(carry(around, health.oneshot(1)).await.unwrap(), 1);
    assert_eq!(carry(around, stats.oneshot(1)).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_leaves_no_deadline_behind_on_its_thread() {
    let policy = Policy::new().deadline(SECOND);
    let layer = GuardLayer::with_policy("db", Plain, &policy).unwrap();
    let service = layer.layer(service_fn(async |_: u64| -> Result<u64, BoxError> {
        tokio::task::yield_now().await;
        panic!("as planned")
    }));
    let ended = tokio::spawn(service.oneshot(1)).await;
    assert!(ended.unwrap_err().is_panic());
    let seen = tokio::spawn(async { current_call() }).await.unwrap();
    assert_eq!((seen, current_call()), (Call::new(), Call::new()));
}

#[tokio::test(start_paused = true)]
async fn layers_stacked_on_one_another_are_part_of_the_outer_one_from_their_call_on() {
    let at_once = |_: u64| std::future::ready(Ok::<_, BoxError>(current_call().deadline));
    let due = CLOCK.now().after(SECOND);
    let policy = Policy::new().deadline(SECOND);
    let guard = GuardLayer::with_policy("db", Plain, &policy).unwrap();
    let guarded = guard.layer(service_fn(at_once));
    assert_eq!(guarded.oneshot(1).await.unwrap(), Some(due));
    let again = RetryLayer::new("db", Plain, &policy).unwrap();
    let service = again.layer(service_fn(at_once));
    assert_eq!(service.oneshot(1).await.unwrap(), Some(due));
}
