//! What is measured, and where.

use std::{
    hint::black_box,
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use buttress::{
    BreakerLayer, BreakerPolicy, BreakerState, Buttress, CLOCK, Cause, Fault, Foreign, Guard,
    GuardLayer, HealthLayer, Idempotent, Key, LimitPolicy, Outcome, Policy, Redundancy, StatsLayer,
    fixed,
};
use tower::{Layer as _, Service};

use crate::services::{Bare, Draws, Failed, Naive};

/// Where calls are made. Only timers can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On no runtime: no call waits.
    Here,
    /// On a worker of a multi-thread runtime with another timer under way, as a server has.
    Workers,
    /// The same on a current-thread runtime.
    Current,
    /// On a worker of a runtime with no other timer: each that is set is the earliest, which wakes the driver.
    Idle,
}

pub(crate) const PLACES: [Place; 4] = [Place::Here, Place::Workers, Place::Current, Place::Idle];

/// Something to call, and the same bare.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) calls: Calls,
    pub(crate) bare: Calls,
}

/// Makes so many calls.
pub(crate) type Calls = Box<dyn FnMut(&mut Context<'_>, u64) -> Ends + Send>;

/// How calls ended: what was measured is only worth something if it is what was meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    pub(crate) refused: u64,
    pub(crate) unanswered: u64,
}

/// How an error counts.
pub(crate) trait Sort {
    fn sort(&self, ends: &mut Ends);
}

impl Sort for Failed {
    fn sort(&self, ends: &mut Ends) {
        ends.failed += 1;
    }
}

impl<E: Sort> Sort for Fault<E> {
    fn sort(&self, ends: &mut Ends) {
        match self {
            Self::Inner(error) => error.sort(ends),
            _ => ends.refused += 1,
        }
    }
}

/// The one policy: the default, and the facts that whoever calls waits for a second at most, and that a thousand may call
/// at once.
pub(crate) fn policy() -> Policy {
    Policy::new()
        .deadline(Duration::from_secs(1))
        .limit(LimitPolicy::concurrency(1_000))
}

/// The same with replicas, for dispatch.
pub(crate) fn over_replicas() -> Policy {
    policy().redundancy(Redundancy::failover(3))
}

/// The same with a breaker that stays open as long as this runs.
pub(crate) fn staying_open() -> Policy {
    let longest = Duration::from_secs(3600);
    policy().breaker(BreakerPolicy::new().open_for(longest).up_to(longest))
}

pub(crate) fn guard() -> Result<GuardLayer<Foreign>, String> {
    GuardLayer::with_policy("bench", Foreign, &policy()).map_err(|error| error.to_string())
}

/// All that is measured at a place.
pub(crate) fn at(place: Place, seed: u64) -> Result<Vec<Case>, String> {
    let draws = Draws::new(seed);
    let pending = u8::from(place != Place::Here);
    let bare = Bare { draws, pending };
    let guarded = guard()?.layer(bare);
    Ok(match place {
        Place::Workers => vec![
            case("bare_pending", bare, bare),
            case("guard_pending", guarded, bare),
        ],
        Place::Current => vec![
            case("bare_pending_current", bare, bare),
            case("guard_pending_current", guarded, bare),
        ],
        Place::Idle => vec![
            case("bare_pending_idle", bare, bare),
            case("guard_pending_idle", guarded, bare),
        ],
        Place::Here => vec![
            case("bare", bare, bare),
            case(
                "health",
                HealthLayer::new("bench", Foreign).layer(bare),
                bare,
            ),
            case(
                "breaker",
                BreakerLayer::new("bench", Foreign).layer(bare),
                bare,
            ),
            case("stats", StatsLayer::new("bench", Foreign).layer(bare), bare),
            case("guard", guarded.clone(), bare),
            case("guard_keyed", guard()?.by(host).layer(bare), bare),
            case("refusal", refusing(bare)?, bare),
            case("dispatch_3", dispatch(3, bare)?, bare),
            case("dispatch_100", dispatch(100, bare)?, bare),
            case("control.stacked", guard()?.layer(guarded), bare),
            case("control.naive", Naive::new(bare), bare),
        ],
    })
}

/// The key of every request.
const fn host(_: &u64) -> Key<'_> {
    Key::caseless("orders.example.com:443")
}

/// One clock read per call.
pub(crate) fn clock() -> Case {
    let read = |_: &mut Context<'_>, calls| {
        for _ in 0..calls {
            let _ = black_box(CLOCK.now());
        }
        Ends {
            answered: calls,
            ..Ends::default()
        }
    };
    Case {
        name: "clock",
        calls: Box::new(read),
        bare: Box::new(read),
    }
}

/// One call, driven by hand to its end, for at most two polls.
pub(crate) fn call<S>(service: &mut S, cx: &mut Context<'_>, ends: &mut Ends)
where
    S: Service<u64, Error: Sort>,
{
    let _ = black_box(service.poll_ready(cx).is_ready());
    let mut future = pin!(service.call(black_box(1)));
    let mut answer = future.as_mut().poll(cx);
    if answer.is_pending() {
        answer = future.as_mut().poll(cx);
    }
    match black_box(answer) {
        Poll::Ready(Ok(_)) => ends.answered += 1,
        Poll::Ready(Err(error)) => error.sort(ends),
        Poll::Pending => ends.unanswered += 1,
    }
}

fn case<S, B>(name: &'static str, service: S, bare: B) -> Case
where
    S: Service<u64, Error: Sort> + Send + 'static,
    B: Service<u64, Error: Sort> + Send + 'static,
{
    Case {
        name,
        calls: many(service),
        bare: many(bare),
    }
}

fn many<S>(mut service: S) -> Calls
where
    S: Service<u64, Error: Sort> + Send + 'static,
{
    Box::new(move |cx, calls| {
        let mut ends = Ends::default();
        for _ in 0..calls {
            call(&mut service, cx, &mut ends);
        }
        ends
    })
}

/// A guard that learned in its warm-up that nobody answers.
fn refusing(bare: Bare) -> Result<Guard<Bare, Foreign>, String> {
    let layer = BreakerLayer::with_policy("bench", Foreign, &staying_open());
    let layer = layer.map_err(|error| error.to_string())?;
    let handle = layer.handle();
    for _ in 0..10_000 {
        if handle.state() == BreakerState::Open {
            return Ok(layer.layer(bare));
        }
        if let Ok(attempt) = handle.admit() {
            attempt.finish(Outcome::Failure(Cause::Error));
        }
    }
    Err("refusal: ten thousand failures did not open the breaker".to_owned())
}

fn dispatch(
    replicas: u16,
    bare: Bare,
) -> Result<buttress::Dispatch<Bare, Idempotent<Foreign>>, String> {
    let addresses = (1..=replicas).map(|port| format!("10.0.0.1:{port}"));
    let addresses = fixed(addresses).map_err(|error| error.to_string())?;
    Buttress::new()
        .policy("bench", over_replicas())
        .dispatch("bench", Idempotent(Foreign), addresses, move |_| bare)
        .map_err(|error| error.to_string())
}
