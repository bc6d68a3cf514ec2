use super::*;
use super::{
    bank::Counter,
    burst::Burst,
    solve::{Steps, arl},
};
use crate::{
    Cause, Outcome,
    random::{Draws, unit},
};
use proptest::prelude::*;
use std::time::Duration;

fn fact(started: Nanos, now: Nanos, outcome: Outcome) -> Fact {
    Fact {
        started,
        now,
        outcome,
    }
}

fn failure(at: Nanos) -> Fact {
    fact(at, at, Outcome::Failure(Cause::Error))
}

fn seconds(seconds: u64) -> Nanos {
    Nanos::ZERO.after(Duration::from_secs(seconds))
}

fn cusum() -> Cusum {
    Cusum::new(Bank::design(0.01, 1e8))
}

/// Calls at 100 a second from a seeded world, from failure to failure.
struct World {
    draws: Draws,
    calls: u64,
}

impl World {
    fn seeded(seed: u64) -> Self {
        Self {
            draws: Draws::seeded(seed),
            calls: 0,
        }
    }

    fn unit(&mut self) -> f64 {
        unit(self.draws.next())
    }

    /// Successes before the next failure, which comes at the rate `p`.
    fn successes(&mut self, p: f64) -> u64 {
        ((1.0 - self.unit()).ln() / (1.0 - p).ln()) as u64
    }

    /// Lets so many calls succeed and one fail.
    fn fail(
        &mut self,
        successes: u64,
        cusum: &mut Cusum,
        burst: Option<&mut Burst>,
    ) -> Option<Alarm> {
        self.calls += successes + 1;
        let now = self.now();
        cusum.passed(successes);
        cusum.fade(now);
        if let Some(burst) = burst {
            burst.failure(successes, cusum.calm(), now);
            cusum.stretch(burst.scale());
        }
        cusum.record(&failure(now))
    }

    fn now(&self) -> Nanos {
        Nanos::new(self.calls * 10_000_000)
    }
}

/// The counters as written down by Page, one call at a time.
struct Twin {
    bank: Bank,
    stretch: f64,
    sums: [u64; 2],
    since: [u64; 2],
}

impl Twin {
    fn good(&mut self) {
        for (sum, counter) in self.sums.iter_mut().zip(self.bank.counters()) {
            *sum = sum.saturating_sub(u64::from(counter.steps.down));
        }
    }

    fn bad(&mut self, started: u64) -> bool {
        let mut alarm = false;
        for (index, counter) in self.bank.counters().into_iter().enumerate() {
            let (sum, since) = (&mut self.sums[index], &mut self.since[index]);
            let enough = (f64::from(counter.threshold) * self.stretch).ceil() as u64;
            *since = if *sum == 0 {
                started
            } else {
                started.min(*since)
            };
            *sum = (*sum + u64::from(counter.steps.up)).min(enough);
            alarm |= *sum == enough;
        }
        alarm
    }
}

#[derive(Clone, Debug)]
enum Step {
    Passed(u64),
    Good,
    Bad(u64),
    Silent,
    Stretch(f64),
    Reset,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0_u64..60).prop_map(Step::Passed),
        3 => Just(Step::Good),
        8 => (0_u64..1_000).prop_map(Step::Bad),
        1 => Just(Step::Silent),
        1 => (0.0..12.0).prop_map(Step::Stretch),
        1 => Just(Step::Reset),
    ];
    prop::collection::vec(step, 0..80)
}

fn banks() -> impl Strategy<Value = Bank> {
    (prop_oneof![Just(0.5), Just(0.2), 1e-3..0.1], 1e2..1e7)
        .prop_map(|(tolerable, target)| Bank::design(tolerable, target))
}

proptest! {
    #[test]
    fn does_as_the_naive_twin_does(bank in banks(), steps in steps()) {
        let mut cusum = Cusum::new(bank);
        let mut twin = Twin { bank, stretch: 1.0, sums: [0; 2], since: [0; 2] };
        for step in steps {
            match step {
                Step::Passed(successes) => {
                    cusum.passed(successes);
                    (0..successes).for_each(|_| twin.good());
                }
                Step::Good => {
                    prop_assert_eq!(cusum.record(&fact(Nanos::ZERO, Nanos::ZERO, Outcome::Success)), None);
                    twin.good();
                }
                Step::Bad(started) => {
                    let alarm = cusum.record(&fact(Nanos::new(started), Nanos::ZERO, Outcome::Late));
                    prop_assert_eq!(alarm.is_some(), twin.bad(started));
                    if let Some(Alarm { since }) = alarm {
                        prop_assert!(twin.since.contains(&since.as_u64()));
                    }
                }
                Step::Silent => {
                    prop_assert_eq!(cusum.record(&fact(Nanos::ZERO, Nanos::ZERO, Outcome::Cancelled)), None);
                }
                Step::Stretch(factor) => {
                    cusum.stretch(factor);
                    twin.stretch = factor.clamp(1.0, 10.0);
                }
                Step::Reset => {
                    cusum.reset();
                    twin.sums = [0; 2];
                }
            }
            prop_assert_eq!(cusum.calm(), twin.sums == [0; 2]);
            prop_assert!((0.0..=1.0).contains(&cusum.suspicion()));
        }
    }
}

