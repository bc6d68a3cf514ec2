//! Every service keeps the laws of `Service`, attempts included.
#![expect(clippy::unwrap_used, reason = "what a test takes for granted")]

use std::time::Duration;

use buttress::{
    BreakerLayer, Buttress, CLOCK, Dispatch, FallbackLayer, Guard, GuardLayer, HealthLayer,
    Idempotent, Key, Keyed, LimitPolicy, Plain, Policy, Redundancy, Snapshot, StatsLayer, fixed,
    instead,
};
use buttress_test::{
    Answer, Scripted,
    laws::{Laws, Tally},
};
use tower::Layer as _;

type Asked = Idempotent<Plain>;

fn timed() -> Policy {
    Policy::new()
        .deadline(Duration::from_secs(1))
        .attempt_timeout(Duration::from_millis(100))
}

fn tally<'a>(shots: impl IntoIterator<Item = &'a Snapshot>) -> Tally {
    let mut tally = Tally::default();
    for Snapshot { counts, .. } in shots {
        tally.started += counts.started;
        tally.finished += counts.finished();
        tally.failed += counts.failures.total() + counts.late;
    }
    tally
}

fn of_guard<S>(guard: &Guard<S, Plain>) -> Tally {
    tally([&guard.handle().snapshot()])
}

async fn guard_keeps_them(wrap: impl Fn(Scripted) -> Guard<Scripted, Plain>) {
    Laws::default().check_counted(wrap, of_guard).await;
}

#[tokio::test(start_paused = true)]
async fn a_guard_keeps_them() {
    guard_keeps_them(|inner| GuardLayer::new("db", Plain).layer(inner)).await;
    guard_keeps_them(|inner| {
        let layer = GuardLayer::with_policy("db", Plain, &timed());
        layer.unwrap().layer(inner)
    })
    .await;
}

/// As many at once as the laws make.
fn limits() -> [LimitPolicy; 2] {
    let limit = LimitPolicy::concurrency(8);
    [limit, limit.wait(Duration::from_millis(50))]
}

#[tokio::test(start_paused = true)]
async fn a_guard_with_a_limit_keeps_them() {
    for limit in limits() {
        for policy in [Policy::new(), timed()] {
            guard_keeps_them(|inner| {
                let layer = GuardLayer::with_policy("db", Plain, &policy.limit(limit));
                layer.unwrap().layer(inner)
            })
            .await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_part_of_a_guard_keeps_them() {
    guard_keeps_them(|inner| HealthLayer::new("db", Plain).layer(inner)).await;
    guard_keeps_them(|inner| BreakerLayer::new("db", Plain).layer(inner)).await;
    guard_keeps_them(|inner| StatsLayer::new("db", Plain).layer(inner)).await;
}

#[tokio::test(start_paused = true)]
async fn stacked_guards_keep_them() {
    let stack = |inner| {
        let inner = HealthLayer::new("db", Plain).layer(inner);
        StatsLayer::new("db", Plain).layer(inner)
    };
    Laws::default().check_counted(stack, of_guard).await;
    Laws::default()
        .check_counted(stack, |stats| of_guard(stats.get_ref()))
        .await;
}

/// Under each policy: sent once, sent again, and each of them without timers. Copies beside each other would take answers that the
/// laws have in store for others.
fn roots() -> impl Iterator<Item = Buttress> {
    [
        Policy::new(),
        Policy::new().redundancy(Redundancy::failover(3)),
        timed(),
        timed().redundancy(Redundancy::failover(3)),
        timed().redundancy(Redundancy::hedge(3)),
        timed()
            .redundancy(Redundancy::failover(3))
            .limit(limits()[0]),
        Policy::new().limit(limits()[1]),
    ]
    .into_iter()
    .map(|policy| Buttress::new().policy("set", policy))
}

fn of_root(root: &Buttress) -> Tally {
    tally(&root.registry().snapshot(CLOCK.now()))
}

fn over(root: &Buttress, names: &[&str], inner: Scripted) -> Dispatch<Scripted, Asked> {
    let sets = fixed(names.iter().copied()).unwrap();
    let connect = move |_: &_| inner.clone();
    root.dispatch("set", Idempotent(Plain), sets, connect)
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn dispatch_keeps_them_over_one_and_over_many() {
    for root in roots() {
        for names in [
            &["a"][..],
            &["a", "b", "c"],
            &["a", "b", "c", "d", "e", "f"],
        ] {
            Laws::picking_in_call()
                .check_counted(|inner| over(&root, names, inner), |_| of_root(&root))
                .await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn retry_keeps_them() {
    for root in roots() {
        let layer = || root.retry("set", Idempotent(Plain)).unwrap();
        Laws::picking_in_call()
            .check_counted(|inner| layer().layer(inner), |_| of_root(&root))
            .await;
    }
}

#[tokio::test(start_paused = true)]
async fn dispatch_over_guards_and_a_guard_over_dispatch_keep_them() {
    for root in roots() {
        let sets = || fixed(["a", "b", "c"]).unwrap();
        Laws::picking_in_call()
            .check_counted(
                |inner: Scripted| {
                    let connect = move |_: &_| StatsLayer::new("a", Plain).layer(inner.clone());
                    root.dispatch("set", Idempotent(Plain), sets(), connect)
                        .unwrap()
                },
                |_| of_root(&root),
            )
            .await;
        Laws::picking_in_call()
            .check(|inner| {
                let inner = over(&root, &["a", "b", "c"], inner);
                StatsLayer::new("all", Plain).layer(inner)
            })
            .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_by_keys_keeps_them() {
    for policy in [Policy::new(), timed()] {
        let root = Buttress::new().policy("db", policy);
        let wrap = |inner: Scripted| {
            let layer = root.guard("db", Plain).unwrap();
            // Every request has a key of its own, and there is room for two.
            let by_request = layer.by(|request: &u64| Key::from(*request)).at_most(2);
            by_request.layer(inner)
        };
        Laws::default().check(wrap).await;
        let wrap = |inner: Scripted| {
            let layer = root.guard("db", Plain).unwrap();
            layer.by(|_: &u64| Key::NONE).layer(inner)
        };
        let count = |keyed: &Keyed<_, _>| tally(&keyed.handles().snapshot());
        Laws::default().check_counted(wrap, count).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_fallback_keeps_them_whatever_stands_in() {
    let nothing = || FallbackLayer::new(Plain, instead::with(|_| None));
    Laws::default().check(|inner| nothing().layer(inner)).await;
    let bad = || {
        let service = Scripted::new();
        service.script().answer_always(Answer::Err("as bad".into()));
        FallbackLayer::new(Idempotent(Plain), instead::service(service))
    };
    Laws::default().check(|inner| bad().layer(inner)).await;
}

#[tokio::test(start_paused = true)]
async fn a_fallback_around_a_guard_and_around_dispatch_keeps_them() {
    let around_guard = |inner: Scripted| {
        let guard = GuardLayer::with_policy("db", Plain, &timed()).unwrap();
        FallbackLayer::new(Plain, instead::with(|_| None)).layer(guard.layer(inner))
    };
    Laws::default()
        .check_counted(around_guard, |fallback| of_guard(fallback.get_ref()))
        .await;
    for root in roots() {
        let around_dispatch = |inner: Scripted| {
            let layer = root.fallback("set", Plain, instead::with(|_| None));
            layer.unwrap().layer(over(&root, &["a", "b", "c"], inner))
        };
        Laws::picking_in_call().check(around_dispatch).await;
    }
}
