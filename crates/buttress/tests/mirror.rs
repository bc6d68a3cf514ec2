//! Copies of calls: to a second service, and to endpoints that may be well again.

use std::time::Duration;

use buttress::{
    BreakerState, Buttress, CLOCK, Call, Endpoint, HealthPolicy, Idempotent, MirrorLayer, Plain,
    Policy, Ratio, Redundancy, Tightened, current_call, fixed,
};
use buttress_test::{Answer, Script, Scripted};
use tokio::{
    task::yield_now,
    time::{advance, sleep},
};
use tower::{BoxError, Layer as _, Service as _, ServiceExt as _, service_fn};

fn scripted() -> (Scripted, Script) {
    let service = Scripted::new();
    let script = service.script();
    (service, script)
}

async fn settled() {
    for _ in 0..10 {
        yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_changes_nothing_for_the_caller_whatever_becomes_of_it() {
    for answer in [
        Answer::Ok { pending: 0 },
        Answer::Err("broken".into()),
        Answer::Hang,
    ] {
        let ((first, calls), (second, copies)) = (scripted(), scripted());
        copies.answer_always(answer);
        let layer = MirrorLayer::new(Idempotent(Plain), Ratio::percent(100), second).unwrap();
        let service = layer.layer(first);
        for number in 0..5 {
            assert_eq!(service.clone().oneshot(number).await.unwrap(), number);
        }
        settled().await;
        assert_eq!((calls.counts().calls, copies.counts().calls), (5, 5));
    }
}

#[tokio::test(start_paused = true)]
async fn answers_are_compared_whichever_comes_first() {
    let slow = |by: u64| {
        move |id: u64| async move {
            tokio::time::sleep(Duration::from_millis(id % 2 * by)).await;
            Ok::<_, BoxError>(id / 4)
        }
    };
    let layer = MirrorLayer::new(Idempotent(Plain), Ratio::percent(100), service_fn(slow(10)))
        .unwrap()
        .compared(|answer: &u64| *answer == 1);
    let first = service_fn(move |id: u64| {
        let answer = slow(20)(id + 1);
        async move { answer.await.map(|_| id / 2) }
    });
    let service = layer.layer(first);
    for id in 0..8 {
        service.clone().oneshot(id).await.unwrap();
    }
    sleep(Duration::from_secs(1)).await;
    settled().await;
    // First: 0 0 1 1 2 2 3 3; second: 0 0 0 0 1 1 1 1.
    let counts = layer.counts();
    assert_eq!((counts.sent, counts.same, counts.different), (8, 2, 6));
}

#[tokio::test(start_paused = true)]
async fn a_second_service_that_fails_or_hangs_is_counted_and_holds_a_hundred_copies_at_most() {
    let (second, copies) = scripted();
    copies.answer_always(Answer::Hang);
    let layer = MirrorLayer::new(Idempotent(Plain), Ratio::percent(100), second).unwrap();
    let service = layer.layer(Scripted::new());
    for _ in 0..150 {
        service.clone().oneshot(1).await.unwrap();
    }
    let counts = layer.counts();
    assert_eq!((counts.sent, counts.skipped, counts.failed), (100, 50, 0));
    settled().await;
    advance(Duration::from_secs(11)).await;
    settled().await;
    assert_eq!(layer.counts().failed, 100);
}

#[tokio::test(start_paused = true)]
async fn copies_keep_to_their_share_and_to_what_may_be_handled_twice() {
    fastrand::seed(3);
    let (second, copies) = scripted();
    let layer = MirrorLayer::new(Idempotent(Plain), Ratio::percent(10), second.clone()).unwrap();
    let service = layer.layer(Scripted::new());
    for _ in 0..2_000 {
        service.clone().oneshot(1).await.unwrap();
        yield_now().await;
    }
    let sent = layer.counts().sent;
    assert!((120..=210).contains(&sent), "{sent}");
    settled().await;
    assert_eq!(copies.counts().calls as u64, sent);
}

#[tokio::test(start_paused = true)]
async fn copies_end_with_the_last_service() {
    let (second, copies) = scripted();
    copies.answer_always(Answer::Hang);
    let layer = MirrorLayer::new(Idempotent(Plain), Ratio::percent(100), second).unwrap();
    let service = layer.layer(Scripted::new());
    service.clone().oneshot(1).await.unwrap();
    settled().await;
    assert_eq!(copies.counts().live, 1);
    drop((service, layer));
    settled().await;
    assert_eq!(copies.counts().live, 0);
}

#[tokio::test(start_paused = true)]
async fn whether_it_is_well_again_is_found_out_without_risking_a_call() {
    let ((sick, at_sick), (well, _)) = (scripted(), scripted());
    at_sick.answer_always(Answer::Err("broken".into()));
    let policy = Policy::new()
        .health(HealthPolicy::consecutive(3))
        .redundancy(Redundancy::failover(2));
    let buttress = Buttress::new().policy("set", policy);
    let connect = move |endpoint: &Endpoint| match endpoint.address() {
        "sick:1" => sick.clone(),
        _ => well.clone(),
    };
    let replicas = fixed(["sick:1", "well:1"]).unwrap();
    let dispatch = buttress
        .dispatch("set", Idempotent(Plain), replicas, connect)
        .unwrap();
    let mut service = dispatch.mirrored_trials();
    let state = |buttress: &Buttress| {
        let all = buttress.registry().snapshot(CLOCK.now());
        all.iter()
            .find(|one| one.endpoint.as_deref() == Some("sick:1"))
            .map(|one| one.state)
    };
    while state(&buttress) != Some(BreakerState::Open) {
        service.ready().await.unwrap().call(1).await.unwrap();
    }
    // It hangs now: whoever was sent there would wait for it.
    at_sick.answer_always(Answer::Hang);
    let before = at_sick.counts().calls;
    for _ in 0..100 {
        advance(Duration::from_millis(100)).await;
        let began = CLOCK.now();
        service.ready().await.unwrap().call(1).await.unwrap();
        assert_eq!(CLOCK.now(), began, "a call waited");
        settled().await;
    }
    assert!(at_sick.counts().calls > before, "it was tried");
    at_sick.answer_always(Answer::Ok { pending: 0 });
    for _ in 0..1_000 {
        advance(Duration::from_millis(20)).await;
        service.ready().await.unwrap().call(1).await.unwrap();
        settled().await;
    }
    assert_eq!(state(&buttress), Some(BreakerState::Closed));
}

#[tokio::test(start_paused = true)]
async fn layers_behind_each_other_do_not_multiply_their_sends() {
    let (leaf, at_leaf) = scripted();
    at_leaf.answer_always(Answer::Err("broken".into()));
    let policy = Policy::new()
        .health(HealthPolicy::consecutive(1_000))
        .redundancy(Redundancy::failover(3));
    let buttress = Buttress::new().policy("hop", policy);
    let over = |inner: tower::util::BoxCloneSyncService<u64, u64, BoxError>| {
        let replicas = fixed(["a:1", "b:1", "c:1"]).unwrap();
        let service = buttress.dispatch("hop", Idempotent(Plain), replicas, move |_: &Endpoint| {
            inner.clone()
        });
        tower::util::BoxCloneSyncService::new(service.unwrap())
    };
    let three = over(over(over(tower::util::BoxCloneSyncService::new(leaf))));
    assert!(three.oneshot(1).await.is_err());
    // Not 27: only a first send is sent again within.
    assert_eq!(at_leaf.counts().calls, 7);
}

#[tokio::test(start_paused = true)]
async fn what_is_an_extra_send_already_is_sent_once_and_says_so_within() {
    let policy = Policy::new()
        .redundancy(Redundancy::race(2))
        .extra_load(Ratio::percent(100));
    let buttress = Buttress::new().policy("set", policy);
    let extra = Tightened::new(Idempotent(Plain), |_: &u64| Call::new().extra());
    let inner = service_fn(async |_: u64| {
        assert!(current_call().extra);
        Ok::<_, BoxError>(1_u64)
    });
    let replicas = fixed(["a:1", "b:1"]).unwrap();
    let service = buttress
        .dispatch("set", extra, replicas, move |_: &Endpoint| inner)
        .unwrap();
    let destination = service.destination().clone();
    service.oneshot(1).await.unwrap();
    assert_eq!(destination.calls().counts().extra, 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_wants_it_sent_to_one_endpoint_once_is_not_copied() {
    for (call, copied) in [
        (Call::new(), true),
        (Call::new().no_hedge(), false),
        (Call::new().no_retry(), false),
        (Call::new().extra(), false),
    ] {
        let ((sick, at_sick), (well, at_well)) = (scripted(), scripted());
        at_sick.answer_always(Answer::Err("broken".into()));
        let policy = Policy::new()
            .health(HealthPolicy::consecutive(3))
            .redundancy(Redundancy::failover(1));
        let buttress = Buttress::new().policy("set", policy);
        let connect = move |endpoint: &Endpoint| match endpoint.address() {
            "sick:1" => sick.clone(),
            _ => well.clone(),
        };
        // Calls to be lost are as usual; the one that matters asks for what it asks for.
        let asks = move |request: &u64| if *request == 7 { call } else { Call::new() };
        let protocol = Tightened::new(Idempotent(Plain), asks);
        let replicas = fixed(["sick:1", "well:1"]).unwrap();
        let dispatch = buttress
            .dispatch("set", protocol, replicas, connect)
            .unwrap();
        let handle = dispatch.handles();
        let mut service = dispatch.mirrored_trials();
        let is_open = || {
            let found = handle.find("sick:1");
            found.is_ok_and(|one| one.snapshot().state == BreakerState::Open)
        };
        while !is_open() {
            let _ = service.ready().await.unwrap().call(1).await;
        }
        advance(Duration::from_secs(10)).await;
        let before = at_sick.counts().calls + at_well.counts().calls;
        let _ = service.ready().await.unwrap().call(7).await;
        settled().await;
        let sends = at_sick.counts().calls + at_well.counts().calls - before;
        assert_eq!(sends == 2, copied, "{call:?}: {sends} sends");
    }
}

#[tokio::test(start_paused = true)]
async fn an_extra_send_is_not_mirrored_again() {
    let (second, copies) = scripted();
    let extra = Tightened::new(Idempotent(Plain), |_: &u64| Call::new().extra());
    let layer = MirrorLayer::new(extra, Ratio::percent(100), second).unwrap();
    layer.layer(Scripted::new()).oneshot(1).await.unwrap();
    settled().await;
    assert_eq!((copies.counts().calls, layer.counts().skipped), (0, 1));
}
