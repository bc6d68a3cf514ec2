//! Who calls the replicas, and how.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use buttress::{Buttress, Endpoint, Idempotent, Nanos, Plain, Policy, fixed};
use fastrand::Rng;
use tower::{
    BoxError, ServiceExt as _,
    balance::p2c::Balance,
    buffer::Buffer,
    discover::ServiceList,
    load::{CompleteOnResponse, PeakEwma},
    service_fn,
    util::BoxCloneService,
};

use crate::world::World;

/// What is called.
pub(crate) type Calls = BoxCloneService<u64, (), BoxError>;

/// A client, and what it knows of the first replica.
pub(crate) struct Client {
    pub(crate) calls: Calls,
    watched: Option<(Buttress, Arc<str>)>,
}

/// What a client is made with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Maker {
    Ours(fn() -> Policy),
    /// One after another.
    RoundRobin,
    /// Two at random, by peak latency and calls under way, behind a buffer so that it can be shared: tower's.
    PeakEwma,
}

/// What tower's balancer assumes of a replica it has not called, in its favour what they really take at median.
const RTT: Duration = Duration::from_millis(5);

/// How long it remembers, in nanoseconds; Finagle's 10 s.
const DECAY: f64 = 10e9;

impl Maker {
    pub(crate) fn make(self, world: &Arc<World>, seed: u64) -> Result<Client, String> {
        let alone = |calls| Client {
            calls,
            watched: None,
        };
        match self {
            Self::Ours(policy) => ours(policy(), world),
            Self::RoundRobin => {
                let replicas: Arc<[_]> = world.replicas().collect();
                let next = Arc::new(AtomicUsize::new(0));
                let calls = service_fn(move |call| {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    replicas[turn % replicas.len()].clone().oneshot(call)
                });
                Ok(alone(calls.map_err(BoxError::from).boxed_clone()))
            }
            Self::PeakEwma => {
                let loads = world.replicas().map(|replica| {
                    PeakEwma::new(replica, RTT, DECAY, CompleteOnResponse::default())
                });
                let loads: Vec<_> = loads.collect();
                let random = Draws(Rng::with_seed(seed));
                let balance = Balance::from_rng(ServiceList::new(loads), random);
                Ok(alone(Buffer::new(balance, 10_000).boxed_clone()))
            }
        }
    }
}

fn ours(policy: Policy, world: &Arc<World>) -> Result<Client, String> {
    let names: Vec<String> = (0..world.replicas().count())
        .map(|number| format!("replica-{number}"))
        .collect();
    let buttress = Buttress::new().policy("tail", policy);
    let world = Arc::clone(world);
    let number = |endpoint: &Endpoint| {
        endpoint
            .address()
            .rsplit('-')
            .next()
            .and_then(|number| number.parse().ok())
    };
    let first = names.first().map(|name| Arc::from(name.as_str()));
    let calls = buttress
        .dispatch(
            "tail",
            Idempotent(Plain),
            fixed(names).map_err(|error| error.to_string())?,
            move |endpoint| world.replica(number(endpoint).unwrap_or_default()),
        )
        .map_err(|error| error.to_string())?;
    Ok(Client {
        calls: calls.map_err(BoxError::from).boxed_clone(),
        watched: first.map(|first| (buttress, first)),
    })
}

impl Client {
    /// How long after `onset` the first replica was found ill, if ever, and how many outages were seen of the others.
    pub(crate) fn detected(&self, onset: Nanos, now: Nanos) -> Option<(Option<Duration>, usize)> {
        let (buttress, first) = self.watched.as_ref()?;
        let shots = buttress.registry().snapshot(now);
        let is_first = |endpoint: &Option<Arc<str>>| endpoint.as_ref() == Some(first);
        let of_first = shots.iter().filter(|shot| is_first(&shot.endpoint));
        let found = of_first
            .flat_map(|shot| &shot.episodes)
            .find(|episode| episode.detected >= onset);
        let others = shots
            .iter()
            .filter(|shot| !is_first(&shot.endpoint))
            .map(|shot| shot.episodes.len())
            .sum();
        Some((found.map(|episode| episode.detected.since(onset)), others))
    }
}

/// tower's balancer draws from this.
struct Draws(Rng);

impl tower::util::rng::Rng for Draws {
    fn next_u64(&mut self) -> u64 {
        self.0.u64(..)
    }
}