#[test]
fn five_failures_are_enough_at_the_fifth_and_no_sooner() {
    let mut cusum = cusum();
    for at in 1..5 {
        assert_eq!(cusum.record(&failure(seconds(at))), None);
    }
    let since = seconds(1);
    assert_eq!(cusum.record(&failure(seconds(5))), Some(Alarm { since }));
}

#[test]
fn the_trouble_began_with_the_earliest_call_that_failed() {
    let mut cusum = cusum();
    let outcome = Outcome::Late;
    for started in [50, 10, 30, 40] {
        cusum.record(&fact(seconds(started), seconds(60), outcome));
    }
    let since = seconds(10);
    assert_eq!(
        cusum.record(&fact(seconds(50), seconds(60), outcome)),
        Some(Alarm { since })
    );
}

#[test]
fn a_failure_from_before_does_not_date_an_outage() {
    let mut cusum = cusum();
    cusum.record(&failure(seconds(1)));
    cusum.passed(30);
    let alarm = (100..).find_map(|at| cusum.record(&failure(seconds(at))));
    let since = seconds(100);
    // The slow counter still remembers the failure at 1 s.
    assert!(!cusum.calm() && cusum.slow.since() == seconds(1));
    assert_eq!(alarm, Some(Alarm { since }));
}

#[test]
fn an_alarm_nobody_acts_on_ends_with_the_failures() {
    let mut cusum = cusum();
    for at in 0..1_000 {
        cusum.record(&failure(seconds(at)));
    }
    assert!(cusum.suspicion() >= 1.0);
    cusum.passed(360);
    assert!(!cusum.calm());
    cusum.passed(1);
    assert!(cusum.calm());
}

#[test]
fn failures_an_hour_apart_never_add_up() {
    let mut cusum = cusum();
    for hour in 0..10_000 {
        assert_eq!(cusum.record(&failure(seconds(hour * 3_600))), None);
        assert!(cusum.suspicion() < 0.25);
    }
    // Nor with a few successes between.
    for hour in 10_000..20_000 {
        cusum.passed(5);
        assert_eq!(cusum.record(&failure(seconds(hour * 3_600))), None);
    }
}

#[test]
fn one_call_in_ten_seconds_is_traffic() {
    let mut cusum = cusum();
    let alarm = (1..).find(|call| cusum.record(&failure(seconds(call * 10))).is_some());
    assert_eq!(alarm, Some(5));
}

#[test]
fn a_clock_that_jumps_does_no_harm() {
    let mut cusum = cusum();
    for at in [100_000, 5, 100_001, 7] {
        assert_eq!(cusum.record(&failure(seconds(at))), None);
    }
    assert!(cusum.record(&failure(seconds(100_002))).is_some());
    // Forward by an hour: it has faded, but for the failure itself.
    assert_eq!(cusum.record(&failure(seconds(103_700))), None);
    assert!(cusum.suspicion() < 0.25);
    assert_eq!(cusum.record(&failure(Nanos::MAX)), None);
}

#[test]
fn evidence_keeps_its_place_under_new_thresholds() {
    let mut cusum = cusum();
    for at in 1..5 {
        cusum.record(&failure(seconds(at)));
    }
    let before = cusum.suspicion();
    for target in [1e12, 1e5, 1e8] {
        cusum.retarget(Bank::design(0.01, target));
        assert!((cusum.suspicion() - before).abs() < 1e-9, "{target}");
    }
    assert!(cusum.record(&failure(seconds(5))).is_some());
}

#[test]
fn stretched_it_asks_for_more() {
    for (factor, calls) in [(f64::NAN, 5), (0.1, 5), (2.0, 9), (10.0, 45), (1e9, 45)] {
        let mut cusum = cusum();
        cusum.stretch(factor);
        let alarm = (1..).find(|call| cusum.record(&failure(seconds(*call))).is_some());
        assert_eq!(alarm, Some(calls), "{factor}");
    }
}

#[test]
fn false_alarms_are_as_rare_as_designed() {
    let bank = Bank::design(0.01, 1e4);
    let (mut cusum, mut world) = (Cusum::new(bank), World::seeded(1));
    let mut alarms = 0.0;
    while world.calls < 10_000_000 {
        let successes = world.successes(0.01);
        if world.fail(successes, &mut cusum, None).is_some() {
            alarms += 1.0;
            cusum.reset();
        }
    }
    let want = 1e7 / bank.delay(0.01);
    // Three standard deviations of a Poisson count.
    assert!((alarms - want).abs() < 3.0 * want.sqrt(), "{alarms} {want}");
}

