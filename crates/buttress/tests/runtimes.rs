//! A dispatch outlives the runtimes it is called in.

#![expect(clippy::unwrap_used, reason = "what a test takes for granted")]

use std::{
    cell::Cell,
    convert::Infallible,
    hint::spin_loop,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc as jobs,
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use buttress::{Buttress, Endpoint, Idempotent, Plain, Policy, Redundancy, RetryLayer, fixed};
use tokio::{
    runtime::{Builder, Runtime},
    sync::mpsc,
    time::{Interval, interval, sleep, timeout},
};
use tower::{BoxError, Layer as _, Service, ServiceExt as _, service_fn};

struct Sets(mpsc::UnboundedReceiver<Vec<Endpoint>>);

impl futures_core::Stream for Sets {
    type Item = Result<Vec<Endpoint>, Infallible>;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|set| set.map(Ok))
    }
}

fn paused() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
}

fn set(name: &str) -> Vec<Endpoint> {
    vec![Endpoint::new(name).unwrap()]
}

fn echo(
    endpoint: &Endpoint,
) -> impl Service<(), Response = String, Error = BoxError, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static
+ use<> {
    let name = endpoint.address().to_owned();
    service_fn(move |()| {
        let name = name.clone();
        async move { Ok(name) }
    })
}

fn hour() -> Duration {
    Duration::from_secs(3600)
}

#[test]
fn sets_are_read_on_when_the_runtime_that_read_them_has_ended() {
    let (say, sets) = mpsc::unbounded_channel();
    let root = Buttress::new().policy("set", Policy::new());
    let service = root
        .dispatch("set", Idempotent(Plain), Sets(sets), echo)
        .unwrap();
    say.send(set("a")).unwrap();
    assert_eq!(paused().block_on(service.clone().oneshot(())).unwrap(), "a");
    let _ = say.send(set("b"));
    let last = paused().block_on(async {
        service.clone().oneshot(()).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        service.clone().oneshot(()).await.unwrap()
    });
    assert_eq!(last, "b");
}

#[test]
fn the_first_set_is_not_waited_for_for_ever_when_the_runtime_that_read_it_has_ended() {
    let (say, sets) = mpsc::unbounded_channel();
    let root = Buttress::new().policy("set", Policy::new());
    let service = root
        .dispatch("set", Idempotent(Plain), Sets(sets), echo)
        .unwrap();
    paused().block_on(async {
        timeout(Duration::from_secs(1), service.clone().oneshot(()))
            .await
            .unwrap_err()
    });
    let _ = say.send(set("a"));
    let answer = paused().block_on(async { timeout(hour(), service.oneshot(())).await });
    assert!(answer.is_ok(), "neither a set nor a refusal for an hour");
}

#[test]
fn endpoints_are_probed_on_when_the_runtime_that_probed_them_has_ended() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let root = Buttress::new().policy("set", Policy::new());
    let service = root
        .dispatch("set", Idempotent(Plain), fixed(["a", "b"]).unwrap(), echo)
        .unwrap()
        .probed(move |_: &Endpoint| {
            count.fetch_add(1, Ordering::SeqCst);
            async { Ok::<(), BoxError>(()) }
        });
    for round in 0..2 {
        let before = asked.load(Ordering::SeqCst);
        paused().block_on(async {
            service.clone().oneshot(()).await.unwrap();
            sleep(hour()).await;
        });
        assert!(asked.load(Ordering::SeqCst) > before, "runtime {round}");
    }
}

/// `Dispatch::probed`: "it begins at once within a tokio runtime, elsewhere with the first call".
#[test]
fn a_set_of_one_is_probed_from_the_first_call_on() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let layer = RetryLayer::new(
        "x",
        Idempotent(Plain),
        &Policy::new().redundancy(Redundancy::failover(2)),
    )
    .unwrap();
    let service = layer
        .layer(service_fn(async |()| Ok::<_, BoxError>(())))
        .probed(move |_: &Endpoint| {
            count.fetch_add(1, Ordering::SeqCst);
            async { Ok::<(), BoxError>(()) }
        });
    paused().block_on(async {
        service.clone().oneshot(()).await.unwrap();
        sleep(hour()).await;
    });
    assert!(asked.load(Ordering::SeqCst) > 0);
}

