//! Fewer calls to whoever turns calls down, on paused time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use buttress::{
    BreakerState, Buttress, CLOCK, Describe, Endpoint, GuardLayer, Health, Limiter, Outcome,
    Policy, Protocol, Ratio, Receipt, Redundancy, Refusal, Resend, ThrottlePolicy, Vitals, fixed,
};
use tower::{BoxError, Layer as _, Service, ServiceExt as _, service_fn};

/// `Err` turns the call down, perhaps for so many seconds.
#[derive(Clone, Copy, Debug)]
struct TurnsDown(Option<u64>);

impl<Res> Protocol<Res, BoxError> for TurnsDown {
    type Response = Res;
    type Error = BoxError;

    fn classify(&self, result: Result<&Res, &BoxError>) -> Outcome {
        match result {
            Ok(_) => Outcome::Success,
            Err(_) => Outcome::Overload(self.0.map(Duration::from_secs)),
        }
    }

    fn respond(&self, response: Res, _: Receipt) -> Res {
        response
    }

    fn fail(&self, error: BoxError) -> BoxError {
        error
    }

    fn refuse(&self, refusal: Refusal) -> Result<Res, BoxError> {
        Err(refusal.into())
    }
}

impl<Req> Describe<Req> for TurnsDown {}

impl<Req: Clone> Resend<Req> for TurnsDown {
    fn idempotent(&self, _: &Req) -> bool {
        true
    }

    fn copy(&self, request: &mut Req) -> Option<Req> {
        Some(request.clone())
    }
}

/// Takes so many of each hundred calls, and turns the others down.
fn takes(
    percent: &Arc<AtomicU64>,
) -> impl Service<u64, Response = u64, Error = BoxError, Future: Send> + Clone + Send + Sync + use<>
{
    let (percent, calls) = (Arc::clone(percent), Arc::new(AtomicU64::new(0)));
    service_fn(move |id| {
        // 37 and 100 have no divisor in common: spread over the hundred.
        let draw = calls.fetch_add(37, Ordering::Relaxed) % 100;
        let taken = draw < percent.load(Ordering::Relaxed);
        async move { if taken { Ok(id) } else { Err("busy".into()) } }
    })
}

/// A hundred calls a second for so long. Gives how many were sent, and how many were refused by the throttle.
async fn call<S>(service: &S, seconds: u64) -> (u64, u64)
where
    S: Service<u64, Response = u64, Error = BoxError> + Clone,
{
    let mut throttled = 0;
    for id in 0..100 * seconds {
        tokio::time::advance(Duration::from_millis(10)).await;
        if let Err(error) = service.clone().oneshot(id).await
            && let Some(refusal) = error.downcast_ref::<Refusal>()
        {
            let by = Limiter::Throttle;
            assert!(matches!(refusal, Refusal::Overloaded { by: said, .. } if *said == by));
            throttled += 1;
        }
    }
    (100 * seconds - throttled, throttled)
}

fn throttled(vitals: &Vitals) -> f64 {
    vitals.snapshot(CLOCK.now()).throttled
}

#[tokio::test(start_paused = true)]
async fn overload_throttles_and_does_not_eject() {
    let percent = Arc::new(AtomicU64::new(0));
    let layer = GuardLayer::new("db", TurnsDown(None));
    let service = layer.layer(takes(&percent));
    call(&service, 300).await;
    let (sent, refused) = call(&service, 60).await;
    // The cap, and one a second that is sent in any case.
    assert!(
        (600..=720).contains(&sent),
        "{sent} sent, {refused} refused"
    );
    let shot = layer.handle().snapshot();
    assert_eq!(
        (shot.health, shot.state),
        (Health::Healthy, BreakerState::Closed)
    );
    assert!(shot.counts.throttled >= refused && shot.counts.rejected == 0);
    assert!((shot.throttled - 0.9).abs() < 0.01);
}

#[tokio::test(start_paused = true)]
async fn calls_flow_again_seconds_after_the_last_one_was_turned_down() {
    let percent = Arc::new(AtomicU64::new(0));
    let layer = GuardLayer::new("db", TurnsDown(None));
    let service = layer.layer(takes(&percent));
    call(&service, 300).await;
    percent.store(100, Ordering::Relaxed);
    call(&service, 10).await;
    assert_eq!(call(&service, 10).await, (1_000, 0));
    assert!(throttled(layer.handle().vitals()) < f64::EPSILON);
}

#[tokio::test(start_paused = true)]
async fn a_minority_turned_down_is_left_to_the_callers() {
    let percent = Arc::new(AtomicU64::new(60));
    let layer = GuardLayer::new("db", TurnsDown(None));
    let service = layer.layer(takes(&percent));
    assert_eq!(call(&service, 120).await, (12_000, 0));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_how_long_the_service_wants_to_be_left_alone() {
    let percent = Arc::new(AtomicU64::new(0));
    let layer = GuardLayer::new("db", TurnsDown(Some(5)));
    let service = layer.layer(takes(&percent));
    call(&service, 60).await;
    let refused = loop {
        let error = service.clone().oneshot(1).await.unwrap_err();
        if let Some(refusal) = error.downcast_ref::<Refusal>() {
            break *refusal;
        }
    };
    let after = refused.retry_after().unwrap();
    assert!(after <= Duration::from_secs(5) && after > Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn switched_off_every_call_is_sent() {
    let percent = Arc::new(AtomicU64::new(0));
    for throttle in [
        ThrottlePolicy::OFF,
        ThrottlePolicy::new().at_most(Ratio::new(0.0)),
    ] {
        let policy = Policy::new().throttle(throttle);
        let layer = GuardLayer::with_policy("db", TurnsDown(None), &policy).unwrap();
        assert_eq!(call(&layer.layer(takes(&percent)), 60).await.1, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_dispatch_asks_the_endpoint_that_is_not_throttled_and_refuses_when_all_are() {
    let (busy, free) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(100)));
    let services = [takes(&busy), takes(&free)];
    let root = Buttress::new().policy("set", Policy::new().redundancy(Redundancy::failover(2)));
    let connect = move |endpoint: &Endpoint| match endpoint.address() {
        "busy" => services[0].clone(),
        _ => services[1].clone(),
    };
    let sets = fixed(["busy", "free"]).unwrap();
    let service = root
        .dispatch("set", TurnsDown(None), sets, connect)
        .unwrap();
    call(&service, 120).await;
    assert_eq!(call(&service, 60).await.1, 0);
    let sent = |name: &str| {
        let shots = root.registry().snapshot(CLOCK.now());
        let of = |shot: &&buttress::Snapshot| shot.endpoint.as_deref() == Some(name);
        shots.iter().find(of).unwrap().counts.started
    };
    assert!(
        sent("busy") * 3 < sent("free"),
        "{} to {}",
        sent("busy"),
        sent("free")
    );
    free.store(0, Ordering::Relaxed);
    call(&service, 120).await;
    let (sent, refused) = call(&service, 60).await;
    assert!(refused > sent, "{refused} refused, {sent} sent");
}
