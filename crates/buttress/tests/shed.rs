//! Whom to turn away while more comes than can be done, on paused time.
#![expect(clippy::unwrap_used, reason = "what a test takes for granted")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use buttress::{
    Admission, Ask, BreakerState, CLOCK, Guard, GuardLayer, Health, Labelled, Labels, LimitPolicy,
    Limiter, Plain, Policy, Priority, Refusal, ShedPolicy,
};
use tokio::{
    task::{spawn, yield_now},
    time::{interval, sleep},
};
use tower::{BoxError, Layer as _, Service, ServiceExt as _, service_fn};

const MS: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug)]
struct Request {
    priority: Priority,
    caller: &'static str,
}

fn labels(request: &Request) -> Labels<'_> {
    Labels::none()
        .priority(request.priority)
        .caller(request.caller)
}

type Protocol = Labelled<Plain, fn(&Request) -> Labels<'_>>;

/// Ten calls at once, each for 10 ms: a thousand a second. A hundred more may wait, each for a quarter of a second.
fn guard(shed: Option<ShedPolicy>) -> GuardLayer<Protocol> {
    let limit = LimitPolicy::concurrency(10).wait(250 * MS).queue(100);
    let limit = shed.map_or(limit, |shed| limit.shed(shed));
    let protocol: Protocol = Labelled::new(Plain, labels);
    GuardLayer::with_policy("db", protocol, &Policy::new().limit(limit)).unwrap()
}

fn works()
-> impl Service<Request, Response = (), Error = BoxError, Future: Send> + Clone + Send + Sync {
    service_fn(async |_: Request| {
        sleep(10 * MS).await;
        Ok::<_, BoxError>(())
    })
}

/// What became of the calls of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Fared {
    served: u32,
    shed: u32,
    refused: u32,
    slowest: Duration,
}

/// Every millisecond one call of each kind, for so long; the first 200 ms are not counted.
async fn press<S>(service: Guard<S, Protocol>, kinds: &[Request], span: Duration) -> Vec<Fared>
where
    S: Service<Request, Response = (), Error = BoxError, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
{
    let fared = Arc::new(Mutex::new(vec![Fared::default(); kinds.len()]));
    let (mut clock, mut calls) = (interval(MS), Vec::new());
    for millis in 0..span.as_millis() as u32 {
        clock.tick().await;
        for (index, kind) in kinds.iter().enumerate() {
            let (service, fared, kind) = (service.clone(), Arc::clone(&fared), *kind);
            calls.push(spawn(async move {
                let before = CLOCK.now();
                let answer = service.oneshot(kind).await;
                if millis < 200 {
                    return;
                }
                let fared = &mut fared.lock().unwrap()[index];
                match answer.map_err(|error| error.downcast_ref::<Refusal>().copied()) {
                    Ok(()) => {
                        fared.served += 1;
                        fared.slowest = fared.slowest.max(CLOCK.now().since(before));
                    }
                    Err(Some(Refusal::Overloaded {
                        by: Limiter::Shed, ..
                    })) => fared.shed += 1,
                    Err(_) => fared.refused += 1,
                }
            }));
        }
    }
    for call in calls {
        call.await.unwrap();
    }
    let fared = fared.lock().unwrap();
    fared.clone()
}

const fn call(priority: Priority, caller: &'static str) -> Request {
    Request { priority, caller }
}

#[tokio::test(start_paused = true)]
async fn what_matters_least_is_turned_away_and_the_rest_is_served_as_if_it_were_alone() {
    let kinds = [
        call(Priority::Sheddable, "reports"),
        call(Priority::High, "people"),
    ];
    let layer = guard(Some(ShedPolicy::new()));
    let fared = press(layer.layer(works()), &kinds, 2_000 * MS).await;
    let (least, most) = (fared[0], fared[1]);
    assert!(most.served >= 1_790, "{fared:?}");
    assert!(most.slowest <= 60 * MS, "{fared:?}");
    assert!(least.shed > 2 * least.refused, "{fared:?}");
    let shot = layer.handle().snapshot();
    assert_eq!(
        (shot.health, shot.state),
        (Health::Healthy, BreakerState::Closed)
    );
    assert!(shot.counts.shed >= u64::from(least.shed));
    assert_eq!(shot.counts.failures.total() + shot.counts.rejected, 0);
}

