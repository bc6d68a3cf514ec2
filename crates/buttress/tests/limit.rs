//! How many calls may be under way at once, by scripted services and paused time.
#![expect(clippy::unwrap_used, reason = "what a test takes for granted")]

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use buttress::{
    AdaptivePolicy, BreakerState, Buttress, CLOCK, Cause, Counts, Endpoint, Force, Foreign, Guard,
    GuardLayer, Health, Idempotent, LimitPolicy, Limiter, Plain, Policy, Redundancy, Refusal,
    Snapshot, StatsLayer, Vitals, fixed,
};
use tokio::{
    sync::Semaphore,
    task::{JoinHandle, yield_now},
    time::{sleep, timeout},
};
use tower::{BoxError, Layer as _, Service, ServiceExt as _, service_fn};

const MS: Duration = Duration::from_millis(1);

fn limited(limit: LimitPolicy) -> GuardLayer<Plain> {
    GuardLayer::with_policy("db", Plain, &Policy::new().limit(limit)).unwrap()
}

/// Answers each call once it is let go.
fn held(
    gate: &Arc<Semaphore>,
) -> impl Service<u32, Response = u32, Error = BoxError, Future: Send> + Clone + Send + use<> {
    let gate = Arc::clone(gate);
    service_fn(move |id| {
        let gate = Arc::clone(&gate);
        async move {
            gate.acquire().await.unwrap().forget();
            Ok(id)
        }
    })
}

/// Begins a call, and lets it come as far as it comes.
async fn begin<S>(service: &S, id: u32) -> JoinHandle<Result<u32, BoxError>>
where
    S: Service<u32, Response = u32, Error = BoxError, Future: Send> + Clone + Send + 'static,
{
    let call = tokio::spawn(service.clone().oneshot(id));
    for _ in 0..3 {
        yield_now().await;
    }
    call
}

fn overloaded(by: Limiter) -> Refusal {
    Refusal::Overloaded {
        by,
        retry_after: None,
    }
}

fn refusal(error: &BoxError) -> Option<Refusal> {
    error.downcast_ref::<Refusal>().copied()
}

fn snapshot(vitals: &Vitals) -> Snapshot {
    vitals.snapshot(CLOCK.now())
}

fn counts(vitals: &Vitals) -> Counts {
    snapshot(vitals).counts
}

