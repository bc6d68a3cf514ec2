//! What has left its set counts for nobody else, whoever still holds it.

#![expect(clippy::unwrap_used, reason = "what a test takes for granted")]

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use buttress::{BreakerState, Buttress, Endpoint, HealthPolicy, Idempotent, Plain, Policy};
use futures_core::Stream;
use tokio::sync::mpsc;
use tower::{BoxError, Service, ServiceExt as _, service_fn};

const MS: Duration = Duration::from_millis(1);

struct Sets(mpsc::UnboundedReceiver<Vec<Endpoint>>);

impl Stream for Sets {
    type Item = Result<Vec<Endpoint>, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|set| set.map(Ok))
    }
}

fn set(names: &[(&str, u32)]) -> Vec<Endpoint> {
    names
        .iter()
        .map(|(name, priority)| Endpoint::new(name).unwrap().priority(*priority))
        .collect()
}

#[derive(Clone, Default)]
struct World(Arc<Mutex<HashMap<String, (char, usize)>>>);

impl World {
    fn is(&self, name: &str, how: char) {
        self.0.lock().unwrap().entry(name.into()).or_default().0 = how;
    }
    fn calls(&self, name: &str) -> usize {
        self.0.lock().unwrap().get(name).map_or(0, |one| one.1)
    }
    fn service(
        &self,
        name: &str,
    ) -> impl Service<u32, Response = u32, Error = BoxError, Future: Send> + Clone + Send + use<>
    {
        let (world, name) = (self.clone(), name.to_owned());
        service_fn(move |_: u32| {
            let how = {
                let mut world = world.0.lock().unwrap();
                let one = world.entry(name.clone()).or_default();
                one.1 += 1;
                one.0
            };
            async move {
                match how {
                    'h' => std::future::pending().await,
                    'b' => Err(BoxError::from("broken")),
                    _ => Ok(1),
                }
            }
        })
    }
}

/// A call that has not ended at an endpoint that is no longer in the set.
#[tokio::test(start_paused = true)]
async fn the_only_endpoint_is_never_ejected_for_one_that_still_answers_an_old_call() {
    for long_call in [false, true] {
        let (tell, sets) = mpsc::unbounded_channel();
        let root =
            Buttress::new().policy("set", Policy::new().health(HealthPolicy::consecutive(3)));
        let world = World::default();
        let inner = world.clone();
        let mut service = root
            .dispatch(
                "set",
                Idempotent(Plain),
                Sets(sets),
                move |endpoint: &Endpoint| inner.service(endpoint.address()),
            )
            .unwrap();
        tell.send(set(&[("a:1", 0), ("b:1", 0)])).unwrap();
        for _ in 0..20 {
            service.ready().await.unwrap().call(1).await.unwrap();
        }
        world.is("a:1", 'h');
        let mut long = Vec::new();
        if long_call {
            for _ in 0..10 {
                if world.calls("a:1") > 0
                    && long
                        .iter()
                        .any(|task: &tokio::task::JoinHandle<_>| !task.is_finished())
                {
                    break;
                }
                long.push(tokio::spawn(service.clone().oneshot(1)));
                for _ in 0..5 {
                    tokio::task::yield_now().await;
                }
            }
            assert!(long.iter().any(|task| !task.is_finished()));
        }
        tell.send(set(&[("b:1", 0)])).unwrap();
        tokio::time::sleep(MS).await;
        service.ready().await.unwrap().call(1).await.unwrap();
        world.is("b:1", 'b');
        for _ in 0..10 {
            let _ = service.ready().await.unwrap().call(1).await;
        }
        assert_eq!(
            root.handle("set/b:1").unwrap().state(),
            BreakerState::Closed,
            "a long call: {long_call}"
        );
        drop(long);
    }
}

