//! What is sent, to whom, and what is paid for it.

use std::{
    future::Future as _,
    task::{Context, Waker},
    time::Duration,
};

use buttress::{
    Buttress, Endpoint, HealthPolicy, Http, Idempotent, LimitPolicy, Plain, Policy, Ratio,
    Redundancy, fixed,
};
use buttress_test::{Answer, Readiness, Scripted};
use http::{Request, Response};
use tower::{BoxError, ServiceExt as _, service_fn};

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
        .health(HealthPolicy::consecutive(1_000_000))
        .extra_load(Ratio::percent(1))
        .limit(LimitPolicy::concurrency(1));
    let connect = |endpoint: &Endpoint| {
        let bad = endpoint.address() == "bad";
        service_fn(move |hangs: bool| async move {
            if bad {
                return Err(BoxError::from("bad"));
            }
            if hangs {
                std::future::pending::<()>().await;
            }
            Ok(())
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
    for _ in 0..50 {
        assert!(service.clone().oneshot(false).await.is_err());
    }
    assert_eq!(service.destination().calls().counts().extra, 1);
    drop(hangs);
    // Nine are saved.
    for n in 0..9 {
        assert!(service.clone().oneshot(false).await.is_ok(), "{n}");
    }
}
