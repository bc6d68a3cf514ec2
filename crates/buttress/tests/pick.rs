//! Whom calls go to, and sets that change under them.
#![expect(clippy::unwrap_used, reason = "what a test takes for granted")]

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use buttress::{
    Buttress, CLOCK, Describe, Dispatch, Endpoint, Force, HealthPolicy, Idempotent, Outcome,
    PickPolicy, Plain, Policy, Protocol, Receipt, Redundancy, Refusal, Resend, Snapshot, Stamp,
    fixed,
};
use futures_core::Stream;
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};
use tower::{BoxError, Service, ServiceExt as _};

/// Replicas that answer as is said of them, and what each was sent.
#[derive(Clone, Default)]
struct Fleet(Arc<Mutex<HashMap<String, Behaviour>>>);

#[derive(Clone, Copy, Default)]
struct Behaviour {
    fails: bool,
    takes: Duration,
    calls: u32,
}

impl Fleet {
    fn connect(&self) -> impl Fn(&Endpoint) -> Replica + Send + Sync + use<> {
        let fleet = self.clone();
        move |endpoint| Replica {
            fleet: fleet.clone(),
            name: endpoint.address().to_owned(),
        }
    }

    fn of<T>(&self, name: &str, change: impl FnOnce(&mut Behaviour) -> T) -> T {
        change(self.0.lock().unwrap().entry(name.to_owned()).or_default())
    }

    fn calls(&self, name: &str) -> u32 {
        self.of(name, |replica| replica.calls)
    }
}

#[derive(Clone)]
struct Replica {
    fleet: Fleet,
    name: String,
}

impl Service<u32> for Replica {
    type Response = u32;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<u32, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u32) -> Self::Future {
        let behaviour = self.fleet.of(&self.name, |replica| {
            replica.calls += 1;
            *replica
        });
        Box::pin(async move {
            sleep(behaviour.takes).await;
            match behaviour.fails {
                true => Err("broken".into()),
                false => Ok(request),
            }
        })
    }
}

type Calls = Dispatch<Replica, Idempotent<Plain>>;

fn policy() -> Policy {
    Policy::new()
        .deadline(Duration::from_secs(1))
        .redundancy(Redundancy::failover(3))
}

fn over(buttress: &Buttress, fleet: &Fleet, endpoints: Vec<Endpoint>) -> Calls {
    let sets = fixed(endpoints).unwrap();
    buttress
        .dispatch("set", Idempotent(Plain), sets, fleet.connect())
        .unwrap()
}

fn named(name: &str) -> Endpoint {
    Endpoint::new(name).unwrap()
}

fn shot(buttress: &Buttress, name: &str) -> Option<Snapshot> {
    let shots = buttress.registry().snapshot(CLOCK.now());
    shots
        .into_iter()
        .find(|shot| shot.endpoint.as_deref() == Some(name))
}

async fn call(service: &Calls, times: u32) {
    for id in 0..times {
        assert_eq!(service.clone().oneshot(id).await.unwrap(), id);
    }
}

