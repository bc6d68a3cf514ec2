use proptest::prelude::*;

use super::*;
use crate::{BackoffPolicy, Jitter};

const SECOND: Duration = Duration::from_secs(1);

fn at(millis: u64) -> Nanos {
    Nanos::new(millis * 1_000_000)
}

fn policy() -> SupervisorPolicy {
    let backoff = BackoffPolicy::new().jitter(Jitter::None);
    SupervisorPolicy::new().backoff(backoff)
}

/// When runs begin and end, and whether in failure.
type Run = (u64, u64, bool);

fn decide(policy: SupervisorPolicy, runs: &[Run]) -> Vec<Next> {
    let mut supervision = Supervision::new(policy, 0);
    runs.iter()
        .map(|&(started, ended, failed)| supervision.ended(at(started), at(ended), failed))
        .collect()
}

const fn restart(millis: u64) -> Next {
    Next::Restart {
        after: Duration::from_millis(millis),
    }
}

#[test]
fn gives_up_as_otp_does() {
    let policy = policy().intensity(1, 5 * SECOND);
    let next = decide(
        policy,
        &[(0, 0, true), (0, 6_000, true), (6_000, 8_000, true)],
    );
    assert_eq!(
        next,
        [restart(100), restart(200), Next::GiveUp { restarts: 1 }]
    );
}

#[test]
fn is_run_again_after_the_ends_that_its_kind_says() {
    for (kind, after_failure, after_return) in [
        (Restart::Always, true, true),
        (Restart::OnFailure, true, false),
        (Restart::Never, false, false),
    ] {
        for (failed, again) in [(true, after_failure), (false, after_return)] {
            let next = decide(policy().restart(kind), &[(0, 10, failed)]);
            let expected = if again { restart(100) } else { Next::Finish };
            assert_eq!(next, [expected], "{kind:?}, failed: {failed}");
        }
    }
}

#[test]
fn waits_grow_until_a_run_has_lasted() {
    let runs = [
        (0, 1, true),
        (1, 2, true),
        (2, 3, true),
        (3, 60_002, true),
        (60_002, 120_002, true),
        (120_002, 120_003, true),
    ];
    let waits = [100, 200, 400, 800, 100, 200].map(restart);
    assert_eq!(decide(policy(), &runs), waits);
}

#[test]
fn no_restart_at_all_may_be_allowed() {
    let policy = policy().intensity(0, SECOND);
    assert_eq!(
        decide(policy, &[(0, 9_999, true)]),
        [Next::GiveUp { restarts: 0 }]
    );
}

#[test]
fn without_a_limit_it_is_never_given_up() {
    let runs: Vec<Run> = (0..10_000).map(|n| (n, n, true)).collect();
    let next = decide(policy().unlimited(), &runs);
    assert!(next.iter().all(|next| matches!(next, Next::Restart { .. })));
}

/// Remembers everything, and works each decision out from the beginning.
fn twin(policy: &SupervisorPolicy, past: &[(Run, Next)], run: Run) -> Next {
    let (started, ended, failed) = run;
    let again = match policy.restart {
        Restart::Always => true,
        Restart::OnFailure => failed,
        Restart::Never => false,
    };
    if !again {
        return Next::Finish;
    }
    let lasted = |run: Run| Duration::from_millis(run.1 - run.0) >= policy.reset_after;
    let recent = past
        .iter()
        .filter(|(run, next)| {
            matches!(next, Next::Restart { .. })
                && Duration::from_millis(ended - run.1) < policy.period
        })
        .count();
    if policy.period > Duration::ZERO && recent >= policy.intensity as usize {
        return Next::GiveUp {
            restarts: policy.intensity,
        };
    }
    let mut short = 1;
    if !lasted((started, ended, failed)) {
        for (run, next) in past.iter().rev() {
            short += u32::from(matches!(next, Next::Restart { .. }));
            if lasted(*run) && !matches!(next, Next::Finish) {
                // A run that lasted and was then given up began anew without a wait.
                break;
            }
        }
    }
    Next::Restart {
        after: policy.backoff.wait(short, 0),
    }
}

proptest! {
    #[test]
    fn decides_as_its_twin_that_remembers_everything(
        kind in prop_oneof![Just(Restart::Always), Just(Restart::OnFailure), Just(Restart::Never)],
        intensity in 0..6_u32,
        period in prop_oneof![Just(0), 1..20_000_u64],
        reset_after in 1..5_000_u64,
        steps in prop::collection::vec((0..3_000_u64, 0..6_000_u64, any::<bool>()), 0..60),
    ) {
        let policy = policy()
            .restart(kind)
            .reset_after(Duration::from_millis(reset_after))
            .intensity(intensity, Duration::from_millis(period));
        let mut supervision = Supervision::new(policy, 0);
        let (mut past, mut now) = (Vec::new(), 0);
        for (wait, length, failed) in steps {
            let run = (now + wait, now + wait + length, failed);
            now = run.1;
            let next = supervision.ended(at(run.0), at(run.1), failed);
            prop_assert_eq!(next, twin(&policy, &past, run), "{:?} after {:?}", run, past);
            past.push((run, next));
        }
    }

    /// Whoever obeys it restarts no more often in any period than is allowed.
    #[test]
    fn restarts_keep_the_limit_in_every_window(intensity in 0..6_u32, steps in prop::collection::vec(0..3_000_u64, 0..80)) {
        let period = 5_000;
        let policy = policy().intensity(intensity, Duration::from_millis(period));
        let mut supervision = Supervision::new(policy, 0);
        let (mut restarts, mut now) = (Vec::new(), 0);
        for length in steps {
            now += length;
            if let Next::Restart { .. } = supervision.ended(at(now - length), at(now), true) {
                restarts.push(now);
            }
            let within = restarts.iter().filter(|at| now - **at < period).count();
            prop_assert!(within <= intensity as usize);
        }
    }

    #[test]
    fn no_times_make_it_panic(times in prop::collection::vec((any::<u64>(), any::<u64>(), any::<bool>()), 0..50)) {
        let mut supervision = Supervision::new(SupervisorPolicy::new(), 0);
        for (started, ended, failed) in times {
            supervision.ended(Nanos::new(started), Nanos::new(ended), failed);
        }
    }
}
