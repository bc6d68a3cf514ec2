//! What the layers cost a call: time, clock reads, allocations, against the bare service in the same run.
//!
//! ```text
//! cargo bench --bench overhead -- --json PATH
//! ```

use std::{
    collections::BTreeMap,
    future::{Ready, ready},
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use buttress::{
    BreakerLayer, Buttress, CLOCK, GuardLayer, HealthLayer, HealthPolicy, Idempotent, Plain,
    Policy, Redundancy, StatsLayer, fixed,
};
use tower::{BoxError, Layer as _, Service};

const ROUNDS: usize = 41;
const BATCH: u32 = 20_000;

/// A service that is ready at once, and cannot be seen through.
#[derive(Clone)]
struct Bare;

impl Service<u64> for Bare {
    type Response = u64;
    type Error = BoxError;
    type Future = Ready<Result<u64, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Self::Future {
        ready(Ok(black_box(request)))
    }
}

fn call<S: Service<u64>>(service: &mut S) {
    let mut cx = Context::from_waker(Waker::noop());
    let _ = black_box(service.poll_ready(&mut cx).is_ready());
    let _ = black_box(pin!(service.call(1)).poll(&mut cx).is_ready());
}

fn policy() -> Policy {
    Policy::new().deadline(Duration::from_secs(1))
}

type Case = (&'static str, Box<dyn FnMut()>);

fn cases() -> Vec<Case> {
    fn case<S: Service<u64> + 'static>(name: &'static str, mut service: S) -> Case {
        (name, Box::new(move || call(&mut service)))
    }
    let guard = GuardLayer::with_policy("bench", Plain, &policy()).expect("a good policy");
    let long = Policy::new()
        .health(HealthPolicy::consecutive(1))
        .breaker(buttress::BreakerPolicy::new().open_for(Duration::from_secs(3600)));
    let refusing = BreakerLayer::with_policy("bench", Plain, &long);
    let refusing = refusing.expect("a good policy");
    // Opened by hand, for longer than the bench runs.
    if let Ok(attempt) = refusing.vitals().admit() {
        attempt.finish(buttress::Outcome::Failure(buttress::Cause::Error));
    }
    let buttress = Buttress::new().policy("bench", policy().redundancy(Redundancy::failover(3)));
    let dispatch = |count: u16| {
        let addresses =
            fixed((0..count).map(|port| format!("10.0.0.1:{}", port + 1))).expect("good addresses");
        buttress
            .dispatch("bench", Idempotent(Plain), addresses, |_| Bare)
            .expect("a good policy")
    };
    vec![
        case("bare", Bare),
        ("clock", Box::new(|| _ = black_box(CLOCK.now()))),
        case("health", HealthLayer::new("bench", Plain).layer(Bare)),
        case("breaker", BreakerLayer::new("bench", Plain).layer(Bare)),
        case("stats", StatsLayer::new("bench", Plain).layer(Bare)),
        case("guard", guard.layer(Bare)),
        case("refusal", refusing.layer(Bare)),
        case("dispatch_3", dispatch(3)),
        case("dispatch_100", dispatch(100)),
    ]
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let path = arguments
        .iter()
        .position(|argument| argument == "--json")
        .and_then(|at| arguments.get(at + 1));
    let mut cases = cases();
    let mut times: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for _ in 0..ROUNDS {
        for (name, work) in &mut cases {
            let before = CLOCK.now();
            (0..BATCH).for_each(|_| work());
            let spent = CLOCK.now().since(before).as_nanos() as f64 / f64::from(BATCH);
            times.entry(name).or_default().push(spent);
        }
    }
    let medians: BTreeMap<&str, f64> = times
        .into_iter()
        .map(|(name, mut spent)| {
            spent.sort_by(f64::total_cmp);
            (name, spent[spent.len() / 2])
        })
        .collect();
    let mut figures = serde_json::Map::new();
    println!(
        "{:<14}{:>10}{:>10}{:>10}{:>10}",
        "case", "ns", "ratio", "clocks", "allocs"
    );
    for (name, work) in &mut cases {
        let counted = allocation_counter::measure(|| (0..BATCH).for_each(|_| work()));
        let (ns, allocs) = (medians[name], counted.count_total as f64 / f64::from(BATCH));
        let (ratio, clocks) = (ns / medians["bare"], ns / medians["clock"]);
        println!("{name:<14}{ns:>10.1}{ratio:>10.1}{clocks:>10.2}{allocs:>10.3}");
        let figure =
            serde_json::json!({ "ns": ns, "ratio": ratio, "clocks": clocks, "allocs": allocs });
        figures.insert((*name).to_owned(), figure);
    }
    figures.insert(
        "policy".to_owned(),
        serde_json::json!({ "deadline": "1s", "redundancy": "failover 3 (dispatch)" }),
    );
    if let Some(path) = path
        && let Err(error) =
            std::fs::write(path, format!("{:#}\n", serde_json::Value::Object(figures)))
    {
        eprintln!("overhead: {path}: {error}");
        std::process::exit(1);
    }
}
