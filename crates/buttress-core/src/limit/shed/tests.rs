use proptest::prelude::*;

use super::*;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A service that begins `bears` calls an interval, while so many come of each kind: priority, caller, calls.
struct Played {
    shed: Shed,
    begun: u64,
    now: u64,
}

impl Played {
    fn new() -> Self {
        Self {
            shed: Shed::new(ShedPolicy::new(), Nanos::ZERO),
            begun: 0,
            now: 0,
        }
    }

    /// Gives how many of each kind were let in, in the last interval.
    fn run(&mut self, intervals: u64, bears: u64, kinds: &[(Priority, u64, u64)]) -> Vec<u64> {
        let mut let_in = Vec::new();
        for _ in 0..intervals {
            let of_kind = |&(priority, caller, calls): &(Priority, u64, u64)| {
                (0..calls)
                    .filter(|_| self.shed.lets_in(Level::new(priority, caller)))
                    .count() as u64
            };
            let_in = kinds.iter().map(of_kind).collect();
            let total: u64 = let_in.iter().sum();
            self.begun += total.min(bears);
            (0..5).for_each(|rank| {
                self.shed
                    .waited(rank << RANK_AT, ms(if total > bears { 50 } else { 0 }))
            });
            self.now += 100;
            let now = Nanos::ZERO.after(ms(self.now));
            self.shed.look(total > bears, self.begun, now);
        }
        let_in
    }
}

#[test]
fn the_least_important_are_turned_away_and_the_others_keep_all() {
    let kinds = [
        (Priority::Sheddable, 1, 40),
        (Priority::Normal, 1, 40),
        (Priority::Critical, 1, 40),
    ];
    let mut played = Played::new();
    assert_eq!(played.run(5, 1_000, &kinds), [40, 40, 40]);
    // One interval to see it, and the next is within what can be done.
    assert_eq!(played.run(2, 82, &kinds), [0, 40, 40]);
    assert_eq!(played.run(1, 1_000, &kinds)[1..], [40, 40]);
}

#[test]
fn within_a_priority_whole_callers_are_turned_away_and_come_back_by_degrees() {
    let kinds: Vec<_> = (0..100)
        .map(|caller| (Priority::Normal, caller, 2))
        .collect();
    let mut played = Played::new();
    played.run(5, 1_000, &kinds);
    let let_in = played.run(10, 140, &kinds);
    assert!(let_in.iter().all(|calls| [0, 2].contains(calls)));
    let served = let_in.iter().filter(|calls| **calls == 2).count();
    assert!((60..=75).contains(&served), "{served} of 100 callers");
    let after = played.run(12, 1_000, &kinds);
    let back = after.iter().filter(|calls| **calls == 2).count();
    assert!(back > served && back < 100, "{back} after {served}");
    assert_eq!(played.run(60, 1_000, &kinds).iter().sum::<u64>(), 200);
}

#[test]
fn nobody_is_let_in_again_before_a_second_without_overload() {
    let kinds = [(Priority::Low, 1, 100), (Priority::Normal, 1, 100)];
    let mut played = Played::new();
    played.run(3, 1_000, &kinds);
    played.run(1, 100, &kinds);
    assert_eq!(played.run(10, 1_000, &kinds), [0, 100]);
    assert_eq!(played.run(2, 1_000, &kinds), [100, 100]);
}

#[test]
fn a_caller_without_whom_there_would_be_less_to_do_than_can_be_done_is_let_in() {
    let kinds = [(Priority::Low, 1, 60), (Priority::Normal, 1, 60)];
    assert_eq!(Played::new().run(20, 100, &kinds), [60, 60]);
}

#[test]
fn what_is_critical_is_never_turned_away() {
    let kinds = [(Priority::Critical, 1, 100), (Priority::High, 1, 100)];
    assert_eq!(Played::new().run(100, 10, &kinds), [100, 0]);
}

#[test]
fn a_queue_that_empties_or_moves_in_time_is_no_overload() {
    for (waits, stood, shortest) in [
        (false, 0, Some(50)),
        (true, 30, Some(50)),
        (true, 0, Some(20)),
    ] {
        let mut shed = Shed::new(ShedPolicy::new(), Nanos::ZERO);
        (0..10).for_each(|_| _ = shed.lets_in(Level::new(Priority::Low, 0)));
        shed.stands(Nanos::ZERO.after(ms(stood)));
        if let Some(shortest) = shortest {
            shed.waited(3 << RANK_AT, ms(shortest));
        }
        let now = Nanos::ZERO.after(ms(100));
        assert!(!shed.look(waits, 0, now));
        assert_eq!(shed.threshold(), 0);
    }
    // Nobody came out at all.
    let mut shed = Shed::new(ShedPolicy::new(), Nanos::ZERO);
    shed.lets_in(Level::new(Priority::Low, 0));
    assert!(shed.look(true, 0, Nanos::ZERO.after(ms(100))));
}

proptest! {
    #[test]
    fn the_threshold_stays_in_its_range(
        steps in prop::collection::vec((0_usize..5, 0_u64..1_000, any::<bool>(), 0_u64..100, 0_u64..10_000), 0..300),
    ) {
        let mut shed = Shed::new(ShedPolicy::new(), Nanos::ZERO);
        let (mut begun, mut now) = (0, 0);
        for (priority, caller, waits, wait, more) in steps {
            let level = Level::new(Priority::ALL[priority], caller);
            prop_assert_eq!(shed.lets_in(level), level.0 >= shed.threshold());
            shed.waited(u64::from(wait % 7 == 0) << RANK_AT, ms(wait));
            begun += more;
            now += more;
            shed.look(waits, begun, Nanos::ZERO.after(ms(now)));
            prop_assert!(shed.threshold() <= HIGHEST);
        }
    }
}