#[tokio::test(start_paused = true)]
async fn the_call_for_which_there_is_no_place_is_refused_and_the_next_one_after_that_is_not() {
    let (layer, gate) = (
        limited(LimitPolicy::concurrency(2)),
        Arc::new(Semaphore::new(0)),
    );
    let service = layer.layer(held(&gate));
    let (first, second) = (begin(&service, 1).await, begin(&service, 2).await);
    let refused = service.clone().oneshot(3).await.unwrap_err();
    assert_eq!(refusal(&refused), Some(overloaded(Limiter::Concurrency)));
    gate.add_permits(3);
    assert_eq!(
        (
            first.await.unwrap().unwrap(),
            second.await.unwrap().unwrap()
        ),
        (1, 2)
    );
    assert_eq!(service.oneshot(4).await.unwrap(), 4);
    let counts = counts(layer.handle().vitals());
    assert_eq!(
        (counts.started, counts.successes, counts.limited),
        (3, 3, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn our_own_refusals_are_no_evidence() {
    let gate = Arc::new(Semaphore::new(0));
    for layer in [
        limited(LimitPolicy::concurrency(1)),
        limited(LimitPolicy::concurrency(1).wait(MS).queue(1)),
    ] {
        let service = layer.layer(held(&gate));
        let call = begin(&service, 1).await;
        for _ in 0..1_000 {
            assert!(service.clone().oneshot(2).await.is_err());
        }
        let Snapshot {
            health,
            state,
            counts,
            ..
        } = snapshot(layer.handle().vitals());
        assert_eq!((health, state), (Health::Healthy, BreakerState::Closed));
        assert_eq!(
            (counts.limited, counts.rejected, counts.failures.total()),
            (1_000, 0, 0)
        );
        call.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn places_are_given_in_the_order_in_which_calls_came() {
    let layer = limited(LimitPolicy::concurrency(1).wait(1_000 * MS));
    let done = Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = Arc::clone(&done);
    let service = layer.layer(service_fn(move |id: u32| {
        let log = Arc::clone(&log);
        async move {
            sleep(10 * MS).await;
            log.lock().unwrap().push(id);
            Ok::<_, BoxError>(id)
        }
    }));
    let mut calls = vec![begin(&service, 0).await, begin(&service, 1).await];
    let full = service.clone().oneshot(9).await.unwrap_err();
    assert_eq!(refusal(&full), Some(overloaded(Limiter::Concurrency)));
    sleep(15 * MS).await;
    // The first has gone, the second has its place: there is room in the queue again, and none before it.
    calls.push(begin(&service, 2).await);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(*done.lock().unwrap(), [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_as_long_as_it_may_and_no_longer() {
    let gate = Arc::new(Semaphore::new(0));
    let layer = limited(LimitPolicy::concurrency(1).wait(50 * MS));
    let service = layer.layer(held(&gate));
    let _busy = begin(&service, 1).await;
    let before = CLOCK.now();
    let error = service.clone().oneshot(2).await.unwrap_err();
    assert_eq!(refusal(&error), Some(overloaded(Limiter::Queue)));
    assert_eq!(CLOCK.now().since(before), 50 * MS);
    assert_eq!(counts(layer.handle().vitals()).started, 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_the_queue_holds_nobody_up() {
    let gate = Arc::new(Semaphore::new(0));
    let layer = limited(LimitPolicy::concurrency(1).wait(1_000 * MS).queue(3));
    let service = layer.layer(held(&gate));
    let busy = begin(&service, 1).await;
    let leaves = begin(&service, 2).await;
    let last = begin(&service, 3).await;
    leaves.abort();
    gate.add_permits(2);
    assert_eq!(
        (busy.await.unwrap().unwrap(), last.await.unwrap().unwrap()),
        (1, 3)
    );
    let counts = counts(layer.handle().vitals());
    assert_eq!(
        (counts.started, counts.in_flight(), counts.limited),
        (2, 0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn readiness_holds_no_place_however_many_are_ready() {
    let layer = limited(LimitPolicy::concurrency(1));
    let service = layer.layer(service_fn(async |id: u32| Ok::<_, BoxError>(id)));
    let mut idle: Vec<Guard<_, _>> = (0..100).map(|_| service.clone()).collect();
    for one in &mut idle {
        one.ready().await.unwrap();
    }
    assert_eq!(service.oneshot(1).await.unwrap(), 1);
    drop(idle);
}

#[tokio::test(start_paused = true)]
async fn waiting_is_part_of_the_deadline_and_what_it_took_is_no_evidence() {
    let policy = Policy::new()
        .deadline(100 * MS)
        .limit(LimitPolicy::concurrency(1).wait(80 * MS));
    let layer = GuardLayer::with_policy("db", Plain, &policy).unwrap();
    let service = layer.layer(service_fn(async |after: u32| {
        sleep(MS * after).await;
        Ok::<_, BoxError>(after)
    }));
    let _busy = begin(&service, 60).await;
    let before = CLOCK.now();
    let error = service.clone().oneshot(50).await.unwrap_err();
    assert_eq!(refusal(&error), Some(Refusal::Deadline { after: 100 * MS }));
    assert_eq!(CLOCK.now().since(before), 100 * MS);
    let counts = counts(layer.handle().vitals());
    assert_eq!((counts.cancelled, counts.failures.total()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_while_the_breaker_opens_is_told_so_and_holds_nothing() {
    let gate = Arc::new(Semaphore::new(0));
    let layer = limited(LimitPolicy::concurrency(1).wait(1_000 * MS));
    let service = layer.layer(held(&gate));
    let busy = begin(&service, 1).await;
    let waits = begin(&service, 2).await;
    layer.handle().force(Force::Open);
    gate.add_permits(9);
    assert_eq!(busy.await.unwrap().unwrap(), 1);
    let error = waits.await.unwrap().unwrap_err();
    assert_eq!(refusal(&error), Some(Refusal::Withdrawn));
    layer.handle().force(Force::Closed);
    assert_eq!(service.oneshot(3).await.unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn disabled_by_hand_nothing_is_limited_and_places_are_whole_afterwards() {
    let gate = Arc::new(Semaphore::new(0));
    let layer = limited(LimitPolicy::concurrency(1));
    let service = layer.layer(held(&gate));
    layer.handle().force(Force::Disabled);
    let calls = [begin(&service, 1).await, begin(&service, 2).await];
    layer.handle().release();
    let limited = begin(&service, 3).await;
    assert!(service.clone().oneshot(4).await.is_err());
    gate.add_permits(9);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    limited.await.unwrap().unwrap();
    let again = begin(&service, 5).await;
    again.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn parts_alone_limit_nothing() {
    let gate = Arc::new(Semaphore::new(0));
    let policy = Policy::new().limit(LimitPolicy::concurrency(1));
    let layer = StatsLayer::with_policy("db", Plain, &policy).unwrap();
    let service = layer.layer(held(&gate));
    let calls = [begin(&service, 1).await, begin(&service, 2).await];
    gate.add_permits(2);
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_are_inside_than_may_be_and_everyone_is_served_in_the_end() {
    for limit in [1, 3, 40] {
        let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (count, seen) = (Arc::clone(&inside), Arc::clone(&most));
        let service = service_fn(move |_: u32| {
            let (count, seen) = (Arc::clone(&count), Arc::clone(&seen));
            async move {
                seen.fetch_max(count.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let _inside = Inside(count);
                yield_now().await;
                Ok::<_, Infallible>(())
            }
        });
        let policy = Policy::new().limit(
            LimitPolicy::concurrency(limit)
                .wait(Duration::from_secs(60))
                .queue(2_000),
        );
        let layer = GuardLayer::with_policy("db", Foreign, &policy).unwrap();
        let service = layer.layer(service);
        let calls: Vec<_> = (0..2_000)
            .map(|id| tokio::spawn(service.clone().oneshot(id)))
            .collect();
        for (index, call) in calls.into_iter().enumerate() {
            // Some leave while they wait.
            if index % 7 == 0 {
                call.abort();
                let _ = call.await;
            } else {
                call.await.unwrap().unwrap();
            }
        }
        assert!(most.load(Ordering::SeqCst) <= limit as usize);
        let counts = layer.handle().snapshot().counts;
        assert_eq!(
            (counts.in_flight(), counts.limited, counts.failures.total()),
            (0, 0, 0)
        );
    }
}

/// Counts down when the call is over, or dropped.
struct Inside(Arc<AtomicUsize>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn root(limit: LimitPolicy) -> Buttress {
    let policy = Policy::new()
        .limit(limit)
        .redundancy(Redundancy::failover(3));
    Buttress::new().policy("set", policy)
}

fn over<S: Clone + Send + Sync + 'static>(
    root: &Buttress,
    names: &[&str],
    service: S,
) -> buttress::Dispatch<S, Idempotent<Plain>> {
    let sets = fixed(names.iter().copied()).unwrap();
    let connect = move |_: &Endpoint| service.clone();
    (root.dispatch("set", Idempotent(Plain), sets, connect)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn own_limits_are_not_their_fault() {
    let root = root(LimitPolicy::concurrency(1));
    let service = over(
        &root,
        &["a", "b"],
        service_fn(async |id: u32| {
            sleep(10 * MS).await;
            Ok::<_, BoxError>(id)
        }),
    );
    let mut calls = Vec::new();
    for id in 0..1_000 {
        calls.push(tokio::spawn(service.clone().oneshot(id)));
    }
    let (mut served, mut refused) = (0, 0);
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => served += 1,
            Err(error) => {
                refused += 1;
                assert_eq!(refusal(&error), Some(overloaded(Limiter::Concurrency)));
            }
        }
    }
    assert_eq!((served, refused), (2, 998));
    for shot in root.registry().snapshot(CLOCK.now()) {
        assert_eq!(
            (shot.health, shot.state),
            (Health::Healthy, BreakerState::Closed)
        );
        assert_eq!((shot.counts.successes, shot.counts.finished()), (1, 1));
        assert!(shot.counts.limited > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_endpoint_is_passed_over_for_one_with_room() {
    let root = root(LimitPolicy::concurrency(1));
    let gate = Arc::new(Semaphore::new(0));
    let service = over(&root, &["a", "b", "c"], held(&gate));
    let mut calls = Vec::new();
    for id in 0..3 {
        calls.push(begin(&service, id).await);
    }
    gate.add_permits(3);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    for shot in root.registry().snapshot(CLOCK.now()) {
        assert_eq!((shot.counts.successes, shot.counts.limited), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn when_all_are_full_a_call_waits_its_time_at_one_of_them() {
    let root = root(LimitPolicy::concurrency(1).wait(50 * MS));
    let service = over(
        &root,
        &["a", "b"],
        service_fn(async |after: u32| {
            sleep(MS * after).await;
            Ok::<_, BoxError>(after)
        }),
    );
    let busy = [begin(&service, 30).await, begin(&service, 30).await];
    let before = CLOCK.now();
    assert_eq!(service.clone().oneshot(1).await.unwrap(), 1);
    assert_eq!(CLOCK.now().since(before), 31 * MS);
    for call in busy {
        call.await.unwrap().unwrap();
    }
    let _busy = [begin(&service, 90).await, begin(&service, 90).await];
    let before = CLOCK.now();
    let error = service.clone().oneshot(1).await.unwrap_err();
    assert_eq!(refusal(&error), Some(overloaded(Limiter::Queue)));
    assert_eq!(CLOCK.now().since(before), 50 * MS);
    // One that leaves while it waits leaves no trace.
    assert!(timeout(MS, service.clone().oneshot(1)).await.is_err());
    sleep(100 * MS).await;
    for shot in root.registry().snapshot(CLOCK.now()) {
        assert_eq!(shot.counts.in_flight(), 0);
        assert_eq!(shot.counts.failures.of(Cause::Timeout), 0);
    }
    assert_eq!(service.oneshot(0).await.unwrap(), 0);
}

/// Works on so many calls at once, each for 10 ms; the others wait in it.
fn bears(
    calls: usize,
) -> impl Service<u32, Response = u32, Error = BoxError, Future: Send> + Clone + Send {
    let workers = Arc::new(Semaphore::new(calls));
    service_fn(move |id: u32| {
        let workers = Arc::clone(&workers);
        async move {
            let _worker = workers.acquire().await.unwrap();
            sleep(10 * MS).await;
            Ok::<_, BoxError>(id)
        }
    })
}

/// Keeps so many callers calling for so long, each anew 5 ms after it was refused.
async fn press<S>(service: &S, callers: usize, span: Duration)
where
    S: Service<u32, Response = u32, Error = BoxError, Future: Send> + Clone + Send + 'static,
{
    let until = CLOCK.now().after(span);
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            let service = service.clone();
            tokio::spawn(async move {
                while CLOCK.now() < until {
                    if service.clone().oneshot(1).await.is_err() {
                        sleep(5 * MS).await;
                    }
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_adaptive_limit_finds_what_the_service_can_bear() {
    for bearable in [10, 40] {
        let often = AdaptivePolicy::new().remeasure(Duration::from_secs(2));
        let layer = limited(LimitPolicy::adaptive(often));
        assert_eq!(snapshot(layer.handle().vitals()).limit, Some(20));
        let service = layer.layer(bears(bearable));
        let vitals = layer.handle().vitals().clone();
        let mut seen = tokio::spawn(async move {
            sleep(Duration::from_secs(6)).await;
            let mut seen = Vec::new();
            for _ in 0..40 {
                sleep(100 * MS).await;
                seen.push(snapshot(&vitals).limit.unwrap() as usize);
            }
            seen
        });
        press(&service, 60, Duration::from_secs(11)).await;
        // Lowered now and then, to measure: what counts is where it is most of the time.
        let mut seen = (&mut seen).await.unwrap();
        seen.sort_unstable();
        let limit = seen[seen.len() / 2];
        assert!(
            (bearable..2 * bearable).contains(&limit),
            "{limit} of {bearable}"
        );
        assert_eq!(counts(layer.handle().vitals()).in_flight(), 0);
        let limit = snapshot(layer.handle().vitals()).limit.unwrap() as usize;
        let at_once = (0..1_000).map_while(|_| layer.handle().vitals().admit().ok());
        assert_eq!(at_once.collect::<Vec<_>>().len(), limit, "no place is lost");
    }
}

#[tokio::test(start_paused = true)]
async fn an_adaptive_limit_that_nobody_uses_stays() {
    let layer = limited(LimitPolicy::adaptive(AdaptivePolicy::new().initial(50)));
    let service = layer.layer(bears(1_000));
    press(&service, 5, Duration::from_secs(10)).await;
    assert_eq!(snapshot(layer.handle().vitals()).limit, Some(50));
}

#[tokio::test(start_paused = true)]
async fn overload_and_timeouts_shrink_an_adaptive_limit_to_its_least_and_not_beyond() {
    let policy = Policy::new()
        .attempt_timeout(20 * MS)
        .enforce(buttress::Enforce::OFF)
        .limit(LimitPolicy::adaptive(AdaptivePolicy::new()));
    let layer = GuardLayer::with_policy("db", Plain, &policy).unwrap();
    let never = service_fn(async |_: u32| std::future::pending::<Result<u32, BoxError>>().await);
    press(&layer.layer(never), 30, Duration::from_secs(5)).await;
    assert_eq!(snapshot(layer.handle().vitals()).limit, Some(3));
}
