//! One replica of three goes down, and comes back cold. How long until it has its full share again, and what does that cost?
//!
//! Twenty clients make ten calls a second to each replica. The sick one is down for a while from the tenth second on; then
//! it can serve 60 calls a second, and 300 once its cache is full, after 2000 answers. Above its capacity it fails
//! what is too much, and above 1.3 times its capacity half of the rest as well.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use buttress::{
    BreakerState, Buttress, CLOCK, Dispatch, Endpoint, Handle, Idempotent, Nanos, Plain, Policy,
    fixed,
};
use fastrand::Rng;
use tokio::time::sleep;
use tower::{Service, ServiceExt};

use crate::{
    caller::Failed,
    plan::{Plan, exponential},
    policy,
    report::{Report, Runs},
};

const CLIENTS: usize = 20;
const REPLICAS: [&str; 3] = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"];
const SICK: &str = REPLICAS[0];

/// Calls a second that a client makes to one replica.
const RATE: f64 = 10.0;

/// The outage begins.
const BREAKS: f64 = 10.0;

/// It has come back once every client has sent it its full share for so long.
const STABLE: f64 = 10.0;

/// Watched so long after that, or after the repair if it never comes back.
const AFTERWARDS: f64 = 30.0;
const PATIENCE: f64 = 500.0;

/// How often the clients are looked at.
const LOOK: f64 = 0.05;

const OUTAGES: [u32; 2] = [30, 120];

pub(crate) fn measure(report: &mut Report, plan: Plan) -> Result<(), String> {
    for outage in OUTAGES
        .into_iter()
        .filter(|outage| !plan.quick || *outage == 30)
    {
        for (name, policy) in policy::coming_back() {
            let found = plan.each("cold", async |random| {
                comes_back(policy, f64::from(outage), random).await
            })?;
            add(report, &format!("cold.{name}.{outage}"), &found);
        }
    }
    Ok(())
}

fn add(report: &mut Report, key: &str, found: &[Found]) {
    let of = |figure: fn(&Found) -> f64| Runs(found.iter().map(figure).collect());
    let calls = found.iter().map(|run| run.calls).sum();
    let full = of(|run| run.full.unwrap_or(f64::INFINITY));
    let failed = of(|run| run.failed as f64);
    let during = of(|run| run.during as f64);
    let unserved = of(|run| run.unserved as f64);
    for (figure, said) in [
        ("seconds_to_full", full.worst()),
        ("median.seconds_to_full", full.median()),
        ("failed_calls", failed.worst()),
        ("median.failed_calls", failed.median()),
        ("median.failed_in_outage", during.median()),
        ("median.unserved", unserved.median()),
    ] {
        report.add(&format!("{key}.{figure}"), said, found.len(), calls);
    }
}

/// What one run came to.
struct Found {
    /// Seconds from the repair to the full share.
    full: Option<f64>,
    /// Calls that failed at the sick replica, after its repair and before.
    failed: u64,
    during: u64,
    /// Calls that failed in the end, whoever was asked.
    unserved: u64,
    calls: u64,
}

async fn comes_back(policy: Policy, outage: f64, mut random: Rng) -> Result<Found, String> {
    let sick = Replica::new(BREAKS..BREAKS + outage, random.fork());
    let clients = (0..CLIENTS)
        .map(|_| client(policy, &sick))
        .collect::<Result<Vec<_>, _>>()?;
    let mut services: Vec<_> = clients;
    for service in &mut services {
        service.ready().await.map_err(|error| error.to_string())?;
    }
    let sick_to = |client: &Client| client.handles().find(SICK);
    let watched: Result<Vec<Handle>, _> = services.iter().map(sick_to).collect();
    let watched = watched.map_err(|error| error.to_string())?;
    let over = Arc::new(AtomicBool::new(false));
    let traffic = tokio::spawn(traffic(services, random, Arc::clone(&over)));
    let full = watch(&watched, BREAKS + outage).await;
    over.store(true, Ordering::Relaxed);
    let (calls, unserved) = traffic.await.map_err(|error| error.to_string())?;
    let sick = sick.lock();
    Ok(Found {
        full,
        failed: sick.failed,
        during: sick.during,
        unserved,
        calls,
    })
}

type Client = Dispatch<Way, Idempotent<Plain>>;

fn client(policy: Policy, sick: &Replica) -> Result<Client, String> {
    let sick = sick.clone();
    let replicas = fixed(REPLICAS).map_err(|error| error.to_string())?;
    Buttress::new()
        .policy("replicas", policy)
        .dispatch(
            "replicas",
            Idempotent(Plain),
            replicas,
            move |endpoint: &Endpoint| Way((endpoint.address() == SICK).then(|| sick.clone())),
        )
        .map_err(|error| error.to_string())
}

