//! What is known of an outage when it is over.
#![expect(clippy::unwrap_used, reason = "what a test takes for granted")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use buttress::{
    BreakerPolicy, BreakerState, CLOCK, Cause, Episode, FaultKind, GuardLayer, Handle, Plain,
    Policy, Refusal,
};
use tower::{BoxError, Layer as _, Service, ServiceExt as _, service_fn};

/// Calls a service once every millisecond, for so long.
async fn calls<S>(service: &S, span: Duration)
where
    S: Service<u64, Response = u64, Error = BoxError> + Clone,
{
    let until = CLOCK.now().after(span);
    while CLOCK.now() < until {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let _ = service.clone().oneshot(1).await;
    }
}

struct World {
    handle: Handle,
    ill: Arc<AtomicBool>,
}

impl World {
    fn new() -> (
        Self,
        impl Service<u64, Response = u64, Error = BoxError> + Clone,
    ) {
        let policy = Policy::new().breaker(
            BreakerPolicy::new()
                .open_for(Duration::from_secs(1))
                .up_to(Duration::from_secs(2)),
        );
        let layer = GuardLayer::with_policy("db", Plain, &policy).unwrap();
        let ill = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ill);
        let service = layer.layer(service_fn(move |id| {
            let ill = told.load(Ordering::SeqCst);
            async move {
                if ill {
                    Err(BoxError::from("broken"))
                } else {
                    Ok(id)
                }
            }
        }));
        let handle = layer.handle();
        (Self { handle, ill }, service)
    }

    fn turns(&self, ill: bool) {
        self.ill.store(ill, Ordering::SeqCst);
    }

    fn last(&self) -> Episode {
        self.handle.snapshot().episodes.pop().unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_keeps_when_it_was_what_it_cost_and_what_recovery_did() {
    fastrand::seed(7);
    let (db, service) = World::new();
    calls(&service, Duration::from_millis(500)).await;
    let broke = CLOCK.now();
    db.turns(true);
    calls(&service, Duration::from_secs(4)).await;
    let lasting = db.last();
    assert_eq!((lasting.repaired, lasting.restored), (None, None));
    assert!(lasting.recovery.reopened >= 1, "{lasting:?}");
    // Two bad probes send it back.
    let twice = lasting.recovery.reopened * 2;
    assert!(
        (twice..=twice + 1).contains(&lasting.recovery.probes),
        "{lasting:?}"
    );
    assert!(
        lasting.to_string().starts_with("db is down, from "),
        "{lasting}"
    );

    let mended = CLOCK.now();
    db.turns(false);
    while db.handle.state() != BreakerState::Closed {
        calls(&service, Duration::from_millis(10)).await;
    }
    let counts = db.handle.snapshot().counts;
    let over = db.last();
    assert!(
        over.broke.since(broke) <= Duration::from_millis(2),
        "{over:?}"
    );
    assert!(over.detected > over.broke && over.detected < mended);
    let (repaired, restored) = (over.repaired.unwrap(), over.restored.unwrap());
    assert!(mended < repaired && repaired < restored && restored <= CLOCK.now());
    assert_eq!(over.causes, counts.failures, "no call was lost but to this");
    assert!(over.causes.of(Cause::Error) >= 3);
    // Seven good probes or so after the bad ones, and a wait before each round of them.
    let did = over.recovery;
    assert_eq!(did.reopened, lasting.recovery.reopened);
    let good = did.probes - lasting.recovery.probes;
    assert!((5..10).contains(&good), "{did:?}");
    let longest = Duration::from_secs(3) * (did.reopened + 1);
    assert!(
        did.waited > Duration::from_secs(1) && did.waited < longest,
        "{did:?}"
    );
    assert!(did.waited <= repaired.since(over.detected));
    assert_eq!(over.verdict.as_ref().unwrap().kind, FaultKind::Errors);

    assert_eq!(over.relapsed, None);
    assert!(over.to_string().ends_with("no relapse so far"), "{over}");
    tokio::time::advance(over.lasted(restored) * 10).await;
    assert_eq!(db.last().relapsed, Some(false));
    let text = db.last().to_string();
    let errors = over.causes.total();
    assert!(
        text.contains(&format!(
            "; {errors} calls lost ({errors} errors); endpoint db: "
        )),
        "{text}"
    );
    assert!(text.ends_with("of waits; no relapse"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_recovery_that_does_not_hold_is_told_so() {
    let (db, service) = World::new();
    for _ in 0..2 {
        db.turns(true);
        calls(&service, Duration::from_millis(100)).await;
        assert_eq!(db.handle.state(), BreakerState::Open);
        db.turns(false);
        while db.handle.state() != BreakerState::Closed {
            calls(&service, Duration::from_millis(10)).await;
        }
    }
    let episodes = db.handle.snapshot().episodes;
    let relapsed: Vec<_> = episodes.iter().map(|one| one.relapsed).collect();
    assert_eq!(relapsed, [Some(true), None]);
    assert!(episodes[0].to_string().ends_with("; relapsed"));
}

#[tokio::test(start_paused = true)]
async fn a_hundred_outages_leave_the_last_thirty_two_and_sums_of_all() {
    let handle = GuardLayer::new("db", Plain).handle();
    for _ in 0..100 {
        tokio::time::advance(Duration::from_secs(3600)).await;
        loop {
            match handle.admit() {
                Ok(attempt) => _ = attempt.finish(buttress::Outcome::Failure(Cause::Reset)),
                Err(Refusal::Open { .. }) => break,
                Err(other) => unreachable!("{other}"),
            }
        }
        handle.reset();
    }
    tokio::time::advance(Duration::from_secs(3600)).await;
    let shot = handle.snapshot();
    assert_eq!(
        (shot.episodes.len(), shot.reliability.unwrap().failures),
        (32, 100)
    );
    let longest = shot.episodes.iter().map(|one| one.to_string().len()).max();
    assert!(longest < Some(400), "{longest:?}");
    assert!(shot.trend.is_some_and(|trend| trend.laplace.abs() < 1.96));
}
