//! What a call costs over sets of any size, what an endpoint weighs before its first call and after some, and what a large set
//! costs to make.

use std::{
    future::{Ready, ready},
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};

use buttress::{Buttress, CLOCK, Dispatch, Endpoint, Idempotent, Plain, fixed};
use tower::Service;

use crate::{
    plan::Plan,
    policy,
    report::{Report, Runs},
    support::Median,
    world::Failed,
};

const SIZES: [usize; 3] = [3, 100, 10_000];

/// Calls in a batch.
const BATCH: u32 = 20_000;

const ROUNDS: usize = 21;

/// Endpoints of the set that is made in one piece.
const LARGE: usize = 100_000;

/// Answers at once.
#[derive(Clone, Copy, Debug)]
struct AtOnce;

impl Service<u64> for AtOnce {
    type Response = u64;
    type Error = Failed;
    type Future = Ready<Result<u64, Failed>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Self::Future {
        ready(black_box(Ok(request)))
    }
}

type Calls = Dispatch<AtOnce, Idempotent<Plain>>;

pub(crate) fn measure(report: &mut Report, plan: &Plan) -> Result<(), String> {
    fastrand::seed(plan.seed);
    let mut sets = Vec::new();
    for size in SIZES {
        let endpoints = endpoints(size)?;
        let mut made = Err(String::new());
        // Every endpoint of the largest is called some times before it counts.
        let held = allocation_counter::measure(|| {
            made =
                over(endpoints).and_then(|mut calls| many(&mut calls, 10 * BATCH).map(|()| calls));
        });
        sets.push(made?);
        report.add(
            &format!("many.{size}.bytes"),
            &Runs(vec![held.bytes_current as f64 / size as f64]),
            1,
        );
    }
    let mut times = vec![Vec::new(); sets.len()];
    for _ in 0..ROUNDS {
        for (calls, times) in sets.iter_mut().zip(&mut times) {
            let before = CLOCK.now();
            many(calls, BATCH)?;
            times.push(CLOCK.now().since(before).as_nanos() as f64 / f64::from(BATCH));
        }
    }
    let smallest = Median::of(times.first().cloned().unwrap_or_default()).ok_or("no rounds")?;
    for ((size, calls), times) in SIZES.iter().zip(&mut sets).zip(times) {
        let median = Median::of(times).ok_or("no rounds")?;
        let key = |name: &str| format!("many.{size}.{name}");
        report.note_with_error(&key("ns"), median.value, median.error, ROUNDS);
        report.note_with_error(
            &key("ratio"),
            median.value / smallest.value,
            median.error / smallest.value,
            ROUNDS,
        );
        let mut made = Ok(());
        let counted = allocation_counter::measure(|| made = many(calls, 5 * BATCH));
        made?;
        report.add(
            &key("allocs"),
            &Runs(vec![counted.count_total as f64 / f64::from(5 * BATCH)]),
            5 * BATCH as usize,
        );
    }
    large(report)
}

/// How long a large set takes from its addresses to the first answer, and what it holds then.
fn large(report: &mut Report) -> Result<(), String> {
    let endpoints = endpoints(LARGE)?;
    let mut found = Err(String::new());
    let mut took = 0.0;
    let held = allocation_counter::measure(|| {
        let before = CLOCK.now();
        found = over(endpoints).and_then(|mut calls| many(&mut calls, 1).map(|()| calls));
        took = CLOCK.now().since(before).as_secs_f64();
    });
    let calls = found?;
    report.add("large.seconds", &Runs(vec![took]), 1);
    report.add(
        "large.bytes",
        &Runs(vec![held.bytes_current as f64 / LARGE as f64]),
        1,
    );
    drop(calls);
    Ok(())
}

fn many(calls: &mut Calls, times: u32) -> Result<(), String> {
    let cx = &mut Context::from_waker(Waker::noop());
    for _ in 0..times {
        let ready = calls.poll_ready(cx).is_ready();
        let answer = pin!(calls.call(black_box(1))).poll(cx);
        if !ready || !matches!(black_box(answer), Poll::Ready(Ok(_))) {
            return Err("a call over many endpoints was not answered".to_owned());
        }
    }
    Ok(())
}

fn over(endpoints: Vec<Endpoint>) -> Result<Calls, String> {
    let sets = fixed(endpoints).map_err(|error| error.to_string())?;
    let buttress = Buttress::new().policy("many", policy::policy());
    let calls = buttress.dispatch("many", Idempotent(Plain), sets, |_| AtOnce);
    calls.map_err(|error| error.to_string())
}

fn endpoints(size: usize) -> Result<Vec<Endpoint>, String> {
    let address = |number: usize| {
        format!(
            "10.{}.{}.{}:80",
            number >> 16,
            number >> 8 & 255,
            number & 255
        )
    };
    let endpoints = (0..size).map(|number| Endpoint::new(address(number)));
    endpoints
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())
}
