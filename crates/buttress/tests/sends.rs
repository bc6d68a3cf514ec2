//! What is sent, to whom, and what is paid for it.

use std::{
    future::Future as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use buttress::{
    Buttress, Endpoint, HealthPolicy, Http, Idempotent, LimitPolicy, Plain, Policy, Ratio,
    Redundancy, fixed,
};
use buttress_test::{Answer, Readiness, Scripted};
use http::{Request, Response};
use tokio::time::sleep;
use tower::{BoxError, Service, ServiceExt as _, service_fn};

#[tokio::test(start_paused = true)]
async fn a_no_to_the_caller_makes_no_quorum_with_a_yes() {
    let policy = Policy::new()
        .redundancy(Redundancy::quorum(2, 3))
        .extra_load(Ratio::percent(200));
    let connect = |endpoint: &Endpoint| {
        let status = match endpoint.address() {
            "a" => 200,
            "b" => 404,
            _ => 500,
        };
        service_fn(move |_: Request<String>| async move {
            Ok::<_, BoxError>(Response::builder().status(status).body(String::new())?)
        })
    };
    let root = Buttress::new().policy("set", policy);
    let service = root
        .dispatch(
            "set",
            Http.boxed(),
            fixed(["a", "b", "c"]).unwrap(),
            connect,
        )
        .unwrap();
    let answer = service
        .oneshot(Request::put("/x").body(String::new()).unwrap())
        .await
        .unwrap();
    assert_eq!(
        answer.status(),
        503,
        "one did it, one said no, one failed: nobody agrees"
    );
}

#[tokio::test(start_paused = true)]
async fn four_that_are_never_ready_do_not_hold_a_call_that_four_others_would_take() {
    let connect = |endpoint: &Endpoint| {
        let service = Scripted::new();
        match endpoint.address().as_bytes()[0] {
            b'n' => service.script().ready_always(Readiness::Never),
            _ => service
                .script()
                .answer_always(Answer::After(Duration::from_millis(1))),
        };
        service
    };
    let names = ["n1", "n2", "n3", "n4", "g1", "g2", "g3", "g4"];
    let root = Buttress::new().policy(
        "set",
        Policy::new()
            .deadline(Duration::from_secs(1))
            .redundancy(Redundancy::failover(3)),
    );
    let service = root
        .dispatch("set", Idempotent(Plain), fixed(names).unwrap(), connect)
        .unwrap();
    let mut failed = 0;
    for n in 0..2_000 {
        failed += usize::from(service.clone().oneshot(n).await.is_err());
    }
    assert_eq!(failed, 0, "of 2000");
}

#[tokio::test(start_paused = true)]
async fn what_was_not_sent_is_not_charged() {
    let policy = Policy::new()
        .redundancy(Redundancy::failover(2))
        // Too short for the pause before the first is asked once more.
        .deadline(Duration::from_millis(2))
        .health(HealthPolicy::consecutive(1_000_000))
        .extra_load(Ratio::percent(1))
        .limit(LimitPolicy::concurrency(1));
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let connect = move |endpoint: &Endpoint| {
        let (bad, sent) = (endpoint.address() == "bad", count.clone());
        service_fn(move |hangs: bool| {
            sent.fetch_add(1, Ordering::SeqCst);
            async move {
                if bad {
                    return Err(BoxError::from("bad"));
                }
                if hangs {
                    std::future::pending::<()>().await;
                }
                Ok(())
            }
        })
    };
    let root = Buttress::new().policy("set", policy);
    let sets = fixed([
        Endpoint::new("bad").unwrap(),
        Endpoint::new("standby").unwrap().priority(1),
    ])
    .unwrap();
    let service = root
        .dispatch("set", Idempotent(Plain), sets, connect)
        .unwrap();
    // Its one place is taken: by the one extra send there was.
    let mut hangs = Box::pin(service.clone().oneshot(true));
    assert!(
        hangs
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
    // The others find nobody else.
    for _ in 0..20 {
        assert!(service.clone().oneshot(false).await.is_err());
    }
    let extra = sent.load(Ordering::SeqCst) as u64 - 21;
    assert_eq!(service.destination().calls().counts().extra, extra);
    drop(hangs);
    // What is left of the reserve is there.
    assert!(extra < 10, "or the test shows nothing");
    for n in extra..10 {
        assert!(service.clone().oneshot(false).await.is_ok(), "{n}");
    }
}

#[derive(Clone)]
struct Named(Arc<str>, Arc<AtomicUsize>);
impl Service<u32> for Named {
    type Response = ();
    type Error = BoxError;
    type Future = std::future::Ready<Result<(), BoxError>>;
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if &*self.0 == "down" {
            Poll::Ready(Err("down".into()))
        } else {
            Poll::Ready(Ok(()))
        }
    }
    fn call(&mut self, _: u32) -> Self::Future {
        self.1.fetch_add(1, Ordering::SeqCst);
        std::future::ready(if &*self.0 == "bad" {
            Err("bad".into())
        } else {
            Ok(())
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_paid_for_though_somebody_on_the_way_was_not_ready() {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let policy = Policy::new()
        .redundancy(Redundancy::failover(3))
        .health(HealthPolicy::consecutive(1_000_000))
        .extra_load(Ratio::percent(1));
    let root = Buttress::new().policy("set", policy);
    let sets = fixed([
        Endpoint::new("bad").unwrap(),
        Endpoint::new("down").unwrap().priority(1),
        Endpoint::new("good").unwrap().priority(2),
    ])
    .unwrap();
    let service = root
        .dispatch("set", Idempotent(Plain), sets, move |e: &Endpoint| {
            Named(e.address().into(), count.clone())
        })
        .unwrap();
    const CALLS: usize = 1_000;
    for n in 0..CALLS {
        let _ = service.clone().oneshot(n as u32).await;
    }
    let sent = sent.load(Ordering::SeqCst);
    assert!(
        sent <= CALLS + CALLS / 100 + 10,
        "{sent} sends of {CALLS} calls"
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_counted_where_nothing_was_sent_for_want_of_budget() {
    let policy = Policy::new()
        .redundancy(Redundancy::failover(2))
        .health(HealthPolicy::consecutive(1_000_000))
        .extra_load(Ratio::percent(0));
    let standby = Scripted::new();
    let script = standby.script();
    script.ready_always(Readiness::Never);
    script.answer_always(Answer::After(Duration::from_millis(1)));
    let script = standby.script();
    let bad = Scripted::new();
    bad.script().answer_always(Answer::Err("bad".into()));
    let root = Buttress::new().policy("set", policy);
    let sets = fixed([
        Endpoint::new("bad").unwrap(),
        Endpoint::new("standby").unwrap().priority(1),
    ])
    .unwrap();
    let service = root
        .dispatch("set", Idempotent(Plain), sets, move |e: &Endpoint| {
            if e.address() == "bad" {
                bad.clone()
            } else {
                standby.clone()
            }
        })
        .unwrap();
    let mut calls: Vec<_> = (0..13)
        .map(|n| Box::pin(service.clone().oneshot(n)))
        .collect();
    let mut cx = Context::from_waker(Waker::noop());
    for call in &mut calls {
        assert!(call.as_mut().poll(&mut cx).is_pending());
    }
    script.ready_always(Readiness::Ready);
    script.release();
    for call in calls {
        let _ = call.await;
    }
    for vitals in root.registry().snapshot(buttress::CLOCK.now()) {
        if vitals.name().contains("standby") {
            assert_eq!(vitals.counts.cancelled, 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_that_fail_as_the_time_ends_are_no_quorum() {
    let policy = Policy::new()
        .redundancy(Redundancy::quorum(2, 3))
        .extra_load(Ratio::percent(200));
    let connect = |endpoint: &Endpoint| {
        let good = endpoint.address() == "a";
        service_fn(move |_: Request<String>| async move {
            if good {
                sleep(Duration::from_millis(1)).await;
                return Ok::<_, BoxError>(Response::builder().status(200).body(String::new())?);
            }
            sleep(Duration::from_secs(1)).await;
            Ok::<_, BoxError>(
                Response::builder()
                    .status(504)
                    .header("failed", "1")
                    .body("failed".to_owned())?,
            )
        })
    };
    let root = Buttress::new().policy("set", policy);
    let service = root
        .dispatch(
            "set",
            Http.boxed(),
            fixed(["a", "b", "c"]).unwrap(),
            connect,
        )
        .unwrap();
    for _ in 0..5 {
        let answer = service
            .clone()
            .oneshot(
                Request::put("/x")
                    .header("x-envoy-expected-rq-timeout-ms", "1000")
                    .body(String::new())
                    .unwrap(),
            )
            .await
            .unwrap();
        let failed = answer.headers().contains_key("failed");
        assert!(!failed, "two failures are no agreement");
    }
}

/// No quorum: what stands for the first is a failure.
#[tokio::test(start_paused = true)]
async fn a_failure_as_the_time_ends_covers_no_failure() {
    let policy = Policy::new().redundancy(Redundancy::failover(2));
    let connect = |_: &Endpoint| {
        service_fn(|_: Request<String>| async {
            sleep(Duration::from_millis(500)).await;
            Ok::<_, BoxError>(Response::builder().status(503).body(String::new())?)
        })
    };
    let root = Buttress::new().policy("set", policy);
    let sets = fixed([
        Endpoint::new("a").unwrap(),
        Endpoint::new("b").unwrap().priority(1),
    ])
    .unwrap();
    let service = root.dispatch("set", Http.boxed(), sets, connect).unwrap();
    let answer = service
        .clone()
        .oneshot(
            Request::put("/x")
                .header("x-envoy-expected-rq-timeout-ms", "1000")
                .body(String::new())
                .unwrap(),
        )
        .await
        .unwrap();
    drop(answer);
    for vitals in root.registry().snapshot(buttress::CLOCK.now()) {
        assert_eq!(vitals.coverage.covered, 0);
    }
}