#[tokio::test(start_paused = true)]
async fn without_shedding_both_fare_alike_in_numbers_but_not_in_turn() {
    let kinds = [call(Priority::Normal, "a"), call(Priority::Normal, "b")];
    let fared = press(guard(None).layer(works()), &kinds, 2_000 * MS).await;
    // The control: all wait as long as a full queue takes, and half of all find it full.
    assert!(
        fared.iter().all(|one| one.shed == 0 && one.refused > 500),
        "{fared:?}"
    );
    assert!(fared.iter().all(|one| one.slowest >= 100 * MS), "{fared:?}");
}

#[tokio::test(start_paused = true)]
async fn among_equals_callers_are_turned_away_whole_and_nothing_that_can_be_done_is_left_undone() {
    const CALLERS: [&str; 4] = ["a", "b", "c", "d"];
    let kinds = CALLERS.map(|caller| call(Priority::Normal, caller));
    let fared = press(
        guard(Some(ShedPolicy::new())).layer(works()),
        &kinds,
        4_000 * MS,
    )
    .await;
    let served: u32 = fared.iter().map(|one| one.served).sum();
    // Of 1000 a second that can be done.
    assert!(served >= 3_300, "{served}: {fared:?}");
    let spread = fared.iter().filter(|one| one.served > 2 * one.shed).count();
    assert!((1..4).contains(&spread), "{fared:?}");
}

#[tokio::test(start_paused = true)]
async fn what_can_be_done_is_not_shed_and_after_overload_all_are_let_in_again() {
    let layer = guard(Some(ShedPolicy::new()));
    let service = layer.layer(works());
    let light = [call(Priority::Sheddable, "reports")];
    let fared = press(service.clone(), &light, 1_000 * MS).await;
    assert_eq!((fared[0].shed, fared[0].refused), (0, 0));
    let heavy = [
        call(Priority::Sheddable, "reports"),
        call(Priority::Normal, "people"),
        call(Priority::Normal, "machines"),
    ];
    press(service.clone(), &heavy, 1_000 * MS).await;
    press(service.clone(), &light, 12_000 * MS).await;
    let fared = press(service, &light, 1_000 * MS).await;
    assert_eq!((fared[0].shed, fared[0].refused), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn in_a_full_queue_whoever_matters_more_takes_the_place_of_who_matters_least() {
    let policy = Policy::new().limit(LimitPolicy::concurrency(1).wait(250 * MS).queue(1));
    let protocol: Protocol = Labelled::new(Plain, labels);
    let layer = GuardLayer::with_policy("db", protocol, &policy).unwrap();
    let service = layer.layer(works());
    let begin = |priority| spawn(service.clone().oneshot(call(priority, "x")));
    let busy = begin(Priority::Low);
    yield_now().await;
    let low = begin(Priority::Low);
    yield_now().await;
    let high = begin(Priority::High);
    yield_now().await;
    let normal = begin(Priority::Normal);
    let refusal = |error: BoxError| *error.downcast_ref::<Refusal>().unwrap();
    let by = |refusal| match refusal {
        Refusal::Overloaded { by, .. } => Some(by),
        _ => None,
    };
    assert_eq!(
        by(refusal(low.await.unwrap().unwrap_err())),
        Some(Limiter::Shed)
    );
    let full = refusal(normal.await.unwrap().unwrap_err());
    assert_eq!(by(full), Some(Limiter::Concurrency));
    busy.await.unwrap().unwrap();
    high.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn whose_deadline_has_passed_is_not_begun_and_the_next_one_is() {
    let layer = guard(None);
    let vitals = layer.handle().vitals().clone();
    let busy: Vec<_> = (0..10).map(|_| vitals.admit().unwrap()).collect();
    let at = CLOCK.now().after(5 * MS);
    let line_up =
        |deadline| match vitals.admit_or_wait(CLOCK.now(), || Ask::default().deadline(deadline)) {
            Ok(Admission::Later(ticket)) => Some(ticket),
            _ => None,
        };
    let (mut late, mut next) = (line_up(Some(at)).unwrap(), line_up(None).unwrap());
    sleep(5 * MS).await;
    let mut busy = busy.into_iter();
    drop(busy.next());
    let poll = |ticket: &mut buttress::Ticket| {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        match ticket.poll(&mut cx) {
            std::task::Poll::Ready(turn) => Some(turn),
            std::task::Poll::Pending => None,
        }
    };
    assert!(poll(&mut next).is_none());
    let expired = poll(&mut late).unwrap().unwrap_err();
    assert_eq!(
        expired,
        Refusal::Deadline {
            after: Duration::ZERO
        }
    );
    assert!(poll(&mut next).unwrap().is_ok());
}
