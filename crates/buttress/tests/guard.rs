//! One endpoint under watch, by scripted services and paused time.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use buttress::{
    BreakerLayer, BreakerPolicy, BreakerState, Buttress, CLOCK, Cause, Fault, Foreign, GuardLayer,
    Handle, HealthLayer, Plain, Policy, Redundancy, Refusal, ServiceBuilderExt as _, StatsLayer,
};
use tower::{BoxError, Layer as _, Service, ServiceBuilder, ServiceExt as _, service_fn};

fn policy() -> Policy {
    Policy::new()
        .attempt_timeout(Duration::from_millis(100))
        .breaker(
            BreakerPolicy::new()
                .open_for(Duration::from_secs(1))
                .close_after(2),
        )
}

/// A service that is well or not, as told.
fn switched(
    well: &Arc<AtomicBool>,
) -> impl Service<u32, Response = u32, Error = BoxError, Future: Send> + Clone + use<> {
    let well = Arc::clone(well);
    service_fn(move |id| {
        let well = well.load(Ordering::SeqCst);
        async move {
            if well {
                Ok(id)
            } else {
                Err(BoxError::from("broken"))
            }
        }
    })
}

fn refusal(error: &BoxError) -> Option<Refusal> {
    error.downcast_ref::<Refusal>().copied()
}

#[tokio::test(start_paused = true)]
async fn refuses_while_open_then_recovers() {
    let well = Arc::new(AtomicBool::new(false));
    let layer = GuardLayer::with_policy("db", Plain, &policy()).unwrap();
    let service = layer.layer(switched(&well));
    for _ in 0..5 {
        assert_eq!(
            service.clone().oneshot(1).await.unwrap_err().to_string(),
            "broken"
        );
    }
    let refused = refusal(&service.clone().oneshot(1).await.unwrap_err()).unwrap();
    assert!(matches!(refused, Refusal::Open { .. }));
    well.store(true, Ordering::SeqCst);
    tokio::time::advance(refused.retry_after().unwrap()).await;
    for _ in 0..3 {
        assert_eq!(service.clone().oneshot(7).await.unwrap(), 7);
    }
    let snapshot = layer.handle().snapshot();
    assert_eq!(
        (snapshot.state, snapshot.episodes.len()),
        (BreakerState::Closed, 1)
    );
    assert_eq!(snapshot.counts.rejected, 1);
}

