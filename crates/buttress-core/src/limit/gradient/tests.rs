use proptest::prelude::*;

use super::*;

fn ms(millis: f64) -> Duration {
    Duration::from_secs_f64(millis / 1e3)
}

fn at(seconds: f64) -> Nanos {
    Nanos::ZERO.after(Duration::from_secs_f64(seconds))
}

fn seen(took: f64, in_flight: f64) -> Seen {
    Seen {
        calls: 100,
        took: ms(took),
        failed: 0,
        in_flight,
    }
}

/// At `limit`, after calls that took 10 ms at their best.
fn used(limit: u32) -> Gradient {
    let policy = AdaptivePolicy::new().initial(limit);
    let mut gradient = Gradient::new(policy, 1000, 1);
    gradient.window(&seen(10.0, 0.0), at(0.0));
    gradient
}

#[test]
fn steps_as_the_reference_does() {
    // Envoy's adaptive concurrency filter: limit 100, least latency 10 ms, buffer 25 %.
    for (took, limit) in [(25.0, 57), (5.0, 214), (20.0, 70)] {
        let mut gradient = used(100);
        gradient.best = Some(0.01);
        // In use to the last, or it would not grow; and 5 ms would be a new best, which the vector keeps at 10.
        gradient.follow(0.01, took / 1e3, 1e9, at(0.1));
        assert_eq!(gradient.limit(), limit, "{took} ms");
    }
}

#[test]
fn does_not_grow_beyond_twice_what_is_in_flight_nor_move_when_idle() {
    for (in_flight, limit) in [
        (0.0, 100),
        (49.0, 100),
        (50.0, 100),
        (60.0, 120),
        (100.0, 136),
    ] {
        let mut gradient = used(100);
        gradient.window(&seen(10.0, in_flight), at(0.1));
        assert_eq!(gradient.limit(), limit, "{in_flight} in flight");
    }
    let mut gradient = used(100);
    gradient.window(&seen(1_000.0, 10.0), at(0.1));
    assert_eq!(gradient.limit(), 100, "slow, but not for our load");
}

#[test]
fn failures_that_mean_overload_shrink_it_and_one_alone_does_not() {
    for (failed, limit) in [(0, 100), (1, 100), (2, 90), (100, 90)] {
        let mut gradient = used(100);
        let seen = Seen {
            failed,
            ..seen(10.0, 0.0)
        };
        gradient.window(&seen, at(0.1));
        assert_eq!(gradient.limit(), limit, "{failed} failed");
    }
    let mut gradient = used(100);
    let nothing_else = Seen {
        calls: 0,
        failed: 5,
        ..seen(0.0, 0.0)
    };
    (0..100).for_each(|_| gradient.window(&nothing_else, at(0.1)));
    assert_eq!(gradient.limit(), 3);
}

/// A service that works on `capacity` calls at once and makes the others wait, always asked for more than it can do.
struct Served {
    gradient: Gradient,
    capacity: f64,
    base: f64,
    now: f64,
}

impl Served {
    fn new(initial: u32, capacity: f64) -> Self {
        Self {
            gradient: Gradient::new(AdaptivePolicy::new().initial(initial), 1000, 7),
            capacity,
            base: 10.0,
            now: 0.0,
        }
    }

    /// So many seconds in windows of a tenth. Gives the range of the limit in the last ten of them, measuring aside.
    fn run(&mut self, seconds: f64) -> (u32, u32) {
        let end = self.now + seconds;
        let mut last = (u32::MAX, 0);
        while self.now < end {
            self.now += 0.1;
            let in_flight = self.gradient.limit;
            let took = self.base * (in_flight / self.capacity).max(1.0);
            self.gradient.window(&seen(took, in_flight), at(self.now));
            if self.now > end - 10.0 && matches!(self.gradient.measure, Measure::At(_)) {
                let limit = self.gradient.limit();
                last = (last.0.min(limit), last.1.max(limit));
            }
        }
        last
    }
}

#[test]
fn finds_what_the_service_can_bear_and_does_not_drift_in_an_hour() {
    for (initial, capacity) in [(20, 50.0), (20, 5.0), (200, 20.0), (3, 400.0)] {
        let mut served = Served::new(initial, capacity);
        for minutes in [2.0, 58.0] {
            let (least, most) = served.run(minutes * 60.0);
            // 1.25 of capacity, and the root of that as room to grow.
            let bound = 1.25 * capacity + (1.25 * capacity).sqrt() + 1.0;
            assert!(f64::from(least) >= capacity, "{least} of {capacity}");
            assert!(f64::from(most) <= bound, "{most} of {capacity}");
        }
    }
}

#[test]
fn a_service_that_has_become_slower_is_not_strangled_for_it() {
    let mut served = Served::new(20, 50.0);
    served.run(120.0);
    for base in [40.0, 10.0, 400.0] {
        served.base = base;
        let (least, most) = served.run(120.0);
        assert!((50..=72).contains(&least), "{base} ms: {least}");
        assert!(most <= 72, "{base} ms: {most}");
    }
}

#[test]
fn it_measures_once_a_minute_and_for_less_than_a_second() {
    let mut served = Served::new(20, 50.0);
    served.run(120.0);
    let mut lowered = 0;
    for _ in 0..6_000 {
        served.run(0.05);
        lowered += u32::from(!matches!(served.gradient.measure, Measure::At(_)));
    }
    assert!((10..=60).contains(&lowered), "{lowered} windows of 6000");
}

proptest! {
    #[test]
    fn it_stays_between_its_bounds_and_grows_only_in_use(
        windows in prop::collection::vec((0_u32..1_000, 0.0..1e4_f64, 0_u64..50, 0.0..2e3_f64), 0..200),
        least in 1_u32..50, more in 0_u32..500,
    ) {
        let policy = AdaptivePolicy::new().initial(least).least(least);
        let mut gradient = Gradient::new(policy, least + more, 1);
        for (index, (calls, took, failed, in_flight)) in windows.into_iter().enumerate() {
            let before = (gradient.limit(), gradient.measure);
            let seen = Seen { calls, took: ms(took), failed, in_flight };
            gradient.window(&seen, at(index as f64));
            prop_assert!((least..=least + more).contains(&gradient.limit()));
            if let (limit, Measure::At(_)) = before {
                let used = (2.0 * in_flight) as u32;
                prop_assert!(gradient.limit() <= limit.max(used), "{seen:?}");
            }
        }
    }
}
