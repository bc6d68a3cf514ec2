//! What all extra sends to one destination come to, whatever has caused them.
#![expect(clippy::unwrap_used, reason = "what a test takes for granted")]

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use buttress::{
    Buttress, Endpoint, HealthPolicy, Idempotent, MirroredTrials, Plain, Policy, Ratio, Redundancy,
    fixed,
};
use buttress_core::RESERVE;
use proptest::prelude::*;
use tokio::{task::JoinSet, time::sleep};
use tower::{BoxError, Service, ServiceExt as _};

/// How ill a replica is, in percent of its calls.
#[derive(Clone, Copy, Debug)]
struct Illness {
    fails: u32,
    hangs: u32,
    slow: u32,
}

#[derive(Clone)]
struct Replica {
    illness: Illness,
    handled: Arc<AtomicU64>,
}

impl Service<u32> for Replica {
    type Response = u32;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<u32, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u32) -> Self::Future {
        self.handled.fetch_add(1, Ordering::Relaxed);
        let Illness { fails, hangs, slow } = self.illness;
        let draw = fastrand::u32(..100);
        Box::pin(async move {
            match draw {
                _ if draw < fails => return Err("broken".into()),
                _ if draw < fails + hangs => sleep(Duration::from_secs(3600)).await,
                _ if draw < fails + hangs + slow => sleep(Duration::from_millis(90)).await,
                _ => sleep(Duration::from_millis(5)).await,
            }
            Ok(request)
        })
    }
}

fn illness() -> impl Strategy<Value = Illness> {
    (0..=40_u32, 0..=30_u32, 0..=30_u32).prop_map(|(fails, hangs, slow)| Illness {
        fails,
        hangs,
        slow,
    })
}

fn modes() -> impl Strategy<Value = (Redundancy, f64)> {
    let share = 0.0..=0.5_f64;
    prop_oneof![
        (2..=5_u32, share.clone()).prop_map(|(n, r)| (Redundancy::failover(n), r)),
        (2..=4_u32, share.clone()).prop_map(|(n, r)| (Redundancy::hedge(n), r.max(0.01))),
        (2..=4_u32, share)
            .prop_map(|(n, r)| (Redundancy::hedge_after(n, Duration::from_millis(20)), r)),
        (2..=3_u32).prop_map(|n| (Redundancy::race(n), f64::from(n) - 1.0)),
        (2..=3_u32).prop_map(|n| (Redundancy::quorum(2, n), f64::from(n) - 1.0)),
    ]
}

/// Sends that were handled by then, and requests made by then, call by call.
async fn run(policy: Policy, illnesses: Vec<Illness>, gap: Duration) -> Vec<(u64, u64)> {
    let handled = Arc::new(AtomicU64::new(0));
    let replicas: Vec<String> = (0..illnesses.len())
        .map(|number| format!("r{number}:1"))
        .collect();
    let buttress = Buttress::new().policy("set", policy);
    let connect = {
        let handled = Arc::clone(&handled);
        move |endpoint: &Endpoint| Replica {
            illness: illnesses[endpoint.address()[1..2].parse::<usize>().unwrap()],
            handled: Arc::clone(&handled),
        }
    };
    let sets = fixed(replicas.iter().map(String::as_str)).unwrap();
    let dispatch = buttress
        .dispatch("set", Idempotent(Plain), sets, connect)
        .unwrap();
    let service: MirroredTrials<_, _> = dispatch.mirrored_trials();
    let (mut calls, mut seen) = (JoinSet::new(), vec![(0, 0)]);
    for request in 1..=200_u64 {
        let service = service.clone();
        calls.spawn(async move { service.oneshot(1).await.is_ok() });
        sleep(gap).await;
        seen.push((handled.load(Ordering::Relaxed), request));
    }
    sleep(Duration::from_secs(5)).await;
    seen.push((handled.load(Ordering::Relaxed), 200));
    seen
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn no_window_sees_more_sends_than_its_requests_and_their_share_and_the_reserve(
        (redundancy, share) in modes(),
        illnesses in prop::collection::vec(illness(), 2..6),
        gap in 1..=20_u64,
        opens in any::<bool>(),
        seed: u64,
    ) {
        fastrand::seed(seed);
        let mut policy = Policy::new()
            .deadline(Duration::from_millis(400))
            .attempt_timeout(Duration::from_millis(100))
            .redundancy(redundancy)
            .extra_load(Ratio::new(share));
        if !opens {
            policy = policy.health(HealthPolicy::consecutive(1_000_000));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let seen = runtime.block_on(run(policy, illnesses, Duration::from_millis(gap)));
        let extra = |(sends, requests): (u64, u64)| sends as f64 - requests as f64 * (1.0 + share);
        // The most that any window adds: a rise from the lowest point before it.
        let mut lowest = f64::INFINITY;
        for at in seen {
            lowest = lowest.min(extra(at));
            prop_assert!(extra(at) - lowest <= RESERVE as f64 + 1e-6, "{} above", extra(at) - lowest);
        }
    }
}
