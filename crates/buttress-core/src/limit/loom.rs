//! Every order in which threads may take places, give them back and wait for one.

use std::task::Waker;

use ::loom::{
    sync::atomic::{AtomicUsize, Ordering},
    thread::spawn,
};

use super::*;
use crate::Priority;
use crate::sync::Arc;

const LANES: usize = 3;

struct Hall {
    places: Places,
    tills: [Till; LANES],
    inside: AtomicUsize,
    limit: std::sync::atomic::AtomicUsize,
}

impl Hall {
    /// Where one place in the pool is plenty, places are mostly in tills; where seven are, they never are.
    fn new(limit: u32, plenty: u64) -> Arc<Self> {
        Arc::new(Self {
            places: Places::with_plenty(limit, plenty),
            tills: std::array::from_fn(|_| Till::new()),
            inside: AtomicUsize::new(0),
            limit: std::sync::atomic::AtomicUsize::new(limit as usize),
        })
    }

    fn enter(&self, lane: usize) -> bool {
        let entered = self.places.enter(&self.tills[lane], || self.tills.iter());
        if entered {
            self.is_in();
        }
        entered
    }

    fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    fn is_in(&self) {
        let inside = self.inside.fetch_add(1, Ordering::Relaxed) + 1;
        let limit = self.limit();
        assert!(inside <= limit, "{inside} of {limit} places");
    }

    fn leave(&self, lane: usize) {
        self.inside.fetch_sub(1, Ordering::Relaxed);
        self.places.leave(&self.tills[lane]);
    }

    fn line_up(&self) -> Lined {
        self.places
            .line_up(8, Level::new(Priority::Normal, 0), &self.tills.iter())
    }

    fn poll(&self, number: u64) -> bool {
        let served = self.places.poll(number, Waker::noop()) == Turn::Comes;
        if served {
            self.is_in();
        }
        served
    }

    /// Nobody is in: as many may enter as there are places, and no more.
    fn is_whole(&self) {
        assert!((0..self.limit()).all(|_| self.enter(2)), "a place is lost");
        assert!(!self.enter(1), "a place too many");
    }
}

fn waits(hall: &Hall) -> u64 {
    match hall.line_up() {
        Lined::Up { number, .. } => number,
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_two_calls_hold_one_place_and_none_is_lost() {
    for (limit, plenty) in [(1, 1), (1, 7), (2, 1)] {
        ::loom::model(move || {
            let hall = Hall::new(limit, plenty);
            let calls = [0, 1].map(|lane| {
                let hall = Arc::clone(&hall);
                spawn(move || {
                    if hall.enter(lane) {
                        hall.leave(lane);
                    }
                })
            });
            if hall.enter(2) {
                hall.leave(2);
            }
            calls.into_iter().for_each(|call| call.join().unwrap());
            hall.is_whole();
        });
    }
}

#[test]
fn nobody_is_refused_while_places_lie_in_the_tills_of_others() {
    ::loom::model(|| {
        let hall = Hall::new(2, 1);
        // Both places lie in the till of the first lane.
        assert!(hall.enter(0) && hall.enter(0));
        (0..2).for_each(|_| hall.leave(0));
        let other = Arc::clone(&hall);
        let other = spawn(move || other.enter(1));
        assert!(hall.enter(2));
        assert!(other.join().unwrap());
    });
}

#[test]
fn whoever_waits_while_the_last_one_leaves_is_served() {
    for plenty in [1, 7] {
        ::loom::model(move || {
            let hall = Hall::new(1, plenty);
            assert!(hall.enter(0));
            let leaving = Arc::clone(&hall);
            let leaving = spawn(move || leaving.leave(0));
            let served = match hall.line_up() {
                Lined::Up { number, .. } => Some(number),
                other => {
                    assert_eq!(other, Lined::Place);
                    hall.is_in();
                    None
                }
            };
            leaving.join().unwrap();
            if let Some(number) = served {
                assert!(hall.poll(number), "forgotten");
            }
            hall.leave(1);
            hall.is_whole();
        });
    }
}

#[test]
fn a_place_given_to_one_who_is_leaving_goes_to_the_next() {
    ::loom::model(|| {
        let hall = Hall::new(1, 1);
        assert!(hall.enter(0));
        let (first, second) = (waits(&hall), waits(&hall));
        let leaving = Arc::clone(&hall);
        let leaving = spawn(move || leaving.leave(0));
        hall.places.step_out(first);
        leaving.join().unwrap();
        assert!(hall.poll(second), "forgotten");
        hall.leave(1);
        hall.is_whole();
    });
}

#[test]
fn nobody_overtakes_one_who_waits() {
    ::loom::model(|| {
        let hall = Hall::new(1, 1);
        assert!(hall.enter(0));
        let first = waits(&hall);
        let late = Arc::clone(&hall);
        let late = spawn(move || late.enter(1));
        hall.leave(0);
        assert!(!late.join().unwrap(), "overtaken");
        assert!(hall.poll(first));
    });
}

#[test]
fn a_limit_that_falls_and_rises_while_calls_come_and_go_loses_no_place_and_makes_none() {
    ::loom::model(|| {
        let hall = Hall::new(2, 1);
        assert!(hall.enter(0));
        let other = Arc::clone(&hall);
        let other = spawn(move || {
            other.leave(0);
            if other.enter(1) {
                other.leave(1);
            }
        });
        hall.places.resize(1, 0, &hall.tills.iter());
        other.join().unwrap();
        hall.set_limit(1);
        hall.is_whole();
    });
}

#[test]
fn whoever_waits_while_the_limit_rises_is_served() {
    ::loom::model(|| {
        let hall = Hall::new(1, 1);
        hall.set_limit(2);
        assert!(hall.enter(0));
        let growing = Arc::clone(&hall);
        let growing = spawn(move || growing.places.resize(2, 0, &growing.tills.iter()));
        let lined = hall.line_up();
        growing.join().unwrap();
        match lined {
            Lined::Up { number, .. } => assert!(hall.poll(number), "forgotten"),
            other => assert_eq!(other, Lined::Place),
        }
    });
}
