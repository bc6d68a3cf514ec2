//! Places and their queue, one thread at a time, against a twin that only counts.

use std::{
    collections::{HashSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Wake, Waker},
};

use proptest::prelude::*;

use super::*;
use crate::Priority;

const LANES: usize = 3;

/// A pool with its tills.
struct Hall {
    places: Places,
    tills: [Till; LANES],
}

impl Hall {
    fn new(limit: u32, plenty: u64) -> Self {
        Self {
            places: Places::with_plenty(limit, plenty),
            tills: std::array::from_fn(|_| Till::new()),
        }
    }

    fn enter(&self, lane: usize) -> bool {
        self.places
            .enter(&self.tills[lane % LANES], || self.tills.iter())
    }

    fn leave(&self, lane: usize) {
        self.places.leave(&self.tills[lane % LANES]);
    }

    fn resize(&self, limit: u32) {
        self.places.resize(limit, 1, &self.tills.iter());
    }

    fn line_up(&self, most: usize) -> Lined {
        self.places
            .line_up(most, Level::new(Priority::Normal, 0), &self.tills.iter())
    }

    fn poll(&self, number: u64) -> bool {
        self.places.poll(number, Waker::noop()) == Turn::Comes
    }
}

struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn refuses_the_call_for_which_there_is_no_place_on_any_lane() {
    for (limit, plenty) in [(1, 1), (1, 6), (5, 1), (5, 6), (100, 25)] {
        let hall = Hall::new(limit, plenty);
        for round in 0..3 {
            assert!((0..limit as usize).all(|call| hall.enter(call + round)));
            assert!((0..LANES).all(|lane| !hall.enter(lane)) && hall.places.full());
            // All come back on one lane, and are to be had on the others.
            (0..limit).for_each(|_| hall.leave(round));
        }
    }
}

#[test]
fn a_place_that_comes_back_goes_to_the_first_who_waits_and_tells_him_alone() {
    let hall = Hall::new(1, 1);
    assert!(hall.enter(0));
    let (Lined::Up { number: first, .. }, Lined::Up { number: second, .. }) =
        (hall.line_up(2), hall.line_up(2))
    else {
        panic!("there is no place");
    };
    assert_eq!(hall.line_up(2), Lined::Full);
    let bells = [first, second].map(|number| {
        let bell = Arc::new(Bell(AtomicUsize::new(0)));
        let turn = hall.places.poll(number, &Arc::clone(&bell).into());
        assert_eq!(turn, Turn::Waits);
        bell
    });
    let rung = || bells.each_ref().map(|bell| bell.0.load(Ordering::SeqCst));
    hall.leave(0);
    assert_eq!(rung(), [1, 0]);
    assert!(!hall.enter(1), "it is somebody's already");
    assert!(hall.poll(first) && !hall.poll(second));
    hall.leave(1);
    assert!(hall.poll(second) && !hall.enter(0));
    hall.leave(2);
    assert!(hall.enter(0));
}

#[test]
fn a_place_given_to_one_who_leaves_goes_to_the_next() {
    let hall = Hall::new(1, 1);
    assert!(hall.enter(0));
    let (Lined::Up { number: first, .. }, Lined::Up { number: second, .. }) =
        (hall.line_up(2), hall.line_up(2))
    else {
        panic!("there is no place");
    };
    hall.leave(0);
    hall.places.step_out(first);
    assert!(hall.poll(second));
    hall.leave(0);
    assert!(hall.enter(1), "nobody is left to wait");
}

#[test]
fn whoever_gives_up_waiting_holds_nobody_up() {
    let hall = Hall::new(1, 1);
    assert!(hall.enter(0));
    let Lined::Up { number, .. } = hall.line_up(1) else {
        panic!("there is no place");
    };
    hall.places.step_out(number);
    hall.leave(0);
    assert!(hall.enter(0) && !hall.enter(1));
}

#[derive(Clone, Debug)]
enum Event {
    Enter(usize),
    Leave(usize),
    LineUp,
    Poll(usize),
    StepOut(usize),
    Resize(u32),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let lane = 0..LANES;
    let one = prop_oneof![
        4 => lane.clone().prop_map(Event::Enter),
        4 => lane.prop_map(Event::Leave),
        2 => Just(Event::LineUp),
        2 => (0..8_usize).prop_map(Event::Poll),
        1 => (0..8_usize).prop_map(Event::StepOut),
        1 => (1_u32..9).prop_map(Event::Resize),
    ];
    prop::collection::vec(one, 0..200)
}

/// The same, by counting.
#[derive(Default)]
struct Twin {
    taken: usize,
    waiting: VecDeque<u64>,
    given: HashSet<u64>,
}

impl Twin {
    fn serve(&mut self, limit: u32) {
        self.taken -= 1;
        self.fill(limit);
    }

    fn fill(&mut self, limit: u32) {
        while self.taken < limit as usize
            && let Some(number) = self.waiting.pop_front()
        {
            self.taken += 1;
            self.given.insert(number);
        }
    }
}

proptest! {
    #[test]
    fn does_what_one_that_only_counts_would_do(
        events in events(), mut limit in 1_u32..7, plenty in 1_u64..8, most in 0_usize..4,
    ) {
        let hall = Hall::new(limit, plenty);
        // Given places count as taken.
        let mut twin = Twin::default();
        let mut held = 0;
        for event in events {
            let room = twin.taken < limit as usize;
            let nth = |index: usize| {
                let mut all: Vec<u64> = twin.waiting.iter().chain(&twin.given).copied().collect();
                all.sort_unstable();
                all.get(index % all.len().max(1)).copied()
            };
            match event {
                Event::Enter(lane) => {
                    prop_assert_eq!(hall.enter(lane), room);
                    twin.taken += usize::from(room);
                    held += usize::from(room);
                }
                Event::Leave(lane) => {
                    if held > 0 {
                        held -= 1;
                        hall.leave(lane);
                        twin.serve(limit);
                    }
                }
                Event::LineUp => match hall.line_up(most) {
                    Lined::Place => {
                        prop_assert!(room);
                        twin.taken += 1;
                        held += 1;
                    }
                    Lined::Full => prop_assert!(!room && twin.waiting.len() >= most),
                    Lined::Up { number, .. } => {
                        prop_assert!(!room && twin.waiting.len() < most);
                        twin.waiting.push_back(number);
                    }
                },
                Event::Resize(to) => {
                    limit = to;
                    hall.resize(to);
                    twin.fill(limit);
                }
                Event::Poll(index) => {
                    if let Some(number) = nth(index) {
                        let given = twin.given.remove(&number);
                        prop_assert_eq!(hall.poll(number), given);
                        held += usize::from(given);
                    }
                }
                Event::StepOut(index) => {
                    if let Some(number) = nth(index) {
                        hall.places.step_out(number);
                        twin.waiting.retain(|other| *other != number);
                        if twin.given.remove(&number) {
                            twin.serve(limit);
                        }
                    }
                }
            }
            prop_assert!(!hall.places.full() || twin.taken >= limit as usize);
        }
    }
}