/// Until all have sent it their full share for a while: when that began.
async fn watch(clients: &[Handle], repair: f64) -> Option<f64> {
    let start = CLOCK.now();
    let (mut since, mut full, mut end) = (None, None, repair + PATIENCE);
    loop {
        sleep(Duration::from_secs_f64(LOOK)).await;
        let now = CLOCK.now().since(start).as_secs_f64();
        if now >= end {
            return full;
        }
        if now < repair || full.is_some() {
            continue;
        }
        let flows = clients
            .iter()
            .all(|one| one.state() == BreakerState::Closed && one.vitals().share() >= 1.0);
        since = if flows { since.or(Some(now)) } else { None };
        if since.is_some_and(|since| now - since >= STABLE) {
            full = since.map(|since| since - repair);
            end = now + AFTERWARDS;
        }
    }
}

/// Makes calls at random times until it is over: how many, and how many of them failed in the end.
async fn traffic(clients: Vec<Client>, mut random: Rng, over: Arc<AtomicBool>) -> (u64, u64) {
    let start = CLOCK.now();
    let mean = 1.0 / (RATE * (CLIENTS * REPLICAS.len()) as f64);
    let (mut at, mut calls, mut unserved) = (0.0, 0, 0);
    let mut running = tokio::task::JoinSet::new();
    while !over.load(Ordering::Relaxed) {
        at += exponential(&mut random, mean);
        sleep(start.after(Duration::from_secs_f64(at)).since(CLOCK.now())).await;
        let client = clients[random.usize(..CLIENTS)].clone();
        running.spawn(client.oneshot(()));
        calls += 1;
        while let Some(ended) = running.try_join_next() {
            unserved += u64::from(!matches!(ended, Ok(Ok(()))));
        }
    }
    (calls, unserved)
}

/// The way to a replica: to the sick one, or to one that can serve whatever comes.
#[derive(Clone)]
struct Way(Option<Replica>);

#[derive(Clone)]
struct Replica(Arc<Mutex<Cache>>);

struct Cache {
    born: Nanos,
    down: std::ops::Range<f64>,
    /// Answers since the repair.
    served: f64,
    /// Calls a second that come, smoothed over half a second, and when that was known last.
    offered: f64,
    then: f64,
    failed: u64,
    during: u64,
    random: Rng,
}

/// Answers that fill its cache; calls a second it can serve with an empty one, and so many more with a full one.
const FILLED: f64 = 2000.0;
const COLD: f64 = 60.0;
const WARMTH: f64 = 240.0;

/// Above so many times its capacity it serves half of what it could.
const COLLAPSE: f64 = 1.3;

/// Over how many seconds what is offered is smoothed: a small queue.
const SMOOTHED: f64 = 0.5;

/// How long an answer takes.
const TAKES: Duration = Duration::from_millis(5);

impl Replica {
    fn new(down: std::ops::Range<f64>, random: Rng) -> Self {
        Self(Arc::new(Mutex::new(Cache {
            born: CLOCK.now(),
            down,
            served: FILLED,
            offered: 0.0,
            then: 0.0,
            failed: 0,
            during: 0,
            random,
        })))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    /// Takes a call: will it be answered?
    fn take(&mut self) -> bool {
        let now = CLOCK.now().since(self.born).as_secs_f64();
        if self.then < self.down.end && now >= self.down.end {
            self.served = 0.0;
        }
        self.offered = self.offered * ((self.then - now) / SMOOTHED).exp() + 1.0 / SMOOTHED;
        self.then = now;
        if self.down.contains(&now) {
            self.during += 1;
            return false;
        }
        let capacity = COLD + WARMTH * (self.served / FILLED).min(1.0);
        let collapse = if self.offered > COLLAPSE * capacity {
            0.5
        } else {
            1.0
        };
        let good = self.random.f64() < (capacity / self.offered).min(1.0) * collapse;
        if good {
            self.served += 1.0;
        } else if now >= self.down.end {
            self.failed += 1;
        }
        good
    }
}

impl Service<()> for Way {
    type Response = ();
    type Error = Failed;
    type Future = Pin<Box<dyn Future<Output = Result<(), Failed>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        let good = self.0.as_ref().is_none_or(|replica| replica.lock().take());
        Box::pin(async move {
            sleep(TAKES).await;
            if good { Ok(()) } else { Err(Failed::Broken) }
        })
    }
}