#[tokio::test(start_paused = true)]
async fn a_standby_is_called_while_its_primary_is_out_and_what_that_saved_is_counted() {
    let (fleet, buttress) = (Fleet::default(), Buttress::new().policy("set", policy()));
    let service = over(
        &buttress,
        &fleet,
        vec![named("standby").priority(1), named("primary")],
    );
    call(&service, 100).await;
    assert_eq!([fleet.calls("primary"), fleet.calls("standby")], [100, 0]);
    fleet.of("primary", |replica| replica.fails = true);
    call(&service, 100).await;
    let failed = u64::from(fleet.calls("primary") - 100);
    let shot = shot(&buttress, "primary").unwrap();
    assert!((1..=6).contains(&failed), "{failed} calls until it was out");
    assert_eq!(
        (shot.coverage.failed, shot.coverage.ratio()),
        (failed, Some(1.0))
    );
    fleet.of("primary", |replica| replica.fails = false);
    for _ in 0..6_000 {
        sleep(Duration::from_millis(10)).await;
        call(&service, 1).await;
    }
    let before = fleet.calls("standby");
    call(&service, 100).await;
    assert_eq!(fleet.calls("standby"), before, "and back, by degrees");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_made_good_is_not_covered() {
    let (fleet, buttress) = (
        Fleet::default(),
        Buttress::new().policy("set", policy().health(HealthPolicy::consecutive(1_000))),
    );
    let service = over(&buttress, &fleet, vec![named("a")]);
    fleet.of("a", |replica| replica.fails = true);
    assert!(service.clone().oneshot(1).await.is_err());
    assert_eq!(shot(&buttress, "a").unwrap().coverage.ratio(), Some(0.0));
}

#[tokio::test(start_paused = true)]
async fn calls_go_by_weight() {
    let (fleet, buttress) = (Fleet::default(), Buttress::new().policy("set", policy()));
    let service = over(
        &buttress,
        &fleet,
        vec![named("large").weight(9), named("canary")],
    );
    call(&service, 5_000).await;
    let canary = fleet.calls("canary");
    assert!((400..600).contains(&canary), "{canary} of 5000");
}

#[tokio::test(start_paused = true)]
async fn a_zone_of_ones_own_is_preferred_by_layer_or_root() {
    let endpoints = |own: u32| {
        (0..8)
            .map(|n| named(&format!("{own}-{n}")).zone(if n < 4 { "here" } else { "there" }))
            .collect::<Vec<_>>()
    };
    let (fleet, buttress) = (
        Fleet::default(),
        Buttress::new().zone("here").policy("set", policy()),
    );
    let service = over(&buttress, &fleet, endpoints(1));
    call(&service, 500).await;
    let there: u32 = (4..8).map(|n| fleet.calls(&format!("1-{n}"))).sum();
    assert_eq!(there, 0);
    service.handles().find("1-0").unwrap().force(Force::Drain);
    service.handles().find("1-1").unwrap().force(Force::Drain);
    call(&service, 1_000).await;
    let there: u32 = (4..8).map(|n| fleet.calls(&format!("1-{n}"))).sum();
    assert!((250..420).contains(&there), "a third of them: {there}");
}

#[tokio::test(start_paused = true)]
async fn only_a_subset_of_a_large_set_is_ever_known() {
    let policy = policy().pick(PickPolicy::new().subset(3).client(7));
    let (fleet, buttress) = (Fleet::default(), Buttress::new().policy("set", policy));
    let names: Vec<String> = (0..100).map(|n| format!("host-{n}")).collect();
    let service = over(
        &buttress,
        &fleet,
        names.iter().map(|name| named(name)).collect(),
    );
    call(&service, 300).await;
    let used = names.iter().filter(|name| fleet.calls(name) > 0).count();
    assert_eq!(
        (used, buttress.registry().snapshot(CLOCK.now()).len()),
        (3, 3)
    );
}

struct Sets(mpsc::UnboundedReceiver<Vec<Endpoint>>);

impl Stream for Sets {
    type Item = Result<Vec<Endpoint>, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|set| set.map(Ok))
    }
}

