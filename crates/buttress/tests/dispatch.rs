//! Many endpoints, by scripted services and paused time.
#![expect(clippy::unwrap_used, reason = "what a test takes for granted")]

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use buttress::{
    Buttress, CLOCK, Endpoint, HealthPolicy, Idempotent, Plain, Policy, Redundancy, Refusal,
    RetryLayer, fixed,
};
use futures_core::Stream;
use tokio::sync::mpsc;
use tower::{BoxError, Layer as _, Service, ServiceExt as _, service_fn};

type Log = Arc<Mutex<Vec<String>>>;
type Answer = Pin<Box<dyn Future<Output = Result<String, BoxError>> + Send>>;

/// An endpoint that behaves as the first letter of its name says: good, bad, hung, or never ready.
#[derive(Clone)]
struct Replica(String, Log);

impl Service<u32> for Replica {
    type Response = String;
    type Error = BoxError;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self.0.as_bytes()[0] {
            b'n' => Poll::Pending,
            b'u' => Poll::Ready(Err("cannot connect".into())),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, _: u32) -> Answer {
        self.1.lock().unwrap().push(self.0.clone());
        let name = self.0.clone();
        Box::pin(async move {
            match name.as_bytes()[0] {
                b'g' => Ok(name),
                b'h' => std::future::pending().await,
                _ => Err(BoxError::from(name)),
            }
        })
    }
}

fn policy() -> Policy {
    Policy::new()
        .deadline(Duration::from_secs(1))
        .attempt_timeout(Duration::from_millis(100))
        .redundancy(Redundancy::failover(3))
}

fn over(
    buttress: &Buttress,
    names: &[&str],
) -> (buttress::Dispatch<Replica, Idempotent<Plain>>, Log) {
    let log = Log::default();
    let theirs = Arc::clone(&log);
    let service = buttress.dispatch(
        "set",
        Idempotent(Plain),
        fixed(names.iter().copied()).unwrap(),
        move |endpoint| Replica(endpoint.address().to_owned(), Arc::clone(&theirs)),
    );
    (service.unwrap(), log)
}

fn refusal(error: &BoxError) -> Option<Refusal> {
    error.downcast_ref::<Refusal>().copied()
}

#[tokio::test(start_paused = true)]
async fn a_failure_goes_to_an_endpoint_not_yet_tried() {
    let buttress = Buttress::new().policy("set", policy().health(HealthPolicy::consecutive(1_000)));
    let (service, log) = over(&buttress, &["bad1", "bad2", "good"]);
    for _ in 0..20 {
        assert_eq!(service.clone().oneshot(1).await.unwrap(), "good");
        let mut asked = std::mem::take(&mut *log.lock().unwrap());
        let count = asked.len();
        asked.sort();
        asked.dedup();
        assert_eq!(asked.len(), count, "the same endpoint twice in {asked:?}");
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
        assert_eq!(service.clone().oneshot(1).await.unwrap(), "good");
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
        assert_eq!(service.clone().oneshot(1).await.unwrap(), "good");
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

#[tokio::test(start_paused = true)]
async fn a_service_that_cannot_become_ready_has_failed_unsent() {
    let buttress = Buttress::new().policy("set", policy());
    let (service, _) = over(&buttress, &["unreachable", "good"]);
    for _ in 0..20 {
        assert_eq!(service.clone().oneshot(1).await.unwrap(), "good");
    }
    let snapshot = buttress.registry().snapshot(CLOCK.now());
    assert_eq!(snapshot[0].counts.failures.of(buttress::Cause::Connect), 5);
}

#[tokio::test(start_paused = true)]
async fn an_empty_set_and_a_dead_set_refuse_at_once() {
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
    let (service, _) = over(&buttress, &["bad1", "bad2"]);
    assert!(service.clone().oneshot(1).await.is_err());
    let error = service.oneshot(1).await.unwrap_err();
    assert!(
        matches!(
            refusal(&error),
            Some(Refusal::NoEndpoint {
                known: 2,
                retry_after: Some(_)
            })
        ),
        "{error}"
    );
    assert_eq!(CLOCK.now(), before);
}

#[tokio::test(start_paused = true)]
async fn without_anybodys_word_a_request_is_sent_once() {
    let log = Log::default();
    let theirs = Arc::clone(&log);
    let buttress = Buttress::new().policy("set", policy());
    let service = buttress
        .dispatch(
            "set",
            Plain,
            fixed(["bad1", "bad2"]).unwrap(),
            move |endpoint| Replica(endpoint.address().to_owned(), Arc::clone(&theirs)),
        )
        .unwrap();
    assert!(service.oneshot(1).await.is_err());
    assert_eq!(log.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_budget_bounds_what_a_dead_set_costs() {
    let buttress =
        Buttress::new().policy("set", policy().health(HealthPolicy::consecutive(1_000_000)));
    let (service, log) = over(&buttress, &["bad1", "bad2", "bad3"]);
    for _ in 0..1_000 {
        assert!(service.clone().oneshot(1).await.is_err());
    }
    let sent = log.lock().unwrap().len();
    assert!((1_100..=1_110).contains(&sent), "{sent}");
}

#[tokio::test(start_paused = true)]
async fn one_service_is_asked_again_after_a_pause() {
    let log = Log::default();
    let layer = RetryLayer::new("one", Idempotent(Plain), &policy()).unwrap();
    let service = layer.layer(Replica("bad".into(), Arc::clone(&log)));
    let before = CLOCK.now();
    assert_eq!(service.oneshot(1).await.unwrap_err().to_string(), "bad");
    assert_eq!(log.lock().unwrap().len(), 3);
    assert!(CLOCK.now() > before, "not at once");
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
