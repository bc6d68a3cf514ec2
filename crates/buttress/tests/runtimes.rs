//! A dispatch outlives the runtimes it is called in.

#![expect(clippy::unwrap_used, reason = "what a test takes for granted")]

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use buttress::{Buttress, Endpoint, Idempotent, Plain, Policy, Redundancy, RetryLayer, fixed};
use tokio::{
    runtime::{Builder, Runtime},
    sync::mpsc,
    time::{sleep, timeout},
};
use tower::{BoxError, Layer as _, Service, ServiceExt as _, service_fn};

struct Sets(mpsc::UnboundedReceiver<Vec<Endpoint>>);

impl futures_core::Stream for Sets {
    type Item = Result<Vec<Endpoint>, Infallible>;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|set| set.map(Ok))
    }
}

fn paused() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
}

fn set(name: &str) -> Vec<Endpoint> {
    vec![Endpoint::new(name).unwrap()]
}

fn echo(
    endpoint: &Endpoint,
) -> impl Service<(), Response = String, Error = BoxError, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static
+ use<> {
    let name = endpoint.address().to_owned();
    service_fn(move |()| {
        let name = name.clone();
        async move { Ok(name) }
    })
}

fn hour() -> Duration {
    Duration::from_secs(3600)
}

#[test]
fn sets_are_read_on_when_the_runtime_that_read_them_has_ended() {
    let (say, sets) = mpsc::unbounded_channel();
    let root = Buttress::new().policy("set", Policy::new());
    let service = root
        .dispatch("set", Idempotent(Plain), Sets(sets), echo)
        .unwrap();
    say.send(set("a")).unwrap();
    assert_eq!(paused().block_on(service.clone().oneshot(())).unwrap(), "a");
    let _ = say.send(set("b"));
    let last = paused().block_on(async {
        service.clone().oneshot(()).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        service.clone().oneshot(()).await.unwrap()
    });
    assert_eq!(last, "b");
}

#[test]
fn the_first_set_is_not_waited_for_for_ever_when_the_runtime_that_read_it_has_ended() {
    let (say, sets) = mpsc::unbounded_channel();
    let root = Buttress::new().policy("set", Policy::new());
    let service = root
        .dispatch("set", Idempotent(Plain), Sets(sets), echo)
        .unwrap();
    paused().block_on(async {
        timeout(Duration::from_secs(1), service.clone().oneshot(()))
            .await
            .unwrap_err()
    });
    let _ = say.send(set("a"));
    let answer = paused().block_on(async { timeout(hour(), service.oneshot(())).await });
    assert!(answer.is_ok(), "neither a set nor a refusal for an hour");
}

#[test]
fn endpoints_are_probed_on_when_the_runtime_that_probed_them_has_ended() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let root = Buttress::new().policy("set", Policy::new());
    let service = root
        .dispatch("set", Idempotent(Plain), fixed(["a", "b"]).unwrap(), echo)
        .unwrap()
        .probed(move |_: &Endpoint| {
            count.fetch_add(1, Ordering::SeqCst);
            async { Ok::<(), BoxError>(()) }
        });
    for round in 0..2 {
        let before = asked.load(Ordering::SeqCst);
        paused().block_on(async {
            service.clone().oneshot(()).await.unwrap();
            sleep(hour()).await;
        });
        assert!(asked.load(Ordering::SeqCst) > before, "runtime {round}");
    }
}

/// `Dispatch::probed`: "it begins at once within a tokio runtime, elsewhere with the first call".
#[test]
fn a_set_of_one_is_probed_from_the_first_call_on() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let layer = RetryLayer::new(
        "x",
        Idempotent(Plain),
        &Policy::new().redundancy(Redundancy::failover(2)),
    )
    .unwrap();
    let service = layer
        .layer(service_fn(async |()| Ok::<_, BoxError>(())))
        .probed(move |_: &Endpoint| {
            count.fetch_add(1, Ordering::SeqCst);
            async { Ok::<(), BoxError>(()) }
        });
    paused().block_on(async {
        service.clone().oneshot(()).await.unwrap();
        sleep(hour()).await;
    });
    assert!(asked.load(Ordering::SeqCst) > 0);
}
