//! Calls that begin when they are meant to, whatever has become of those before.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use buttress::{CLOCK, Nanos};
use fastrand::Rng;
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;

use crate::{
    clients::Maker,
    plan::{Plan, exponential},
    policy::DEADLINE,
    world::{Fault, Kind, World},
};

/// One case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) kind: Kind,
    pub(crate) fault: Fault,
    pub(crate) replicas: usize,
    /// Calls a second.
    pub(crate) rate: f64,
    pub(crate) client: Maker,
}

/// What became of the calls from the onset on.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// In milliseconds, sorted; a call that failed took the deadline.
    times: Vec<f64>,
    answered: usize,
    /// Sends beyond one a call, as a share of calls.
    pub(crate) extra: f64,
    /// Sends that came to a replica that fails, as a share of calls.
    pub(crate) to_failing: f64,
    /// Until the first replica was found ill.
    pub(crate) detected: Option<Duration>,
    /// Outages seen of replicas that had none.
    pub(crate) false_alarms: usize,
}

/// The fault begins after a fifth of the calls.
const HEALTHY: f64 = 0.2;

/// What arrivals are drawn for, apart from all replicas.
const ARRIVALS: u64 = u64::MAX;

impl Case {
    pub(crate) fn run(&self, plan: &Plan, run: u32) -> Result<Seen, String> {
        let seed = plan.seed(run);
        plan.on_its_clock(seed, self.calls(seed, plan.calls))?
    }

    async fn calls(&self, seed: u64, calls: u32) -> Result<Seen, String> {
        let mut random = crate::plan::draws(seed, ARRIVALS, ARRIVALS);
        let start = CLOCK.now();
        let arrivals = self.arrivals(start, calls, &mut random);
        let counted = (f64::from(calls) * HEALTHY) as usize;
        let onset = arrivals.get(counted).copied().unwrap_or(start);
        let world = World::new(
            self.kind,
            self.fault,
            self.replicas,
            seed,
            onset,
            counted as u64,
        );
        let client = self.client.make(&world, seed)?;
        let done: Arc<Mutex<Vec<Option<f64>>>> = Arc::new(Mutex::new(vec![None; arrivals.len()]));
        let mut running = tokio::task::JoinSet::new();
        for (number, arrival) in arrivals.into_iter().enumerate() {
            // Timers are late by a millisecond or two: whoever is due by then goes at once.
            let early = arrival.since(CLOCK.now());
            if !early.is_zero() {
                sleep(early).await;
            }
            while running.try_join_next().is_some() {}
            let (service, done) = (client.calls.clone(), Arc::clone(&done));
            running.spawn(async move {
                // All clients have the caller that goes away; ours knows of it.
                let answer = timeout(DEADLINE, service.oneshot(number as u64)).await;
                let took = CLOCK.now().since(arrival).as_secs_f64() * 1_000.0;
                if let Ok(Ok(())) = answer {
                    done.lock().unwrap_or_else(PoisonError::into_inner)[number] = Some(took);
                }
            });
        }
        while running.join_next().await.is_some() {}
        let found = client.detected(onset, CLOCK.now());
        let done = done.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = &done[counted..];
        let failed = DEADLINE.as_secs_f64() * 1_000.0;
        let mut times: Vec<f64> = kept
            .iter()
            .map(|took| took.unwrap_or(failed).min(failed))
            .collect();
        times.sort_by(f64::total_cmp);
        let count = kept.len().max(1) as f64;
        let share =
            |sends: &std::sync::atomic::AtomicU64| sends.load(Ordering::Relaxed) as f64 / count;
        Ok(Seen {
            answered: kept.iter().flatten().count(),
            times,
            extra: share(&world.sends) - 1.0,
            to_failing: share(&world.failed),
            detected: found.and_then(|(first, _)| first),
            false_alarms: found.map_or(0, |(_, others)| others),
        })
    }

    fn arrivals(&self, start: Nanos, calls: u32, random: &mut Rng) -> Vec<Nanos> {
        let mut at = 0.0;
        (0..calls)
            .map(|_| {
                at += exponential(random, 1.0 / self.rate);
                start.after(Duration::from_secs_f64(at))
            })
            .collect()
    }
}

impl Seen {
    pub(crate) fn calls(&self) -> usize {
        self.times.len()
    }

    pub(crate) fn success(&self) -> f64 {
        self.answered as f64 / self.times.len().max(1) as f64
    }

    /// What this share of calls does not exceed.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let place = (share * self.times.len() as f64) as usize;
        self.times
            .get(place)
            .or(self.times.last())
            .copied()
            .unwrap_or(f64::NAN)
    }
}
