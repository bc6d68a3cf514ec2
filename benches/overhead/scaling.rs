//! What two threads do to each other on one guard.

use std::{
    fs,
    hint::spin_loop,
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Waker},
    thread::{self, available_parallelism},
    time::Duration,
};

use buttress::{CLOCK, Nanos};
use tower::{Layer as _, Service};

use crate::{
    cases::{self, Ends, Sort},
    services::{Bare, Draws, Naive},
    support::Median,
};

/// Long enough that starting and ending together does not matter, short enough to be left alone meanwhile: 1 ms.
const SPAN: Duration = Duration::from_millis(1);

/// Throughput of two threads that share a service over that of one, each cloning it once per call, as axum does.
/// Rounds in which the threads did not have a core each do not count; where there are none it is not measured.
pub(crate) fn measure(rounds: u64, seed: u64) -> Vec<(&'static str, Option<Median>)> {
    let bare = Bare {
        draws: Draws::new(seed),
        pending: 0,
    };
    let guarded = cases::guard().ok().map(|guard| guard.layer(bare));
    vec![
        ("bare", shared(&bare, rounds)),
        (
            "guard",
            guarded.and_then(|guarded| shared(&guarded, rounds)),
        ),
        ("control.naive", shared(&Naive::new(bare), rounds)),
    ]
}

fn shared<S>(service: &S, rounds: u64) -> Option<Median>
where
    S: Service<u64, Error: Sort> + Clone + Send + Sync,
{
    if available_parallelism().map_or(1, usize::from) < 2 {
        return None;
    }
    let trial = 10_000;
    let calls = (SPAN.as_secs_f64() / (0..5).find_map(|_| together(1, service, trial))?
        * trial as f64) as u64;
    let together = |threads| together(threads, service, calls);
    let round = |round| {
        let (one, two) = if round % 2 == 0 {
            let one = together(1)?;
            (one, together(2)?)
        } else {
            let two = together(2)?;
            (together(1)?, two)
        };
        Some(2.0 * one / two)
    };
    Median::of((0..10 * rounds).filter_map(round).collect())
}

/// Seconds from the first start to the last end of so many threads, each making so many calls. None if one of them
/// was put aside meanwhile, or did not start with the others.
fn together<S>(threads: usize, service: &S, calls: u64) -> Option<f64>
where
    S: Service<u64, Error: Sort> + Clone + Send + Sync,
{
    let (gate, waiting) = (Barrier::new(threads), AtomicUsize::new(0));
    let work = || {
        let mut cx = Context::from_waker(Waker::noop());
        gate.wait();
        // A barrier wakes its threads one after another; this lets them go at once.
        waiting.fetch_add(1, Ordering::Relaxed);
        while waiting.load(Ordering::Relaxed) < threads {
            spin_loop();
        }
        let aside = put_aside();
        let mut ends = Ends::default();
        let began = CLOCK.now();
        for _ in 0..calls {
            cases::call(&mut service.clone(), &mut cx, &mut ends);
        }
        let ended = CLOCK.now();
        (put_aside() == aside).then_some((began, ended))
    };
    let spans: Vec<Option<(Nanos, Nanos)>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| thread.join().ok().flatten();
        threads.into_iter().map(join).collect()
    });
    let spans = spans.into_iter().collect::<Option<Vec<_>>>()?;
    let began = spans.iter().map(|(began, _)| *began).min()?;
    let ended = spans.iter().map(|(_, ended)| *ended).max()?;
    let late = spans.iter().map(|(other, _)| other.since(began)).max()?;
    (late <= SPAN / 50).then(|| ended.since(began).as_secs_f64())
}

/// How often the system has put this thread aside for another. Where it does not say, every round counts.
fn put_aside() -> Option<u64> {
    let status = fs::read_to_string("/proc/thread-self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"))?;
    line.trim().parse().ok()
}
