//! Endpoints that take no calls, and calls that go elsewhere.

#![expect(clippy::unwrap_used, reason = "what a test takes for granted")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use buttress::{
    BreakerState, Buttress, EjectionPolicy, Endpoint, Force, HealthPolicy, Idempotent, LimitPolicy,
    Plain, Policy, Ratio, Redundancy, Refusal, fixed,
};
use tower::{BoxError, Service, ServiceExt as _, service_fn};

const MS: Duration = Duration::from_millis(1);

/// Of calls of which every attempt but the third fails at `a`, how many are answered?
async fn retried(names: &'static [&'static str], prepare: impl Fn(&Buttress)) -> usize {
    let redundancy = Redundancy::failover(3);
    let policy = Policy::new()
        .redundancy(redundancy)
        .extra_load(Ratio::percent(100))
        .health(HealthPolicy::consecutive(100_000))
        .deadline(Duration::from_secs(10));
    let root = Buttress::new().policy("set", policy);
    let count = Arc::new(AtomicUsize::new(0));
    let inner = Arc::clone(&count);
    let mut service = root
        .dispatch(
            "set",
            Idempotent(Plain),
            fixed(names.iter().copied()).unwrap(),
            move |_: &Endpoint| {
                let count = Arc::clone(&inner);
                service_fn(move |_: u32| {
                    let number = count.fetch_add(1, Ordering::SeqCst);
                    std::future::ready(if number % 3 == 2 {
                        Ok(1)
                    } else {
                        Err::<u32, _>(BoxError::from("x"))
                    })
                })
            },
        )
        .unwrap();
    service.ready().await.unwrap();
    prepare(&root);
    let mut good = 0;
    for _ in 0..5 {
        count.store(0, Ordering::SeqCst);
        good += usize::from(service.ready().await.unwrap().call(1).await.is_ok());
    }
    good
}

#[tokio::test(start_paused = true)]
async fn control_one_alone_is_asked_again() {
    assert_eq!(retried(&["a:1"], |_| ()).await, 5);
}

#[tokio::test(start_paused = true)]
async fn one_beside_a_drained_one_is_asked_again() {
    assert_eq!(
        retried(&["a:1", "b:1"], |root| root
            .handle("set/b:1")
            .unwrap()
            .force(Force::Drain))
        .await,
        5
    );
}

#[tokio::test(start_paused = true)]
async fn two_beside_a_drained_one_are_asked_again() {
    assert_eq!(
        retried(&["a:1", "b:1", "c:1"], |root| root
            .handle("set/b:1")
            .unwrap()
            .force(Force::Open))
        .await,
        5
    );
}

/// Beside one that has as many calls as it may.
#[tokio::test(start_paused = true)]
async fn one_beside_a_full_one_is_asked_again() {
    for full in [false, true] {
        let policy = Policy::new()
            .redundancy(Redundancy::failover(3))
            .extra_load(Ratio::percent(100))
            .health(HealthPolicy::consecutive(100_000))
            .deadline(Duration::from_secs(60))
            .attempt_timeout(Duration::from_secs(50))
            .limit(LimitPolicy::concurrency(1));
        let root = Buttress::new().policy("set", policy);
        let count = Arc::new(AtomicUsize::new(0));
        let inner = Arc::clone(&count);
        let names: &[&str] = if full { &["a:1", "b:1"] } else { &["a:1"] };
        let mut service = root
            .dispatch(
                "set",
                Idempotent(Plain),
                fixed(names.iter().copied()).unwrap(),
                move |endpoint: &Endpoint| {
                    let (count, hangs) = (Arc::clone(&inner), endpoint.address() == "b:1");
                    service_fn(move |_: u32| {
                        let count = Arc::clone(&count);
                        async move {
                            if hangs {
                                return std::future::pending().await;
                            }
                            let number = count.fetch_add(1, Ordering::SeqCst);
                            if number % 3 == 2 {
                                Ok(1)
                            } else {
                                Err::<u32, _>(BoxError::from("x"))
                            }
                        }
                    })
                },
            )
            .unwrap();
        service.ready().await.unwrap();
        let mut long = Vec::new();
        if full {
            while root
                .handle("set/b:1")
                .unwrap()
                .snapshot()
                .counts
                .in_flight()
                == 0
            {
                long.push(tokio::spawn(service.clone().oneshot(1)));
                tokio::time::sleep(MS).await;
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
            assert_eq!(
                root.handle("set/a:1")
                    .unwrap()
                    .snapshot()
                    .counts
                    .in_flight(),
                0
            );
        }
        count.store(0, Ordering::SeqCst);
        let answer = service.ready().await.unwrap().call(1).await;
        assert!(answer.is_ok(), "beside a full one: {full}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_all_are_drained_there_is_no_time_to_come_back() {
    let root = Buttress::new().policy("set", Policy::new());
    let service = root
        .dispatch(
            "set",
            Idempotent(Plain),
            fixed(["a:1", "b:1"]).unwrap(),
            |_: &Endpoint| service_fn(async |_: u32| Ok::<_, BoxError>(())),
        )
        .unwrap();
    service.clone().oneshot(1).await.unwrap();
    root.handles("set").unwrap().force(Force::Drain);
    let error = service.oneshot(1).await.unwrap_err();
    let refusal = *error.downcast_ref::<Refusal>().unwrap();
    assert_eq!(refusal.retry_after(), None, "{refusal:?}");
}

#[tokio::test(start_paused = true)]
async fn one_drained_and_one_open_says_when_the_open_one_is_probed() {
    let policy = Policy::new()
        .health(HealthPolicy::consecutive(3))
        .ejection(EjectionPolicy::new().panic_below(Ratio::percent(0)));
    let root = Buttress::new().policy("set", policy);
    let service = root
        .dispatch(
            "set",
            Idempotent(Plain),
            fixed(["a:1", "b:1"]).unwrap(),
            |endpoint: &Endpoint| {
                let ill = endpoint.address() == "a:1";
                service_fn(move |_: u32| {
                    std::future::ready(if ill {
                        Err(BoxError::from("x"))
                    } else {
                        Ok::<_, BoxError>(())
                    })
                })
            },
        )
        .unwrap();
    for _ in 0..100 {
        let _ = service.clone().oneshot(1).await;
    }
    assert_eq!(root.handle("set/a:1").unwrap().state(), BreakerState::Open);
    root.handle("set/b:1").unwrap().force(Force::Drain);
    let error = service.oneshot(1).await.unwrap_err();
    let refusal = *error.downcast_ref::<Refusal>().unwrap();
    assert!(
        refusal.retry_after().is_some_and(|span| span > 100 * MS),
        "{refusal:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_whole_set_is_let_go_and_the_ill_one_stays_out() {
    let policy = Policy::new().health(HealthPolicy::consecutive(3));
    let root = Buttress::new().policy("set", policy);
    let service = root
        .dispatch(
            "set",
            Idempotent(Plain),
            fixed(["a:1", "b:1", "c:1"]).unwrap(),
            |endpoint: &Endpoint| {
                let ill = endpoint.address() == "a:1";
                service_fn(move |_: u32| {
                    std::future::ready(if ill {
                        Err(BoxError::from("x"))
                    } else {
                        Ok::<_, BoxError>(())
                    })
                })
            },
        )
        .unwrap();
    for _ in 0..100 {
        let _ = service.clone().oneshot(1).await;
    }
    let a = root.handle("set/a:1").unwrap();
    assert_eq!(a.state(), BreakerState::Open);
    root.handle("set/b:1").unwrap().force(Force::Drain);
    root.handles("set").unwrap().release();
    assert_eq!(a.state(), BreakerState::Open);
}