struct Polled<F>(F);
impl<F: FnMut(&mut Context<'_>) -> Poll<Option<Vec<Endpoint>>> + Send + Unpin> futures_core::Stream
    for Polled<F>
{
    type Item = Result<Vec<Endpoint>, Infallible>;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        (self.0)(cx).map(|set| set.map(Ok))
    }
}

#[test]
fn sets_that_keep_time_do_not_break_calls_in_another_runtime() {
    let mut every: Option<Interval> = None;
    let sets = Polled(move |cx: &mut Context<'_>| {
        let every = every.get_or_insert_with(|| interval(Duration::from_secs(1)));
        every.poll_tick(cx).map(|_| Some(set("a")))
    });
    let root = Buttress::new().policy("set", Policy::new());
    let service = root
        .dispatch("set", Idempotent(Plain), sets, |_: &Endpoint| {
            service_fn(async |_: ()| Ok::<_, BoxError>(()))
        })
        .unwrap();
    for round in 0..3 {
        paused().block_on(async {
            let answer = tokio::spawn(service.clone().oneshot(())).await;
            assert!(answer.is_ok(), "runtime {round}: {answer:?}");
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_breaks_no_call() {
    let mut asked = 0;
    let sets = Polled(move |cx: &mut Context<'_>| {
        asked += 1;
        match asked {
            1 => Poll::Ready(Some(set("a"))),
            2 => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            _ => panic!("as planned"),
        }
    });
    let root = Buttress::new().policy("set", Policy::new());
    let service = root
        .dispatch("set", Idempotent(Plain), sets, |_: &Endpoint| {
            service_fn(async |_: ()| Ok::<_, BoxError>(()))
        })
        .unwrap();
    service.clone().oneshot(()).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let answer = tokio::spawn(service.clone().oneshot(())).await;
    assert!(answer.is_ok(), "{answer:?}");
}

/// Says nothing, and tells which thread asked last.
struct Silent(Arc<AtomicU64>);
thread_local!(static WHO: Cell<u64> = const { Cell::new(0) });
impl futures_core::Stream for Silent {
    type Item = Result<Vec<Endpoint>, Infallible>;
    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.store(WHO.get(), Ordering::SeqCst);
        Poll::Pending
    }
}
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn whoever_waits_for_the_first_set_is_woken_when_its_reader_ends() {
    const TURNS: u64 = 4_000;
    let mut lost = 0;
    let go = Arc::new(AtomicU64::new(0));
    type Job = Box<dyn FnOnce() + Send>;
    let (give, jobs) = jobs::channel::<Job>();
    let (done, ended) = jobs::channel();
    let other = thread::spawn(move || {
        for job in jobs {
            job();
            done.send(()).unwrap();
        }
    });
    let mine = Builder::new_current_thread().enable_all().build().unwrap();
    WHO.set(2);
    for turn in 1..=TURNS {
        let last = Arc::new(AtomicU64::new(0));
        let root = Buttress::new().policy("set", Policy::new());
        let mut service = root
            .dispatch(
                "set",
                Idempotent(Plain),
                Silent(last.clone()),
                |_: &Endpoint| service_fn(async |_: ()| Ok::<_, BoxError>(())),
            )
            .unwrap();
        let (mut theirs, gone) = (service.clone(), go.clone());
        let ready = Arc::new(AtomicBool::new(false));
        let said = ready.clone();
        give.send(Box::new(move || {
            WHO.set(1);
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let _ = theirs.poll_ready(&mut Context::from_waker(Waker::noop()));
                tokio::task::yield_now().await;
            });
            said.store(true, Ordering::SeqCst);
            while gone.load(Ordering::SeqCst) != turn {
                spin_loop();
            }
            drop(runtime);
        }))
        .unwrap();
        while !ready.load(Ordering::SeqCst) {
            spin_loop();
        }
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        let waker = Waker::from(flag.clone());
        go.store(turn, Ordering::SeqCst);
        (0..turn % 1_000).for_each(|_| spin_loop());
        {
            let _here = mine.enter();
            assert!(
                service
                    .poll_ready(&mut Context::from_waker(&waker))
                    .is_pending()
            );
        }
        ended.recv().unwrap();
        mine.block_on(tokio::task::yield_now());
        // Neither is it read, nor was anybody told that it is not.
        lost += u64::from(last.load(Ordering::SeqCst) == 1 && !flag.0.load(Ordering::SeqCst));
    }
    drop(give);
    other.join().unwrap();
    assert_eq!(lost, 0, "of {TURNS}");
}
