use proptest::prelude::*;

use super::*;
use crate::Cause;

fn rules() -> [HealthPolicy; 6] {
    [
        HealthPolicy::Cusum,
        HealthPolicy::consecutive(3),
        HealthPolicy::consecutive_by_origin(3),
        HealthPolicy::rate(RatePolicy::new().window(Window::Calls(3))),
        HealthPolicy::ewma(EwmaPolicy::new().window(Window::Calls(3))),
        HealthPolicy::phi(PhiPolicy::new()),
    ]
}

fn bank() -> Bank {
    Bank::design(0.01, 1e8)
}

fn fact(at: u64, outcome: Outcome) -> Fact {
    Fact {
        started: Nanos::new(at),
        now: Nanos::new(at),
        outcome,
    }
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Success),
        Just(Outcome::Failure(Cause::Error)),
        Just(Outcome::Failure(Cause::Connect)),
        Just(Outcome::Late),
        Just(Outcome::Cancelled),
        Just(Outcome::Overload(None)),
    ]
}

#[test]
fn after_an_alarm_and_a_reset_the_count_starts_at_nothing() {
    // Five failures after a return eject again: not six, not seven.
    let mut detector = Detector::new(&HealthPolicy::consecutive(5), bank);
    let mut alarms = |row: &str| {
        let outcomes = row.chars().map(|call| match call {
            'S' => Outcome::Success,
            _ => Outcome::Failure(Cause::Error),
        });
        let alarms: Vec<bool> = outcomes
            .map(|outcome| detector.record(&fact(1, outcome)).is_some())
            .collect();
        detector.reset();
        alarms.iter().position(|alarm| *alarm).map(|at| at + 1)
    };
    assert_eq!(alarms("FFFFSFFFF"), None);
    assert_eq!(alarms("FFFFSFFFFF"), Some(10));
    assert_eq!(alarms("FFFFF"), Some(5));
    assert_eq!(alarms("FF"), None);
    assert_eq!(alarms("FFFF"), None);
}

#[test]
fn only_the_rule_that_listens_for_silence_hears_it() {
    let day = Nanos::new(86_400_000_000_000);
    for policy in rules() {
        let mut detector = Detector::new(&policy, bank);
        detector.record(&fact(1, Outcome::Success));
        let silent = matches!(policy, HealthPolicy::Phi(_)).then_some(Alarm {
            since: Nanos::new(1),
        });
        assert_eq!(detector.wait(Nanos::new(1), day), silent, "{policy:?}");
    }
}

proptest! {
    #[test]
    fn successes_told_in_bulk_are_successes_recorded_each(
        calls in prop::collection::vec((0..4_u64, outcome()), 0..60),
    ) {
        for policy in rules() {
            let (mut each, mut bulk) = (Detector::new(&policy, bank), Detector::new(&policy, bank));
            for (at, (successes, outcome)) in calls.iter().enumerate() {
                let fact = |outcome| fact(at as u64, outcome);
                for _ in 0..*successes {
                    each.record(&fact(Outcome::Success));
                    if bulk.eager() {
                        bulk.record(&fact(Outcome::Success));
                    }
                }
                bulk.passed(*successes);
                prop_assert_eq!(each.record(&fact(*outcome)), bulk.record(&fact(*outcome)));
                prop_assert_eq!(each.calm(), bulk.calm());
            }
        }
    }

    #[test]
    fn a_reset_leaves_nothing_that_speaks_against_it(
        calls in prop::collection::vec((0..3_000_000_000_u64, outcome()), 0..60),
    ) {
        for policy in rules() {
            let mut detector = Detector::new(&policy, bank);
            prop_assert!(detector.calm());
            for (at, outcome) in &calls {
                detector.record(&fact(*at, *outcome));
            }
            detector.reset();
            prop_assert!(detector.calm());
            prop_assert_eq!(detector.wait(Nanos::ZERO, Nanos::MAX), None);
            prop_assert_eq!(detector.record(&fact(1, Outcome::Failure(Cause::Error))), None);
        }
    }
}
