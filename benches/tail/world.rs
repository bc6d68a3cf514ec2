//! Replicas, and what befalls them.

use std::{
    fmt,
    future::pending,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use buttress::{CLOCK, Nanos, Refusal};
use tokio::{sync::Semaphore, time::sleep};
use tower::Service;

use crate::plan::{draws, exponential, lognormal};

/// What replicas are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any number of calls at once; lognormal, median 5 ms, sigma 0.35.
    Wide,
    /// One call after another; exponential, mean 10 ms. Whoever is given up is served all the same.
    Queue,
    /// One call after another; lognormal with 1 % of them twenty times as long, mean 100 ms in all. Whoever is given up
    /// leaves the queue.
    Stalling,
}

/// What befalls them from the onset on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// One answer in 200 of every replica takes 200 to 1000 ms.
    Stalls,
    /// The first takes ten times as long.
    Slow,
    /// The first never answers.
    Hung,
    /// So many fail within 0.2 ms.
    FailsFast(usize),
    /// The first is gone: what it had is lost, and nothing gets there.
    Killed,
}

/// The replicas of one run.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) kind: Kind,
    pub(crate) fault: Fault,
    pub(crate) seed: u64,
    pub(crate) onset: Nanos,
    /// The first call that counts.
    pub(crate) counted: u64,
    /// Sends of calls that count, and those of them that came to one that fails.
    pub(crate) sends: AtomicU64,
    pub(crate) failed: AtomicU64,
    servers: Box<[Server]>,
}

#[derive(Debug)]
struct Server {
    free: Mutex<Nanos>,
    one: Arc<Semaphore>,
}

impl World {
    pub(crate) fn new(
        kind: Kind,
        fault: Fault,
        replicas: usize,
        seed: u64,
        onset: Nanos,
        counted: u64,
    ) -> Arc<Self> {
        let server = || Server {
            free: Mutex::new(Nanos::ZERO),
            one: Arc::new(Semaphore::new(1)),
        };
        Arc::new(Self {
            kind,
            fault,
            seed,
            onset,
            counted,
            sends: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            servers: (0..replicas).map(|_| server()).collect(),
        })
    }

    pub(crate) fn replicas(self: &Arc<Self>) -> impl Iterator<Item = Replica> {
        (0..self.servers.len()).map(|number| self.replica(number))
    }

    pub(crate) fn replica(self: &Arc<Self>, number: usize) -> Replica {
        Replica {
            world: Arc::clone(self),
            number,
        }
    }

    fn is_ill(&self, number: usize, now: Nanos) -> bool {
        let first_ones = match self.fault {
            Fault::None | Fault::Stalls => 0,
            Fault::Slow | Fault::Hung | Fault::Killed => 1,
            Fault::FailsFast(many) => many,
        };
        now >= self.onset && number < first_ones
    }

    async fn answers(self: Arc<Self>, number: usize, call: u64) -> Result<(), Failed> {
        let now = CLOCK.now();
        let ill = self.is_ill(number, now);
        if call >= self.counted {
            self.sends.fetch_add(1, Ordering::Relaxed);
            let fails = matches!(self.fault, Fault::FailsFast(_));
            self.failed
                .fetch_add(u64::from(ill && fails), Ordering::Relaxed);
        }
        match self.fault {
            Fault::Hung if ill => return pending().await,
            Fault::FailsFast(_) if ill => {
                sleep(Duration::from_micros(200)).await;
                return Err(Failed::Broken);
            }
            Fault::Killed if ill => {
                sleep(Duration::from_micros(300)).await;
                return Err(Failed::Gone);
            }
            _ => {}
        }
        let mut random = draws(self.seed, call, number as u64);
        let server = &self.servers[number];
        match self.kind {
            Kind::Wide => {
                let mut took = lognormal(&mut random, 5.0, 0.35);
                if self.fault == Fault::Stalls && now >= self.onset && random.f64() < 0.005 {
                    took = 200.0 + 800.0 * random.f64();
                }
                if self.fault == Fault::Slow && ill {
                    took *= 10.0;
                }
                let done = now.after(millis(took));
                if self.fault == Fault::Killed && number == 0 && done > self.onset {
                    sleep(self.onset.since(now)).await;
                    return Err(Failed::Gone);
                }
                sleep(millis(took)).await;
            }
            Kind::Queue => {
                let took = millis(exponential(&mut random, 10.0));
                let done = {
                    let mut free = server.free.lock().unwrap_or_else(PoisonError::into_inner);
                    *free = (*free).max(now).after(took);
                    *free
                };
                sleep(done.since(now)).await;
            }
            Kind::Stalling => {
                let one = Arc::clone(&server.one).acquire_owned().await;
                // The mean of a lognormal is e^(σ²/2) medians; with 1 % twenty times as long, 1.19 of that.
                let mut took = lognormal(&mut random, 100.0 / (1.19 * 1.063), 0.35);
                if random.f64() < 0.01 {
                    took *= 20.0;
                }
                sleep(millis(took)).await;
                drop(one);
            }
        }
        Ok(())
    }
}

fn millis(millis: f64) -> Duration {
    Duration::from_secs_f64(millis / 1_000.0)
}

/// The way to one replica.
#[derive(Clone, Debug)]
pub(crate) struct Replica {
    world: Arc<World>,
    number: usize,
}

impl Service<u64> for Replica {
    type Response = ();
    type Error = Failed;
    type Future = Pin<Box<dyn Future<Output = Result<(), Failed>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: u64) -> Self::Future {
        Box::pin(Arc::clone(&self.world).answers(self.number, call))
    }
}

/// A call that failed: the replica said so, was gone, or a layer refused.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failed {
    Broken,
    Gone,
    Refused(Refusal),
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken => f.write_str("broken"),
            Self::Gone => f.write_str("connection reset"),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

impl std::error::Error for Failed {}