/// Gone, and in somebody's hand: the well ones left bear all calls.
#[tokio::test(start_paused = true)]
async fn whoever_has_left_the_set_takes_no_calls_from_those_that_stay() {
    for held in [false, true] {
        let (tell, sets) = mpsc::unbounded_channel();
        let policy = Policy::new().health(HealthPolicy::consecutive(3));
        let root = Buttress::new().policy("set", policy);
        let world = World::default();
        let inner = world.clone();
        let mut service = root
            .dispatch(
                "set",
                Idempotent(Plain),
                Sets(sets),
                move |endpoint: &Endpoint| inner.service(endpoint.address()),
            )
            .unwrap();
        let rest = [("c:1", 0), ("d:1", 0), ("standby:1", 1)];
        let all = [&[("a:1", 0), ("b:1", 0)][..], &rest].concat();
        tell.send(set(&all)).unwrap();
        for _ in 0..50 {
            service.ready().await.unwrap().call(1).await.unwrap();
        }
        world.is("a:1", 'b');
        world.is("b:1", 'b');
        for _ in 0..100 {
            let _ = service.ready().await.unwrap().call(1).await;
        }
        for name in ["a:1", "b:1"] {
            assert_eq!(
                root.handle(&format!("set/{name}")).unwrap().state(),
                BreakerState::Open
            );
        }
        let hands =
            held.then(|| ["a:1", "b:1"].map(|name| root.handle(&format!("set/{name}")).unwrap()));
        tell.send(set(&rest)).unwrap();
        tokio::time::sleep(MS).await;
        let before = world.calls("standby:1");
        for _ in 0..100 {
            service.ready().await.unwrap().call(1).await.unwrap();
        }
        assert_eq!(
            world.calls("standby:1") - before,
            0,
            "calls of 100 that went to the standby; in somebody's hand: {held}"
        );
        drop(hands);
    }
}

async fn replaced(standby: bool) -> HashMap<String, usize> {
    let (tell, sets) = mpsc::unbounded_channel();
    let root = Buttress::new().policy("set", Policy::new());
    let counts: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
    let inner = Arc::clone(&counts);
    let mut service = root
        .dispatch(
            "set",
            Idempotent(Plain),
            Sets(sets),
            move |endpoint: &Endpoint| {
                let (counts, name) = (Arc::clone(&inner), endpoint.address().to_owned());
                service_fn(move |_: u32| {
                    *counts.lock().unwrap().entry(name.clone()).or_default() += 1;
                    async move {
                        tokio::time::sleep(MS).await;
                        Ok::<_, BoxError>(1)
                    }
                })
            },
        )
        .unwrap();
    let other: &[(&str, u32)] = if standby { &[("s:1", 1)] } else { &[] };
    tell.send(set(&[&[("a:1", 0), ("b:1", 0), ("c:1", 0)], other].concat()))
        .unwrap();
    for _ in 0..100 {
        service.ready().await.unwrap().call(1).await.unwrap();
    }
    tell.send(set(&[&[("d:1", 0), ("e:1", 0), ("f:1", 0)], other].concat()))
        .unwrap();
    tokio::time::sleep(MS).await;
    counts.lock().unwrap().clear();
    for _ in 0..400 {
        service.ready().await.unwrap().call(1).await.unwrap();
    }
    counts.lock().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn a_set_replaced_as_a_whole_shares_its_calls() {
    let counts = replaced(false).await;
    assert!(counts.values().all(|count| *count < 300), "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn primaries_replaced_as_a_whole_take_the_calls() {
    let counts = replaced(true).await;
    assert!(
        counts.get("s:1").copied().unwrap_or_default() < 100,
        "{counts:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn one_long_call_sends_everybody_to_the_standby() {
    for long in [false, true] {
        let (tell, sets) = mpsc::unbounded_channel();
        let root =
            Buttress::new().policy("set", Policy::new().health(HealthPolicy::consecutive(3)));
        let counts: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
        let inner = Arc::clone(&counts);
        let mut service = root
            .dispatch(
                "set",
                Idempotent(Plain),
                Sets(sets),
                move |endpoint: &Endpoint| {
                    let (counts, name) = (Arc::clone(&inner), endpoint.address().to_owned());
                    service_fn(move |request: &'static str| {
                        *counts.lock().unwrap().entry(name.clone()).or_default() += 1;
                        let ill = name.starts_with('x');
                        async move {
                            if request == "long poll" {
                                tokio::time::sleep(Duration::from_secs(60)).await;
                            }
                            if ill {
                                Err(BoxError::from("broken"))
                            } else {
                                Ok(())
                            }
                        }
                    })
                },
            )
            .unwrap();
        let rest = [("c:1", 0), ("d:1", 0), ("standby:1", 1)];
        tell.send(set(&[&[("x1:1", 0), ("x2:1", 0)][..], &rest].concat()))
            .unwrap();
        for _ in 0..200 {
            let _ = service.ready().await.unwrap().call("short").await;
        }
        let task = long.then(|| tokio::spawn(service.clone().oneshot("long poll")));
        tokio::task::yield_now().await;
        // Discovery has noticed, too.
        tell.send(set(&rest)).unwrap();
        tokio::time::sleep(MS).await;
        counts.lock().unwrap().clear();
        for _ in 0..200 {
            service.ready().await.unwrap().call("short").await.unwrap();
        }
        let seen = counts.lock().unwrap().clone();
        assert_eq!(seen.get("standby:1"), None, "{seen:?}");
        drop(task);
    }
}