#[tokio::test(start_paused = true)]
async fn a_hung_service_is_given_up_and_blamed() {
    let layer = GuardLayer::with_policy("db", Plain, &policy()).unwrap();
    let service = layer.layer(service_fn(async |_: u32| {
        std::future::pending::<Result<u32, BoxError>>().await
    }));
    let before = CLOCK.now();
    let refused = refusal(&service.oneshot(1).await.unwrap_err());
    assert_eq!(
        refused,
        Some(Refusal::Timeout {
            after: Duration::from_millis(100)
        })
    );
    assert_eq!(CLOCK.now().since(before), Duration::from_millis(100));
    assert_eq!(
        layer.handle().snapshot().counts.failures.of(Cause::Timeout),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_leaves_nothing_behind() {
    let layer = GuardLayer::new("db", Plain);
    let mut service = layer.layer(service_fn(async |_: u32| {
        std::future::pending::<Result<u32, BoxError>>().await
    }));
    let call = service.ready().await.unwrap().call(1);
    let _ = tokio::time::timeout(Duration::from_secs(9), call).await;
    let counts = layer.handle().snapshot().counts;
    assert_eq!((counts.cancelled, counts.in_flight()), (1, 0));
}

#[tokio::test]
async fn health_and_stats_refuse_nothing_and_a_breaker_does() {
    let sick = Arc::new(AtomicBool::new(false));
    let health = HealthLayer::new("db", Plain);
    let stats = StatsLayer::new("db", Plain);
    let breaker = BreakerLayer::new("db", Plain);
    for _ in 0..20 {
        let _ = health.layer(switched(&sick)).oneshot(1).await;
        let _ = stats.layer(switched(&sick)).oneshot(1).await;
        let _ = breaker.layer(switched(&sick)).oneshot(1).await;
    }
    let shot = |handle: Handle| handle.snapshot();
    assert_eq!(
        (
            shot(health.handle()).counts.started,
            shot(stats.handle()).counts.started
        ),
        (20, 20)
    );
    assert_eq!(shot(breaker.handle()).counts.rejected, 15);
    assert_eq!(shot(stats.handle()).reliability.unwrap().failures, 1);
    assert_eq!(shot(health.handle()).reliability, None);
}

#[tokio::test]
async fn any_error_type_is_served_by_foreign() {
    #[derive(Debug, PartialEq)]
    struct Theirs;
    let service =
        BreakerLayer::new("db", Foreign).layer(service_fn(async |_: u32| Err::<u32, _>(Theirs)));
    for _ in 0..5 {
        assert_eq!(service.clone().oneshot(1).await, Err(Fault::Inner(Theirs)));
    }
    assert!(matches!(
        service.oneshot(1).await,
        Err(Fault::Refused(Refusal::Open { .. }))
    ));
}

#[tokio::test]
async fn readiness_is_passed_on_and_holds_no_permit() {
    let layer = GuardLayer::new("db", Foreign);
    let (mock, mut handle) = tower_test::mock::pair::<u32, u32>();
    let mut service = layer.layer(mock);
    handle.allow(0);
    assert!(futures_poll_once(&mut service).await.is_none());
    handle.allow(1);
    assert!(futures_poll_once(&mut service).await.is_some());
    assert_eq!(layer.handle().snapshot().counts.started, 0);
}

async fn futures_poll_once<S: Service<u32>>(service: &mut S) -> Option<Result<(), S::Error>> {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match service.poll_ready(cx) {
            std::task::Poll::Ready(ready) => Some(ready),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[test]
fn a_guard_refuses_by_name_what_it_would_silently_ignore() {
    let buttress =
        Buttress::new().policy("orders", Policy::new().redundancy(Redundancy::failover(3)));
    let error = buttress.guard("orders", Plain).unwrap_err();
    assert_eq!(error.field(), "policy.orders.redundancy");
    let error = buttress.guard("order", Plain).unwrap_err().to_string();
    assert!(
        error.contains("order") && error.contains("orders"),
        "{error}"
    );
}

#[tokio::test]
async fn builders_stack_by_name() {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let service = ServiceBuilder::new()
        .stats("db", Foreign)
        .health("db", Foreign)
        .service(service_fn(move |id: u32| {
            counted.fetch_add(1, Ordering::SeqCst);
            async move { Ok::<_, Infallible>(id) }
        }));
    assert_eq!(service.oneshot(3).await.unwrap(), 3);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn parts_made_by_the_root_are_seen_in_its_registry() {
    let buttress = Buttress::new().policy("db", policy());
    let health = buttress.health("db", Plain).unwrap();
    let breaker = buttress.breaker("db", Plain).unwrap();
    let stats = buttress.stats("db", Plain).unwrap();
    assert_eq!(buttress.registry().snapshot(CLOCK.now()).len(), 3);
    assert!(buttress.breaker("dv", Plain).is_err());
    drop((health, breaker, stats));
}

#[test]
fn an_endpoint_that_always_fails_is_refused_though_our_runtime_runs_only_now_and_then() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let policy = Policy::new().attempt_timeout(Duration::from_secs(1));
    let layer = GuardLayer::with_policy("db", Plain, &policy).unwrap();
    let service = layer.layer(service_fn(|_: u32| async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Err::<u32, BoxError>("broken".into())
    }));
    let refused = (0..20).any(|_| {
        let error = runtime.block_on(service.clone().oneshot(1)).unwrap_err();
        // Between two calls nobody runs it: its timers are late, and that is all.
        std::thread::sleep(Duration::from_millis(300));
        refusal(&error).is_some()
    });
    assert!(refused, "twenty calls failed, one after the other");
}
