//! What stands in for a service that fails, by scripted services and paused time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use buttress::{
    Buttress, CLOCK, Call, Calls, Cause, Describe, Failure, FallbackLayer, HealthPolicy,
    Idempotent, Outcome, Plain, Policy, Protocol, Receipt, Redundancy, Refusal, Resend,
    ServiceBuilderExt as _, fixed, instead,
};
use buttress_test::{Answer, Readiness, Script, Scripted, UpTo};
use tower::{BoxError, Layer as _, Service, ServiceBuilder, ServiceExt as _, service_fn};

const MS: Duration = Duration::from_millis(1);

fn bad() -> Scripted {
    answering(Answer::Err("broken".into()))
}

fn answering(answer: Answer) -> Scripted {
    let service = Scripted::new();
    service.script().answer_always(answer);
    service
}

fn degraded(calls: &Calls) -> u64 {
    calls.counts().degraded
}

/// Numbers below ten are answers; the others are overload, the caller's fault, refusals.
#[derive(Clone)]
struct Numbers;

impl Protocol<u64, BoxError> for Numbers {
    type Response = u64;
    type Error = BoxError;

    fn classify(&self, result: Result<&u64, &BoxError>) -> Outcome {
        match result {
            Ok(..10) => Outcome::Success,
            Ok(10) => Outcome::Overload(None),
            Ok(11) => Outcome::CallerFault,
            Ok(12) => Outcome::Refused,
            _ => Outcome::Failure(Cause::Error),
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

impl Describe<u64> for Numbers {}

impl Resend<u64> for Numbers {
    fn idempotent(&self, _: &u64) -> bool {
        false
    }

    fn copy(&self, request: &mut u64) -> Option<u64> {
        // An odd request cannot be copied.
        request.is_multiple_of(2).then_some(*request)
    }
}

fn echo() -> impl Service<u64, Response = u64, Error = BoxError, Future: Send> + Clone + Sync {
    service_fn(async |id: u64| Ok::<_, BoxError>(id))
}

#[tokio::test]
async fn stands_in_for_failures_overload_and_refusals_and_for_nothing_else() {
    let layer = FallbackLayer::new(Numbers, instead::value(0));
    for (answered, expected) in [(7, 7), (10, 0), (11, 11), (12, 0), (13, 0)] {
        let before = degraded(layer.calls());
        assert_eq!(
            layer.layer(echo()).oneshot(answered).await.unwrap(),
            expected
        );
        let counted = degraded(layer.calls()) - before;
        assert_eq!(counted, u64::from(expected != answered), "{answered}");
    }
    let service = ServiceBuilder::new()
        .fallback(Plain, instead::value(5))
        .service(bad());
    assert_eq!(service.clone().oneshot(1).await.unwrap(), 5);
    assert_eq!(degraded(service.calls()), 1);
}

#[tokio::test(start_paused = true)]
async fn stands_in_for_an_open_breaker_a_deadline_and_an_expired_call() {
    let policy = Policy::new()
        .deadline(100 * MS)
        .health(HealthPolicy::consecutive(1));
    let root = Buttress::new().policy("db", policy);
    let told = |failure: Failure<'_, u64, BoxError>| {
        let refusal = failure.result.err()?.downcast_ref::<Refusal>();
        Some(match refusal? {
            Refusal::Open { .. } => 1,
            Refusal::Deadline {
                after: Duration::ZERO,
            } => 2,
            Refusal::Deadline { .. } => 3,
            _ => return None,
        })
    };
    let layer = root.fallback("db", Plain, instead::with(told)).unwrap();
    let guard = root.guard("db", Plain).unwrap();
    let service = layer.layer(guard.layer(answering(Answer::Hang)));
    let past = buttress::carry(
        Call::new().deadline(CLOCK.now()),
        service.clone().oneshot(9),
    );
    assert_eq!(past.await.unwrap(), 2);
    assert_eq!(service.clone().oneshot(9).await.unwrap(), 3);
    assert_eq!(service.clone().oneshot(9).await.unwrap(), 1);

    let counts = guard.handle().snapshot().counts;
    assert_eq!(
        (counts.started, counts.successes),
        (1, 0),
        "none of its own"
    );
    let calls = root.registry().calls("db").counts();
    assert_eq!((calls.degraded, calls.expired, calls.overdue), (3, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_set_is_asked_to_its_end_first_and_counts_as_degraded_by_its_name() {
    let policy = Policy::new().redundancy(Redundancy::failover(3));
    let root = Buttress::new().policy("set", policy);
    let inner = bad();
    let script = inner.script();
    let sets = fixed(["a", "b", "c"]).unwrap();
    let set = root.dispatch("set", Idempotent(Plain), sets, move |_| inner.clone());
    let layer = root.fallback("set", Plain, instead::value(0)).unwrap();
    let service = layer.layer(set.unwrap());
    assert_eq!(service.clone().oneshot(1).await.unwrap(), 0);
    assert_eq!(script.counts().calls, 3);
    let shown = root.registry().call_counts();
    assert_eq!((&*shown[0].0, shown[0].1.degraded), ("set", 1));
    let successes = |shot: &buttress::Snapshot| shot.counts.successes;
    assert!(
        root.registry()
            .snapshot(CLOCK.now())
            .iter()
            .all(|shot| successes(shot) == 0)
    );
    assert!(
        root.fallback("sets", Plain, instead::value(0)).is_err(),
        "a name with a slip"
    );
}

#[tokio::test]
async fn a_function_sees_the_failure_and_what_was_kept_of_the_request() {
    let kept = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&kept);
    let by_half = instead::keyed(
        move |request: &u64| {
            counted.fetch_add(1, Ordering::SeqCst);
            request / 2
        },
        |half, failure: Failure<'_, u64, BoxError>| {
            assert_eq!(failure.outcome, Outcome::Failure(Cause::Error));
            (half < 10).then_some(half)
        },
    );
    let layer = FallbackLayer::new(Plain, by_half);
    let service = layer.layer(bad());
    assert_eq!(service.clone().oneshot(8).await.unwrap(), 4);
    let error = service.clone().oneshot(100).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "broken",
        "without an answer the failure stands"
    );
    assert_eq!(
        (kept.load(Ordering::SeqCst), degraded(layer.calls())),
        (2, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn another_service_is_made_ready_and_asked_with_a_copy() {
    let other = Scripted::new();
    let script = other.script();
    script.ready_always(Readiness::PendingOnce(20 * MS));
    let layer = FallbackLayer::new(Numbers, instead::service(other));
    let service = layer.layer(bad());
    assert_eq!(service.clone().oneshot(4).await.unwrap(), 4);
    assert_eq!((script.counts().calls, degraded(layer.calls())), (1, 1));
    let error = service.clone().oneshot(5).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "broken",
        "what cannot be copied is asked of nobody"
    );
    assert_eq!((script.counts().calls, degraded(layer.calls())), (1, 1));
    assert_eq!(script.violations(), []);

    let by_text = instead::keyed_service(
        |request: &u64| request.to_string(),
        service_fn(async |key: String| Ok::<_, BoxError>(key.len() as u64)),
    );
    let service = FallbackLayer::new(Plain, by_text).layer(bad());
    assert_eq!(service.oneshot(777).await.unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_first_failure_stands_where_the_other_service_fails_as_well() {
    let unready = Scripted::new();
    let readiness = Readiness::Err("unreachable".into());
    unready.script().ready_always(readiness);
    for other in [unready, answering(Answer::Err("as bad".into()))] {
        let layer = FallbackLayer::new(Idempotent(Plain), instead::service(other));
        let error = layer.layer(bad()).oneshot(1).await.unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), degraded(layer.calls())),
            ("broken", 0)
        );
    }
    // An answer that its protocol calls a failure is none either, unless it is a value: that is taken at its word.
    let judged = FallbackLayer::new(Numbers, instead::service(echo()));
    assert!(judged.layer(bad()).oneshot(14).await.is_err());
    let taken = FallbackLayer::new(Numbers, instead::value(14));
    assert_eq!(taken.layer(bad()).oneshot(14).await.unwrap(), 14);
    assert_eq!((degraded(judged.calls()), degraded(taken.calls())), (0, 1));
}

#[tokio::test]
async fn a_service_that_cannot_become_ready_is_stood_in_for_and_asked_again_the_next_time() {
    let inner = Scripted::new();
    let script: Script = inner.script();
    script.ready_next(Readiness::Err("unreachable".into()));
    let layer = FallbackLayer::new(Plain, instead::value(0));
    let mut service = layer.layer(inner);
    let held = service.ready().await.unwrap();
    assert_eq!(held.call(1).await.unwrap(), 0);
    assert_eq!((script.counts().calls, degraded(layer.calls())), (0, 1));
    let mut clone = service.clone();
    assert_eq!(service.ready().await.unwrap().call(1).await.unwrap(), 1);
    assert_eq!(clone.ready().await.unwrap().call(2).await.unwrap(), 2);
    assert_eq!(script.violations(), []);
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_while_something_else_answers_is_not_degraded() {
    let other = answering(Answer::Hang);
    let layer = FallbackLayer::new(Idempotent(Plain), instead::service(other));
    let given_up = UpTo::new(layer.layer(bad()).oneshot(1), 3);
    assert!(tokio::time::timeout(MS, given_up).await.is_err());
    assert_eq!(degraded(layer.calls()), 0);
}
