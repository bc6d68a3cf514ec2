use std::time::Duration;

use proptest::prelude::*;

use super::{time::BUCKETS, *};

const FLAWS: [Flaw; 3] = [Flaw::Local, Flaw::Remote, Flaw::Slow];

fn seconds(at: u64) -> Nanos {
    Nanos::ZERO.after(Duration::from_secs(at))
}

fn call(at: u64, failed: bool) -> Call {
    Call {
        started: seconds(at),
        ended: seconds(at),
        flaws: Flaws([false, failed, false]),
    }
}

fn read(window: &mut TimeWindow, at: u64) -> (u64, u64) {
    window.forget(seconds(at));
    let tally = window.tally();
    (tally.calls, tally.failed())
}

#[test]
fn ten_buckets_roll_as_pollys_do() {
    let mut window = TimeWindow::new(Duration::from_secs(10));
    let mut reads = Vec::new();
    for at in [0, 2, 4, 6, 8] {
        window.push(&call(at, at < 4));
        window.push(&call(at, false));
        reads.push(read(&mut window, at + 2));
    }
    assert_eq!(reads, [(2, 1), (4, 2), (6, 2), (8, 2), (8, 1)]);
    assert_eq!(read(&mut window, 12), (6, 0));

    let mut window = TimeWindow::new(Duration::from_secs(10));
    for at in 0..10 {
        window.push(&call(at, false));
    }
    assert_eq!(read(&mut window, 10), (9, 0));
    assert_eq!(read(&mut window, 11), (8, 0));
}

#[test]
fn an_hour_forward_empties_it_and_an_hour_back_changes_nothing() {
    let mut window = TimeWindow::new(Duration::from_secs(10));
    for at in 7_200..7_205 {
        window.push(&call(at, true));
    }
    window.push(&call(3_600, true));
    assert_eq!(read(&mut window, 3_600), (6, 6));
    assert_eq!(read(&mut window, 7_205), (6, 6));
    assert_eq!(read(&mut window, 7_205 + 3_600), (0, 0));
    assert_eq!(window.earliest(Flaw::Remote), None);
    window.push(&Call {
        ended: Nanos::MAX,
        ..call(0, true)
    });
    assert_eq!(window.tally().calls, 1);
}

#[test]
fn a_healthy_window_of_any_size_takes_no_room() {
    let mut window = CountWindow::new(10_000);
    for at in 0..100_000 {
        window.push(&call(at, false));
    }
    assert_eq!((window.tally().calls, window.room()), (10_000, 0));
    for at in 0..100_000 {
        window.push(&call(at, true));
    }
    assert_eq!(window.tally().failed(), 10_000);
    assert!(window.room() < 20_000, "{}", window.room());
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    // Steps of time, now and then far forward, and backward where the step wraps below what is subtracted.
    let step = prop_oneof![9 => 0..30_u64, 1 => 100..300_u64];
    prop::collection::vec((step, 0..60_u64, 0..20_u64, any::<[bool; 3]>()), 0..120).prop_map(
        |calls| {
            let mut now = 0;
            calls
                .into_iter()
                .map(|(step, back, took, [failed, remote, slow])| {
                    now += step;
                    let ended = now.saturating_sub(if back < 10 { back } else { 0 });
                    Call {
                        started: Nanos::new(ended.saturating_sub(took)),
                        ended: Nanos::new(ended),
                        flaws: Flaws([failed && !remote, failed && remote, slow]),
                    }
                })
                .collect()
        },
    )
}

/// What a window must hold, counted anew from every call it ever saw.
fn naive(held: &[&Call]) -> (Tally, [Option<Nanos>; 3]) {
    let mut tally = Tally {
        calls: held.len() as u64,
        ..Tally::default()
    };
    held.iter().for_each(|call| tally.add(call.flaws));
    let earliest = FLAWS.map(|flaw| {
        let flawed = held.iter().filter(|call| call.flaws.has(flaw));
        flawed.map(|call| call.started).min()
    });
    (tally, earliest)
}

fn found(window: &Sliding) -> (Tally, [Option<Nanos>; 3]) {
    (window.tally(), FLAWS.map(|flaw| window.earliest(flaw)))
}

proptest! {
    #[test]
    fn a_count_window_is_its_last_calls(calls in calls(), size in 1..40_u32) {
        let mut window = Sliding::new(Window::Calls(size));
        for end in 1..=calls.len() {
            window.push(&calls[end - 1]);
            let held: Vec<&Call> = calls[end.saturating_sub(size as usize)..end].iter().collect();
            prop_assert_eq!(found(&window), naive(&held));
        }
        window.clear();
        prop_assert_eq!(found(&window), naive(&[]));
    }

    #[test]
    fn a_time_window_is_the_calls_of_its_last_ten_tenths(calls in calls(), width in 1..20_u64) {
        let mut window = Sliding::new(Window::Span(Duration::from_nanos(width * BUCKETS)));
        let mut latest = 0;
        let mut seen: Vec<(u64, &Call)> = Vec::new();
        for call in &calls {
            window.push(call);
            latest = call.ended.as_u64().max(latest);
            seen.push((latest / width, call));
            let held: Vec<&Call> = seen
                .iter()
                .filter(|(tenth, _)| tenth + BUCKETS > latest / width)
                .map(|(_, call)| *call)
                .collect();
            prop_assert_eq!(found(&window), naive(&held));
        }
        window.clear();
        prop_assert_eq!(found(&window), naive(&[]));
    }

    #[test]
    fn no_time_makes_a_window_panic(ends: Vec<u64>, span: u64, size: u32) {
        for window in [Window::Span(Duration::from_nanos(span)), Window::Span(Duration::MAX), Window::Calls(size)] {
            let mut window = Sliding::new(window);
            for end in &ends {
                let at = Nanos::new(*end);
                window.push(&Call { started: at, ended: at, flaws: Flaws([true; 3]) });
            }
            prop_assert!(window.tally().calls <= ends.len() as u64);
        }
    }
}
