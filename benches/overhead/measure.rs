//! How it is measured: paired rounds, and children under valgrind.

use std::{
    future::poll_fn,
    process::{Command, Stdio},
    sync::OnceLock,
    task::{Context, Poll, Waker},
    time::Duration,
};

use buttress::CLOCK;
use tokio::{runtime::Builder, task::unconstrained, time::sleep};

use crate::{
    CALLS, COUNTED,
    cases::{self, Case, Ends, PLACES, Place},
    support::Median,
};

/// What was found about a case. What could not be measured is none.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pub(crate) ns: Median,
    pub(crate) ratio: Median,
    pub(crate) clocks: Median,
    pub(crate) allocs: f64,
    pub(crate) instructions: Option<f64>,
    pub(crate) ends: Ends,
}

/// Measures all cases of a place, and with each place anew what a clock read costs.
pub(crate) fn place(
    place: Place,
    rounds: u64,
    seed: u64,
) -> Result<Vec<(&'static str, Figures)>, String> {
    let mut cases = cases::at(place, seed)?;
    if place == Place::Here {
        cases.insert(0, cases::clock());
    }
    let mut found = within(place, move |cx| measured(cases, rounds, cx))??;
    for (name, figures) in &mut found {
        figures.instructions = instructions(name, seed);
    }
    Ok(found)
}

/// Makes calls of one case and does nothing else, for whoever counts from outside.
pub(crate) fn only(name: &str, calls: u64, seed: u64) -> Result<(), String> {
    for place in PLACES {
        let mut cases = cases::at(place, seed)?;
        if place == Place::Here {
            cases.push(cases::clock());
        }
        if let Some(mut case) = cases.into_iter().find(|case| case.name == name) {
            within(place, move |cx| (case.calls)(cx, calls))?;
            return Ok(());
        }
    }
    Err(format!("no case {name:?}"))
}

fn measured(
    mut cases: Vec<Case>,
    rounds: u64,
    cx: &mut Context<'_>,
) -> Result<Vec<(&'static str, Figures)>, String> {
    let mut clock = cases::clock();
    let mut times = vec![Vec::new(); cases.len()];
    for round in 0..=rounds {
        let read = timed(&mut clock.calls, cx);
        for (case, times) in cases.iter_mut().zip(&mut times) {
            let (own, bare) = if round % 2 == 0 {
                let own = timed(&mut case.calls, cx);
                (own, timed(&mut case.bare, cx))
            } else {
                let bare = timed(&mut case.bare, cx);
                (timed(&mut case.calls, cx), bare)
            };
            // The first round warms up.
            if round > 0 {
                times.push((own, own / bare, own / read));
            }
        }
    }
    let mut found = Vec::new();
    for (mut case, times) in cases.into_iter().zip(times) {
        let mut ends = Ends::default();
        let counted = allocation_counter::measure(|| ends = (case.calls)(cx, COUNTED));
        let median = |of: fn(&(f64, f64, f64)) -> f64| {
            Median::of(times.iter().map(of).collect()).ok_or("no rounds, no figures")
        };
        let figures = Figures {
            ns: median(|times| times.0)?,
            ratio: median(|times| times.1)?,
            clocks: median(|times| times.2)?,
            allocs: counted.count_total as f64 / COUNTED as f64,
            instructions: None,
            ends,
        };
        found.push((case.name, figures));
    }
    Ok(found)
}

/// Nanoseconds per call of one batch.
fn timed<F>(calls: &mut F, cx: &mut Context<'_>) -> f64
where
    F: FnMut(&mut Context<'_>, u64) -> Ends,
{
    let before = CLOCK.now();
    let _ = calls(cx, CALLS);
    CLOCK.now().since(before).as_nanos() as f64 / CALLS as f64
}

/// Does `work` at a place, in one poll that no executor interrupts.
fn within<T: Send + 'static>(
    place: Place,
    work: impl FnOnce(&mut Context<'_>) -> T + Send + 'static,
) -> Result<T, String> {
    if place == Place::Here {
        return Ok(work(&mut Context::from_waker(Waker::noop())));
    }
    let mut work = Some(work);
    // Without `unconstrained`, tokio answers for timers after 128 of them without looking at them.
    let work = unconstrained(poll_fn(move |cx| {
        work.take()
            .map_or(Poll::Pending, |work| Poll::Ready(work(cx)))
    }));
    let ticking = async {
        loop {
            // Always due before the deadline of a call that starts now, and seldom enough not to be counted with it.
            sleep(Duration::from_millis(500)).await;
        }
    };
    let runtime = match place {
        Place::Current => Builder::new_current_thread().enable_all().build(),
        _ => Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build(),
    };
    let runtime = runtime.map_err(|error| error.to_string())?;
    if place != Place::Idle {
        runtime.spawn(ticking);
    }
    let work = async {
        // Lets the driver know of the tick.
        sleep(Duration::from_millis(1)).await;
        work.await
    };
    let done = runtime.block_on(runtime.spawn(work));
    done.map_err(|error| error.to_string())
}

/// Instructions per call: what more calls cost more, so that starting up is not in it.
fn instructions(name: &str, seed: u64) -> Option<f64> {
    let (few, more) = (2_000, 12_000);
    let counted = |calls: u64| collected(name, calls, seed);
    Some((counted(more)? - counted(few)?) / (more - few) as f64)
}

/// What callgrind counts in a child that makes so many calls.
fn collected(name: &str, calls: u64, seed: u64) -> Option<f64> {
    static VALGRIND: OnceLock<bool> = OnceLock::new();
    let there = VALGRIND.get_or_init(|| {
        let mut version = Command::new("valgrind");
        version
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        version.status().is_ok_and(|status| status.success())
    });
    if !there {
        return None;
    }
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().ok()?)
        .args([
            "--case",
            name,
            "--calls",
            &calls.to_string(),
            "--seed",
            &seed.to_string(),
        ])
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let said = String::from_utf8_lossy(&output.stderr);
    let count = said
        .lines()
        .find_map(|line| line.split_once("Collected : "))?
        .1;
    count.trim().parse().ok()
}