#[tokio::test(start_paused = true)]
async fn who_leaves_answers_what_it_has_and_is_then_forgotten() {
    let (tell, sets) = mpsc::unbounded_channel();
    let (fleet, buttress) = (Fleet::default(), Buttress::new().policy("set", policy()));
    let service = buttress
        .dispatch("set", Idempotent(Plain), Sets(sets), fleet.connect())
        .unwrap();
    fleet.of("old", |replica| replica.takes = Duration::from_millis(300));
    tell.send(vec![named("old")]).unwrap();
    let idle = service.clone();
    let (done, answer) = oneshot::channel();
    let caller = service.clone();
    tokio::spawn(async move { done.send(caller.oneshot(7).await) });
    sleep(Duration::from_millis(1)).await;
    tell.send(vec![named("new")]).unwrap();
    sleep(Duration::from_millis(1)).await;
    call(&service, 3).await;
    assert_eq!([fleet.calls("old"), fleet.calls("new")], [1, 3]);
    assert_eq!(
        shot(&buttress, "old").unwrap().counts.in_flight(),
        1,
        "it has yet to answer"
    );
    assert_eq!(answer.await.unwrap().unwrap(), 7);
    sleep(Duration::from_millis(1)).await;
    assert!(
        shot(&buttress, "old").is_none(),
        "though a clone that does not call has seen it"
    );
    drop(idle);
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_is_promoted_keeps_what_is_known_of_it() {
    let (tell, sets) = mpsc::unbounded_channel();
    let (fleet, buttress) = (Fleet::default(), Buttress::new().policy("set", policy()));
    let service = buttress
        .dispatch("set", Idempotent(Plain), Sets(sets), fleet.connect())
        .unwrap();
    tell.send(vec![named("a"), named("b").priority(1)]).unwrap();
    call(&service, 10).await;
    tell.send(vec![named("a").priority(1), named("b")]).unwrap();
    sleep(Duration::from_millis(1)).await;
    call(&service, 10).await;
    assert_eq!([fleet.calls("a"), fleet.calls("b")], [10, 10]);
    // Out, it is out where it belongs now.
    service.handles().find("b").unwrap().force(Force::Open);
    call(&service, 10).await;
    assert_eq!([fleet.calls("a"), fleet.calls("b")], [20, 10]);
    assert_eq!(shot(&buttress, "a").unwrap().counts.started, 20);
}

#[tokio::test(start_paused = true)]
async fn where_too_few_are_usable_all_are_called() {
    let panicking = policy()
        .extra_load(buttress::Ratio::percent(100))
        .health(HealthPolicy::consecutive(3))
        .ejection(buttress::EjectionPolicy::new().at_most(buttress::Ratio::percent(100)));
    let (fleet, buttress) = (Fleet::default(), Buttress::new().policy("set", panicking));
    let names = ["a", "b", "c"];
    let service = over(&buttress, &fleet, names.map(named).to_vec());
    call(&service, 100).await;
    for name in ["a", "b"] {
        fleet.of(name, |replica| replica.fails = true);
        call(&service, 200).await;
        sleep(Duration::from_secs(10)).await;
    }
    let out = |name| {
        service
            .handles()
            .find(name)
            .is_ok_and(|one| one.snapshot().share < 1.0)
    };
    assert!(out("a") && out("b"));
    assert!(service.destination().panic().is_some());
    let before = names.map(|name| fleet.calls(name));
    call(&service, 300).await;
    let after = names.map(|name| fleet.calls(name));
    assert!(
        after[0] > before[0] + 20 && after[1] > before[1] + 20,
        "{before:?} {after:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_primary_that_has_lost_its_lease_is_not_brought_back_by_a_source_that_lags() {
    let (tell, sets) = mpsc::unbounded_channel();
    let (fleet, buttress) = (Fleet::default(), Buttress::new().policy("set", policy()));
    let service = buttress
        .dispatch("set", Idempotent(Plain), Sets(sets), fleet.connect())
        .unwrap();
    let set = |primary: &str, epoch, standby: &str| {
        vec![named(primary).epoch(epoch), named(standby).priority(1)]
    };
    tell.send(set("a", 7, "b")).unwrap();
    call(&service, 10).await;
    for lagging in [set("b", 8, "a"), set("a", 7, "b"), set("b", 8, "a")] {
        tell.send(lagging).unwrap();
        sleep(Duration::from_millis(1)).await;
        call(&service, 10).await;
    }
    assert_eq!([fleet.calls("a"), fleet.calls("b")], [10, 30]);
}

/// Notes the epochs that are stamped.
#[derive(Clone, Default)]
struct Epochs(Arc<Mutex<Vec<Option<u64>>>>);

impl Describe<u32> for Epochs {
    fn stamp(&self, _: &mut u32, stamp: &Stamp) {
        self.0.lock().unwrap().push(stamp.epoch);
    }
}

impl Resend<u32> for Epochs {
    fn idempotent(&self, _: &u32) -> bool {
        true
    }

    fn copy(&self, request: &mut u32) -> Option<u32> {
        Some(*request)
    }
}

impl Protocol<u32, BoxError> for Epochs {
    type Response = u32;
    type Error = BoxError;

    fn classify(&self, result: Result<&u32, &BoxError>) -> Outcome {
        Protocol::<u32, BoxError>::classify(&Plain, result)
    }

    fn respond(&self, response: u32, _: Receipt) -> u32 {
        response
    }

    fn fail(&self, error: BoxError) -> BoxError {
        error
    }

    fn refuse(&self, refusal: Refusal) -> Result<u32, BoxError> {
        Err(refusal.into())
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_is_asked_is_told_by_which_lease() {
    let (fleet, epochs) = (Fleet::default(), Epochs::default());
    let buttress = Buttress::new().policy("set", policy());
    let replicas = fixed([named("a").epoch(7), named("b").priority(1)]).unwrap();
    let service = buttress
        .dispatch("set", epochs.clone(), replicas, fleet.connect())
        .unwrap();
    fleet.of("a", |replica| replica.fails = true);
    service.oneshot(1).await.unwrap();
    assert_eq!(*epochs.0.lock().unwrap(), [Some(7), None]);
}