/// Mean calls from a change of the failure rate from 1 % to `p` until the alarm, with so many milliseconds between calls,
/// drawn at random; and the distances, in calls, from the change to when the alarm says it was.
fn changes(p: f64, apart: f64) -> (f64, Vec<f64>) {
    let mut delays = 0.0;
    let mut errors = Vec::new();
    for seed in 0..400 {
        let (mut cusum, mut world) = (cusum(), World::seeded(seed));
        let mut now = 0.0;
        let mut starts = Vec::new();
        let mut passed = 0;
        let since = loop {
            now -= (1.0 - world.unit()).ln() * apart * 1e6;
            let start = Nanos::new(now as u64);
            starts.push(start);
            if world.unit() >= if starts.len() > 500 { p } else { 0.01 } {
                passed += 1;
                continue;
            }
            cusum.passed(std::mem::take(&mut passed));
            if let Some(alarm) = cusum.record(&failure(start)) {
                break alarm.since;
            }
        };
        delays += (starts.len() - 500) as f64;
        let said = starts.partition_point(|start| *start < since) as f64;
        errors.push(said - 500.0);
    }
    errors.sort_by(f64::total_cmp);
    (delays / 400.0, errors)
}

#[test]
fn says_when_it_began() {
    for (p, median, mean) in [(0.2, 6.0, 13.0), (0.5, 1.0, 2.5), (1.0, 0.0, 0.5)] {
        let (_, errors) = changes(p, 10.0);
        let off = errors.iter().map(|error| error.abs()).sum::<f64>() / errors.len() as f64;
        let middle = errors[errors.len() / 2].abs();
        assert!(middle <= median && off < mean, "{p}: {middle} {off}");
    }
}

#[test]
fn fading_does_not_delay_where_there_is_traffic() {
    for p in [0.05, 0.1, 0.5] {
        let (busy, _) = changes(p, 10.0);
        let (thin, _) = changes(p, 2_000.0);
        assert!((thin / busy - 1.0).abs() < 0.02, "{p}: {thin} {busy}");
    }
}

#[test]
fn independent_failures_are_no_bursts() {
    let (mut cusum, mut world, mut burst) = (cusum(), World::seeded(3), Burst::new());
    while world.calls < 400_000 {
        let successes = world.successes(0.01);
        world.fail(successes, &mut cusum, Some(&mut burst));
        assert!(burst.scale() < 1.02, "{}", burst.scale());
    }
}

#[test]
fn failures_in_runs_raise_the_thresholds_until_false_alarms_are_rare_again() {
    let (mut cusum, mut world, mut burst) = (cusum(), World::seeded(4), Burst::new());
    // Runs of mean length 3, one failure in 100 calls over all.
    let (begin, stay) = (0.01 / (3.0 * 0.99), 2.0 / 3.0);
    let mut alarms = [0; 2];
    let mut successes = world.successes(begin);
    while world.calls < 10_000_000 {
        if world
            .fail(successes, &mut cusum, Some(&mut burst))
            .is_some()
        {
            cusum.reset();
            burst.discard();
            alarms[usize::from(world.calls > 360_000)] += 1;
        }
        let on = world.unit() < stay;
        successes = if on { 0 } else { 1 + world.successes(begin) };
    }
    // Unstretched, there would be one in some 3 000 calls; without a lift of 2, some seven.
    assert!(alarms[0] < 30 && alarms[1] == 0, "{alarms:?}");
}

#[test]
fn an_outage_teaches_nothing_of_bursts() {
    let (mut cusum, mut world, mut burst) = (cusum(), World::seeded(5), Burst::new());
    for _ in 0..200 {
        for _ in 0..40 {
            let successes = world.successes(0.005);
            world.fail(successes, &mut cusum, Some(&mut burst));
        }
        // Outages that fill several slots.
        loop {
            let successes = world.successes(0.1);
            if world
                .fail(successes, &mut cusum, Some(&mut burst))
                .is_some()
            {
                break;
            }
        }
        cusum.reset();
        burst.discard();
    }
    assert!(burst.scale() < 1.1, "{}", burst.scale());
}

#[test]
fn a_counter_of_any_weight_is_soon_calm_again() {
    for (up, down) in [(4_000, 1), (1, 1), (1, 9)] {
        let counter = Counter {
            steps: Steps { up, down },
            threshold: 30_000,
        };
        let mut evidence = Evidence::none(counter);
        evidence.add(Nanos::ZERO);
        evidence.relieve(u64::MAX);
        assert!(evidence.is_none() && arl(counter.steps, 1, 1.0) >= 1.0);
    }
}
