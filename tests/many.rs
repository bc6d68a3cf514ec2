//! What endpoints of a large set weigh, and what is made for their calls.

use std::{
    future::{Future, Ready, ready},
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll, Waker},
};

use buttress::{Buttress, Dispatch, Endpoint, Idempotent, Plain, Policy, fixed};
use tower::{BoxError, Service};

const COUNT: usize = 10_000;

static FAILS: AtomicBool = AtomicBool::new(false);

#[derive(Clone, Copy)]
struct AtOnce;

impl Service<()> for AtOnce {
    type Response = ();
    type Error = BoxError;
    type Future = Ready<Result<(), BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        ready(if FAILS.load(Ordering::Relaxed) {
            Err("failed".into())
        } else {
            Ok(())
        })
    }
}

type Calls = Dispatch<AtOnce, Idempotent<Plain>>;

fn calls(calls: &mut Calls, times: usize) {
    let cx = &mut Context::from_waker(Waker::noop());
    for _ in 0..times {
        assert!(calls.poll_ready(cx).is_ready());
        assert!(pin!(calls.call(())).poll(cx).is_ready());
    }
}

/// Bytes that each endpoint keeps of what `make` makes.
fn each(make: impl FnOnce()) -> i64 {
    allocation_counter::measure(make).bytes_current / COUNT as i64
}

#[test]
fn an_endpoint_of_many_takes_a_kibibyte_before_it_fails_and_six_after() {
    let endpoints =
        (0..COUNT).map(|number| Endpoint::new(format!("10.0.{}.{}:80", number >> 8, number & 255)));
    let endpoints: Vec<Endpoint> = endpoints.collect::<Result<_, _>>().unwrap();
    let mut set = None;
    let before = each(|| {
        let buttress = Buttress::new().policy("many", Policy::new());
        let made = buttress.dispatch("many", Idempotent(Plain), fixed(endpoints).unwrap(), |_| {
            AtOnce
        });
        set = made.ok();
        calls(set.as_mut().unwrap(), 1);
    });
    assert!(before <= 1_024, "{before}");

    let mut set = set.unwrap();
    let counted = allocation_counter::measure(|| calls(&mut set, 20 * COUNT));
    assert_eq!(counted.count_total, 0, "a healthy call needs nothing else");

    let after = each(|| {
        for share in 0..20 {
            FAILS.store(share % 10 == 3, Ordering::Relaxed);
            calls(&mut set, COUNT);
        }
    });
    assert!(before + after <= 6 * 1_024, "{before} + {after}");
    assert!(after > 0, "whoever fails is remembered");
}
