//! Many endpoints, by scripted services and paused time.
#![expect(clippy::unwrap_used, reason = "what a test takes for granted")]

use std::{
    collections::HashMap,
    future::Future as _,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

use buttress::{
    BreakerState, Buttress, CLOCK, Dispatch, Endpoint, Force, HealthPolicy, Idempotent, Plain,
    Policy, Redundancy, Refusal, RetryLayer, fixed,
};
use buttress_test::{Answer, Readiness, Script, Scripted};
use futures_core::Stream;
use tokio::sync::mpsc;
use tower::{BoxError, Layer as _, Service, ServiceExt as _, service_fn};

/// An endpoint that behaves as the first letter of its name says: good, bad, hung, never ready, or unreachable.
fn replica(name: &str) -> Scripted {
    let service = Scripted::new();
    let script = service.script();
    match name.as_bytes()[0] {
        b'b' => script.answer_always(Answer::Err(name.into())),
        b'h' => script.answer_always(Answer::Hang),
        b'n' => script.ready_always(Readiness::Never),
        b'u' => script.ready_always(Readiness::Err("cannot connect".into())),
        _ => &script,
    };
    service
}

fn policy() -> Policy {
    Policy::new()
        .deadline(Duration::from_secs(1))
        .attempt_timeout(Duration::from_millis(100))
        .redundancy(Redundancy::failover(3))
}

/// Endpoints of these names, and what each notes.
fn over(
    buttress: &Buttress,
    names: &[&str],
) -> (Dispatch<Scripted, Idempotent<Plain>>, Vec<Script>) {
    let (connect, scripts) = replicas(names);
    let sets = fixed(names.iter().copied()).unwrap();
    let service = buttress.dispatch("set", Idempotent(Plain), sets, connect);
    (service.unwrap(), scripts)
}

fn replicas(
    names: &[&str],
) -> (
    impl Fn(&Endpoint) -> Scripted + Send + Sync + use<>,
    Vec<Script>,
) {
    let all: Vec<Scripted> = names.iter().copied().map(replica).collect();
    let scripts = all.iter().map(Scripted::script).collect();
    let named: HashMap<String, Scripted> = names.iter().map(ToString::to_string).zip(all).collect();
    let connect = move |endpoint: &Endpoint| named[endpoint.address()].clone();
    (connect, scripts)
}

/// How often each was called.
fn calls(scripts: &[Script]) -> Vec<usize> {
    scripts.iter().map(|script| script.counts().calls).collect()
}

fn refusal(error: &BoxError) -> Option<Refusal> {
    error.downcast_ref::<Refusal>().copied()
}

#[tokio::test(start_paused = true)]
async fn a_failure_goes_to_an_endpoint_not_yet_tried() {
    let buttress = Buttress::new().policy("set", policy().health(HealthPolicy::consecutive(1_000)));
    let (service, scripts) = over(&buttress, &["bad1", "bad2", "good"]);
    for _ in 0..20 {
        let before = calls(&scripts);
        assert_eq!(service.clone().oneshot(1).await.unwrap(), 1);
        let after = calls(&scripts);
        let twice = before.iter().zip(&after).any(|(b, a)| a - b > 1);
        assert!(!twice, "the same endpoint twice: {before:?}, {after:?}");
        (0..100).for_each(|_| {
            drop(service.clone().call(1));
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_hung_endpoint_costs_one_attempt_timeout_until_it_is_known() {
    let buttress = Buttress::new().policy("set", policy());
    let (service, _) = over(&buttress, &["hung", "good"]);
    for _ in 0..40 {
        assert!(service.clone().oneshot(1).await.is_ok());
    }
    let snapshot = buttress.registry().snapshot(CLOCK.now());
    assert_eq!(
        snapshot[0].counts.failures.total(),
        5,
        "then its breaker is open"
    );
}

#[tokio::test(start_paused = true)]
async fn endpoints_that_are_not_ready_are_hot_and_not_sick() {
    let buttress = Buttress::new().policy("set", policy());
    let (service, _) = over(&buttress, &["never1", "never2", "good"]);
    for _ in 0..20 {
        assert!(service.clone().oneshot(1).await.is_ok());
    }
    let (service, _) = over(&buttress, &["never"]);
    let error = service.oneshot(1).await.unwrap_err();
    assert_eq!(
        refusal(&error),
        Some(Refusal::Deadline {
            after: Duration::from_secs(1)
        })
    );
    for shot in buttress.registry().snapshot(CLOCK.now()) {
        assert_eq!(
            (shot.counts.failures.total(), shot.counts.in_flight()),
            (0, 0)
        );
    }
}

/// Who queues for one endpoint while another answers would be given a permit there that nobody uses.
#[tokio::test(start_paused = true)]
async fn no_queue_is_kept_waiting_in_while_another_endpoint_answers() {
    let buttress = Buttress::new().policy("set", policy());
    for good in ["good", "hung"] {
        let (service, scripts) = over(&buttress, &["never1", "never2", good]);
        for _ in 0..20 {
            let mut call = Box::pin(service.clone().oneshot(1));
            let _ = tokio::time::timeout(Duration::from_millis(1), &mut call).await;
            let counts = [0, 1, 2].map(|index| scripts[index].counts());
            assert_eq!(counts.map(|counts| counts.waiting), [0; 3]);
        }
    }
}

/// The one that refused connections was asked thrice, and the one that was merely busy never.
#[tokio::test(start_paused = true)]
async fn a_busy_endpoint_is_waited_for_when_the_others_cannot_be_reached() {
    for _ in 0..40 {
        let buttress = Buttress::new().policy("set", policy());
        let (service, scripts) = over(&buttress, &["unreachable", "good"]);
        scripts[1].ready_always(Readiness::PendingOnce(Duration::from_millis(300)));
        assert!(service.oneshot(1).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_cannot_become_ready_has_failed_unsent() {
    let buttress = Buttress::new().policy("set", policy());
    let (service, _) = over(&buttress, &["unreachable", "good"]);
    // Of so many picks at random fewer than five would be a coincidence of one in 10^12.
    for _ in 0..60 {
        assert!(service.clone().oneshot(1).await.is_ok());
    }
    let snapshot = buttress.registry().snapshot(CLOCK.now());
    assert_eq!(snapshot[0].counts.failures.of(buttress::Cause::Connect), 5);
}

#[tokio::test(start_paused = true)]
async fn an_empty_set_and_a_dead_service_refuse_at_once() {
    let buttress = Buttress::new().policy("set", policy().health(HealthPolicy::consecutive(1)));
    let (service, _) = over(&buttress, &[]);
    let before = CLOCK.now();
    let error = service.oneshot(1).await.unwrap_err();
    assert_eq!(
        refusal(&error),
        Some(Refusal::NoEndpoint {
            known: 0,
            retry_after: None
        })
    );
    let (connect, _) = replicas(&["bad"]);
    let layer = buttress.retry("set", Idempotent(Plain)).unwrap();
    let service = layer.layer(connect(&Endpoint::new("bad").unwrap()));
    assert!(service.clone().oneshot(1).await.is_err());
    let error = service.oneshot(1).await.unwrap_err();
    assert!(
        matches!(
            refusal(&error),
            Some(Refusal::NoEndpoint {
                known: 1,
                retry_after: Some(_)
            })
        ),
        "{error}"
    );
    assert_eq!(CLOCK.now(), before);
}

#[tokio::test(start_paused = true)]
async fn the_last_of_a_dying_set_still_answers_for_it() {
    let buttress = Buttress::new().policy("set", policy().health(HealthPolicy::consecutive(1)));
    let (service, _) = over(&buttress, &["bad1", "bad2", "bad3"]);
    for _ in 0..20 {
        let error = service.clone().oneshot(1).await.unwrap_err();
        assert!(error.to_string().starts_with("bad"), "{error}");
    }
    let shots = buttress.registry().snapshot(CLOCK.now());
    let out = shots
        .iter()
        .filter(|shot| shot.state != BreakerState::Closed)
        .count();
    assert!(out <= 1, "{out} of 3 are out");
}

#[tokio::test(start_paused = true)]
async fn without_anybodys_word_a_request_is_sent_once() {
    let buttress = Buttress::new().policy("set", policy());
    let (connect, scripts) = replicas(&["bad1", "bad2"]);
    let sets = fixed(["bad1", "bad2"]).unwrap();
    let service = buttress.dispatch("set", Plain, sets, connect).unwrap();
    assert!(service.oneshot(1).await.is_err());
    assert_eq!(calls(&scripts).iter().sum::<usize>(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_budget_bounds_what_a_dead_set_costs() {
    let buttress =
        Buttress::new().policy("set", policy().health(HealthPolicy::consecutive(1_000_000)));
    let (service, scripts) = over(&buttress, &["bad1", "bad2", "bad3"]);
    for _ in 0..1_000 {
        assert!(service.clone().oneshot(1).await.is_err());
    }
    let sent: usize = calls(&scripts).iter().sum();
    assert!((1_100..=1_110).contains(&sent), "{sent}");
}

#[tokio::test(start_paused = true)]
async fn one_service_is_asked_again_after_a_pause() {
    let layer = RetryLayer::new("one", Idempotent(Plain), &policy()).unwrap();
    let inner = replica("bad");
    let script = inner.script();
    let service = layer.layer(inner);
    let before = CLOCK.now();
    assert_eq!(service.oneshot(1).await.unwrap_err().to_string(), "bad");
    assert_eq!(script.counts().calls, 3);
    assert!(CLOCK.now() > before, "not at once");
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_in_its_pause_has_paid_for_nothing() {
    let patient = policy().health(HealthPolicy::consecutive(1_000_000));
    let layer = RetryLayer::new("one", Idempotent(Plain), &patient).unwrap();
    let inner = replica("bad");
    let script = inner.script();
    let service = layer.layer(inner);
    for _ in 0..100 {
        let mut call = pin!(service.clone().oneshot(1));
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(call.as_mut().poll(cx).is_pending(), "it pauses");
    }
    assert_eq!(script.counts().calls, 100);
    assert!(service.oneshot(1).await.is_err());
    assert_eq!(script.counts().calls, 103, "the account is full as ever");
}

struct Sets(mpsc::UnboundedReceiver<Result<Vec<Endpoint>, BoxError>>);

impl Stream for Sets {
    type Item = Result<Vec<Endpoint>, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

fn set(names: &[&str]) -> Result<Vec<Endpoint>, BoxError> {
    Ok(names
        .iter()
        .map(|name| Endpoint::new(name).unwrap())
        .collect())
}

#[tokio::test(start_paused = true)]
async fn sets_change_while_known_endpoints_keep_their_vitals() {
    let (tell, sets) = mpsc::unbounded_channel();
    let buttress = Buttress::new().policy("set", policy());
    let service = buttress
        .dispatch("set", Idempotent(Plain), Sets(sets), |endpoint| {
            let name = endpoint.address().to_owned();
            service_fn(move |_: u32| std::future::ready(Ok::<_, BoxError>(name.clone())))
        })
        .unwrap();
    let known = || -> Vec<(String, u64)> {
        let shots = buttress.registry().snapshot(CLOCK.now());
        shots
            .iter()
            .map(|shot| {
                (
                    shot.endpoint.as_deref().unwrap().to_owned(),
                    shot.counts.started,
                )
            })
            .collect()
    };
    let later = tokio::spawn(service.clone().oneshot(1));
    tokio::time::sleep(Duration::from_millis(1)).await;
    tell.send(set(&["a", "a"])).unwrap();
    assert_eq!(later.await.unwrap().unwrap(), "a");
    assert_eq!(known(), [("a".to_owned(), 1)]);
    // An error, and an empty set that is said once, keep the last set.
    for news in [Err("backend gone".into()), set(&[])] {
        tell.send(news).unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(service.clone().oneshot(1).await.unwrap(), "a");
    }
    tell.send(set(&["b", "a"])).unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(service.clone().oneshot(1).await.is_ok());
    assert_eq!(known().len(), 2);
    assert_eq!(known().iter().map(|(_, count)| count).sum::<u64>(), 4);
    for _ in 0..2 {
        tell.send(set(&[])).unwrap();
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    let error = service.clone().oneshot(1).await.unwrap_err();
    assert_eq!(
        refusal(&error),
        Some(Refusal::NoEndpoint {
            known: 0,
            retry_after: None
        })
    );
}

#[tokio::test(start_paused = true)]
async fn a_first_set_that_never_comes_is_not_waited_for_for_ever() {
    let (tell, sets) = mpsc::unbounded_channel();
    let buttress = Buttress::new().policy("set", policy());
    let service = buttress.dispatch("set", Idempotent(Plain), Sets(sets), |_| {
        service_fn(|_: u32| std::future::ready(Ok::<_, BoxError>(())))
    });
    let error = service.unwrap().oneshot(1).await.unwrap_err();
    assert_eq!(
        refusal(&error),
        Some(Refusal::NoEndpoint {
            known: 0,
            retry_after: None
        })
    );
    drop(tell);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_is_found_by_its_address_and_drained_by_hand() {
    let buttress = Buttress::new().policy("set", policy());
    let (service, scripts) = over(&buttress, &["good:1", "good:2"]);
    service.clone().ready().await.unwrap();
    let handles = service.handles();
    assert_eq!(
        handles.find("good:3").unwrap_err().to_string(),
        "nothing goes by the name \"good:3\"; known: good:1, good:2"
    );
    handles.find("good:1").unwrap().force(Force::Drain);
    for id in 0..20 {
        service.clone().oneshot(id).await.unwrap();
    }
    assert_eq!(scripts[0].counts().calls, 0);
    assert!(service.destination().panic().is_none());
}

#[tokio::test(start_paused = true)]
async fn one_that_was_out_comes_back_though_no_call_may_be_sent_twice() {
    let buttress = Buttress::new().policy("set", policy().redundancy(Redundancy::None));
    let (service, scripts) = over(&buttress, &["bad", "good1", "good2"]);
    let mut service = service;
    let bad = |service: &Dispatch<_, _>| service.handles().find("bad").unwrap();
    service.ready().await.unwrap();
    while bad(&service).state() == BreakerState::Closed {
        let _ = service.ready().await.unwrap().call(1).await;
    }
    // While it is ill, a call is risked once per stop and no more often.
    let before = calls(&scripts)[0];
    for _ in 0..60_000 {
        tokio::time::advance(Duration::from_millis(1)).await;
        let _ = service.call(1).await;
    }
    let risked = calls(&scripts)[0] - before;
    assert!(
        (6..=24).contains(&risked),
        "{risked} in a minute of stops of 0.25 to 7.5 s"
    );
    scripts[0].answer_always(Answer::Ok { pending: 0 });
    for _ in 0..60_000 {
        tokio::time::advance(Duration::from_millis(1)).await;
        let _ = service.call(1).await;
    }
    let bad = bad(&service);
    assert_eq!(bad.state(), BreakerState::Closed, "{:?}", bad.snapshot());
}
