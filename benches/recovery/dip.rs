//! One server with a queue loses most of its capacity for ten seconds. Does it ever get its callers back?
//!
//! A server of 100 calls a second takes calls in turn, gamma-distributed with shape 4; after four minutes, by when what can be
//! learned of it is learned, it is slowed to 30 % for ten seconds. Callers give up after a second, and what they gave up is served all the same: the work is lost, and
//! retries are more of it. That is how an overload sustains itself (Bronson et al., HotOS 2021).

use std::{
    ops::Range,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use buttress::{Buttress, CLOCK, Idempotent, Nanos, Plain, Policy};
use fastrand::Rng;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::{Layer, Service, ServiceExt};

use crate::{
    caller::Failed,
    plan::{Plan, exponential, gamma4},
    policy::{self, ATTEMPTS, TIMEOUT},
    report::{Report, Runs},
};

/// Calls a second.
const CAPACITY: f64 = 100.0;

/// What is left of it in the dip.
const LEFT: f64 = 0.3;

/// The seconds of the dip, and of the end.
const DIP: Range<usize> = 240..250;
const END: usize = 380;

/// Backoff of the naive caller: full jitter over 50 ms, doubling.
const BACKOFF: f64 = 0.05;

pub(crate) const LOADS: [u32; 5] = [50, 60, 70, 80, 90];

/// Under which policy calls are made. Under none they are sent again whatever happens.
type Caller = Option<Policy>;

pub(crate) fn measure(report: &mut Report, plan: Plan) -> Result<(), String> {
    let callers = [
        ("naive", None),
        ("budget_10", Some(policy::budget(10))),
        ("budget_20", Some(policy::budget(20))),
        ("buttress", Some(policy::policy())),
    ];
    for load in loads(plan) {
        for (name, caller) in callers {
            let found = plan.each("dip", async |random| {
                through(caller, LEFT, f64::from(load) / 100.0, random).await
            })?;
            add(report, &format!("dip.{name}.{load}"), &found);
        }
    }
    undisturbed(report, plan)
}

/// What the figures say where nothing happens, and what the policy does there.
fn undisturbed(report: &mut Report, plan: Plan) -> Result<(), String> {
    for load in loads(plan) {
        for (name, caller) in [
            ("control.undisturbed", None),
            ("calm.buttress", Some(policy::policy())),
        ] {
            let found = plan.each("dip", async |random| {
                through(caller, 1.0, f64::from(load) / 100.0, random).await
            })?;
            add(report, &format!("{name}.{load}"), &found);
        }
    }
    Ok(())
}

fn loads(plan: Plan) -> impl Iterator<Item = u32> {
    LOADS
        .into_iter()
        .filter(move |load| !plan.quick || *load == 80)
}

fn add(report: &mut Report, key: &str, found: &[Seconds]) {
    let of = |figure: fn(&Seconds) -> f64| Runs(found.iter().map(figure).collect());
    let calls = found.iter().map(|run| run.first.iter().sum::<u64>()).sum();
    let recovery = of(|run| run.recovery().unwrap_or(f64::INFINITY));
    let answers = of(|run| run.recovery_by_answers().unwrap_or(f64::INFINITY));
    let (goodput, before) = (of(Seconds::after), of(Seconds::before));
    for (figure, said) in [
        ("recovery_s", recovery.median()),
        ("worst_s", recovery.worst()),
        ("goodput", goodput.mean()),
        ("before", before.mean()),
        ("by_answers.recovery_s", answers.median()),
        ("by_answers.worst_s", answers.worst()),
    ] {
        report.add(&format!("{key}.{figure}"), said, found.len(), calls);
    }
}

/// Calls made in each second, how many of those went well, and how many answers came in it.
#[derive(Clone)]
struct Seconds {
    first: Vec<u64>,
    good: Vec<u64>,
    answered: Vec<u64>,
}

impl Seconds {
    fn new() -> Self {
        let none = vec![0; END + 5];
        Self {
            first: none.clone(),
            good: none.clone(),
            answered: none,
        }
    }

    fn share(&self, seconds: Range<usize>) -> f64 {
        let sum = |counts: &[u64]| counts[seconds.clone()].iter().sum::<u64>() as f64;
        sum(&self.good) / sum(&self.first).max(1.0)
    }

    /// Of the calls before the dip, the first ten seconds aside.
    fn before(&self) -> f64 {
        self.share(10..DIP.start - 1)
    }

    /// Of those from a minute after it on.
    fn after(&self) -> f64 {
        self.share(DIP.end + 60..END - 2)
    }

    /// How long after the dip five seconds begin in each of which 95 % of the calls made go well.
    fn recovery(&self) -> Option<f64> {
        self.enough(&self.good)
    }

    /// The same, where as many answers come as calls are made. That wavers with the queue, whatever happened before: see
    /// what it says of a server that was never slow.
    fn recovery_by_answers(&self) -> Option<f64> {
        self.enough(&self.answered)
    }

    fn enough(&self, good: &[u64]) -> Option<f64> {
        let well = |second: usize| good[second] as f64 >= 0.95 * self.first[second] as f64;
        let first = (DIP.end..END - 6).find(|start| (*start..start + 5).all(well))?;
        Some((first - DIP.end) as f64)
    }
}

/// Makes calls to a server of which `left` is left in the dip.
async fn through(caller: Caller, left: f64, load: f64, mut random: Rng) -> Result<Seconds, String> {
    let server = Server::new(left, random.fork());
    match caller {
        None => Ok(drive(Naive(server), load, random).await),
        Some(policy) => {
            let layer = Buttress::new()
                .policy("server", policy)
                .retry("server", Idempotent(Plain))
                .map_err(|error| error.to_string())?;
            Ok(drive(layer.layer(server), load, random).await)
        }
    }
}

/// Makes calls at random times, whatever becomes of them.
async fn drive<S>(service: S, load: f64, mut random: Rng) -> Seconds
where
    S: Service<(), Response = (), Error = Failed, Future: Send> + Clone + Send + 'static,
{
    let start = CLOCK.now();
    let mut seconds = Seconds::new();
    let second = move |at: Nanos| at.since(start).as_secs() as usize;
    let mut calls = JoinSet::new();
    let mut at = 0.0;
    loop {
        at += exponential(&mut random, 1.0 / (load * CAPACITY));
        if at >= END as f64 {
            return seconds;
        }
        until(start, at).await;
        let made = second(CLOCK.now());
        seconds.first[made] += 1;
        let service = service.clone();
        calls.spawn(async move {
            let answered = service.oneshot(()).await.is_ok();
            answered.then(|| (made, second(CLOCK.now())))
        });
        while let Some(ended) = calls.try_join_next() {
            if let Ok(Some((made, answered))) = ended {
                seconds.good[made] += 1;
                seconds.answered[answered] += 1;
            }
        }
    }
}

async fn until(start: Nanos, seconds: f64) {
    sleep(
        start
            .after(Duration::from_secs_f64(seconds))
            .since(CLOCK.now()),
    )
    .await;
}

/// Serves calls in turn. What was given up is served as well.
#[derive(Clone)]
struct Server(Arc<Mutex<Queue>>);

struct Queue {
    born: Nanos,
    /// What is left of its capacity in the dip.
    left: f64,
    /// When all it has taken is done, in seconds.
    free: f64,
    random: Rng,
}

impl Server {
    fn new(left: f64, random: Rng) -> Self {
        Self(Arc::new(Mutex::new(Queue {
            born: CLOCK.now(),
            left,
            free: 0.0,
            random,
        })))
    }
}

impl Queue {
    /// Takes a call; how long until its answer?
    fn take(&mut self) -> Duration {
        let now = CLOCK.now().since(self.born).as_secs_f64();
        let begins = self.free.max(now);
        let dipped = DIP.contains(&(begins as usize));
        let capacity = CAPACITY * if dipped { self.left } else { 1.0 };
        self.free = begins + gamma4(&mut self.random) / capacity;
        Duration::from_secs_f64(self.free - now)
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<(), Failed>> + Send>>;

impl Service<()> for Server {
    type Response = ();
    type Error = Failed;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Answer {
        let takes = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        Box::pin(async move {
            sleep(takes).await;
            Ok(())
        })
    }
}

/// Asks as often as it may, by timeout and backoff alone.
#[derive(Clone)]
struct Naive(Server);

impl Service<()> for Naive {
    type Response = ();
    type Error = Failed;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Answer {
        let mut server = self.0.clone();
        Box::pin(async move {
            for attempt in 0..ATTEMPTS {
                if timeout(TIMEOUT, server.call(())).await.is_ok() {
                    return Ok(());
                }
                let pause = fastrand::f64() * BACKOFF * f64::from(1 << attempt);
                sleep(Duration::from_secs_f64(pause)).await;
            }
            Err(Failed::Broken)
        })
    }
}
