use super::*;
use crate::Cause;

const FAILED: Outcome = Outcome::Failure(Cause::Error);
const UNSENT: Outcome = Outcome::Failure(Cause::Connect);

fn after(launched: u32, outcome: Outcome) -> Progress {
    Progress {
        deadline: None,
        launched,
        running: 0,
        sent: Nanos::new(100),
        hedge: None,
        agreed: 0,
        last: Some(Ended {
            outcome,
            at: Nanos::new(1_000),
        }),
        fresh: true,
        copy: true,
        idempotent: true,
        draw: u64::MAX,
    }
}

#[test]
fn one_call_may_ask_for_less_and_not_for_more() {
    let failover = Redundancy::failover(3);
    assert_eq!(failover.tightened(&Call::new().no_hedge()), failover);
    for redundancy in [failover, Redundancy::race(2), Redundancy::None] {
        for call in [Call::new().no_retry(), Call::new().extra()] {
            assert_eq!(redundancy.tightened(&call), Redundancy::None);
        }
    }
}

#[test]
fn failover_as_a_table() {
    let post = |launched, outcome| Progress {
        idempotent: false,
        ..after(launched, outcome)
    };
    let over = |launched, outcome| Progress {
        deadline: Some(Nanos::new(1_000)),
        ..after(launched, outcome)
    };
    for (what, progress, step) in [
        (
            "nothing sent",
            Progress {
                last: None,
                ..after(0, FAILED)
            },
            Step::Launch,
        ),
        (
            "one under way",
            Progress {
                last: None,
                running: 1,
                ..after(1, FAILED)
            },
            Step::Wait,
        ),
        ("success", after(1, Outcome::Success), Step::Stop),
        ("caller's fault", after(1, Outcome::CallerFault), Step::Stop),
        ("failure", after(1, FAILED), Step::Launch),
        (
            "overload, another endpoint",
            after(1, Outcome::Overload(None)),
            Step::Launch,
        ),
        ("second failure", after(2, FAILED), Step::Launch),
        ("attempts used up", after(3, FAILED), Step::Stop),
        ("deadline passed", over(1, FAILED), Step::Stop),
        (
            "no copy",
            Progress {
                copy: false,
                ..after(1, FAILED)
            },
            Step::Stop,
        ),
        ("not idempotent", post(1, FAILED), Step::Stop),
        (
            "not idempotent, timed out",
            post(1, Outcome::Failure(Cause::Timeout)),
            Step::Stop,
        ),
        (
            "not idempotent, reset",
            post(1, Outcome::Failure(Cause::Reset)),
            Step::Stop,
        ),
        ("not idempotent, unsent", post(1, UNSENT), Step::Launch),
    ] {
        assert_eq!(Redundancy::failover(3).next(&progress), step, "{what}");
    }
}

/// One is under way since 100, and nothing has failed.
fn under_way(launched: u32) -> Progress {
    Progress {
        running: launched,
        last: None,
        draw: 0,
        ..after(launched, FAILED)
    }
}

#[test]
fn a_hedge_as_a_table() {
    let delay = Duration::from_nanos(50);
    let (fixed, learned) = (Redundancy::hedge_after(3, delay), Redundancy::hedge(3));
    let known = |chance, draw| Progress {
        hedge: Some(HedgeAfter { delay, chance }),
        draw,
        ..under_way(1)
    };
    let at = Step::LaunchAt(Nanos::new(150));
    let with = |change: fn(&mut Progress)| {
        let mut progress = under_way(1);
        change(&mut progress);
        progress
    };
    let failed = |running, fresh| Progress {
        running,
        fresh,
        ..after(1 + running, FAILED)
    };
    for (what, way, progress, step) in [
        ("one under way", fixed, under_way(1), at),
        ("two under way", fixed, under_way(2), at),
        ("all under way", fixed, under_way(3), Step::Wait),
        ("no delay known", learned, under_way(1), Step::Wait),
        ("delay known", learned, known(1.0, u64::MAX), at),
        ("drawn", learned, known(0.5, 1 << 62), at),
        ("not drawn", learned, known(0.5, 3 << 62), Step::Wait),
        (
            "nobody else",
            fixed,
            with(|it| it.fresh = false),
            Step::Wait,
        ),
        ("no copy", fixed, with(|it| it.copy = false), Step::Wait),
        (
            "not idempotent",
            fixed,
            with(|it| it.idempotent = false),
            Step::Wait,
        ),
        (
            "too late for it",
            fixed,
            with(|it| it.deadline = Some(Nanos::new(150))),
            Step::Wait,
        ),
        (
            "a failure goes on at once",
            fixed,
            failed(1, true),
            Step::Launch,
        ),
        (
            "a failure, and nobody else",
            fixed,
            failed(1, false),
            Step::Wait,
        ),
        ("the last failure", fixed, after(3, FAILED), Step::Stop),
        ("an answer", fixed, after(2, Outcome::Success), Step::Stop),
    ] {
        assert_eq!(way.next(&progress), step, "{what}");
    }
}

#[test]
fn a_race_and_a_quorum_as_a_table() {
    let (race, quorum) = (Redundancy::race(3), Redundancy::quorum(2, 3));
    let agreed = |agreed, running| Progress {
        agreed,
        running,
        ..under_way(3)
    };
    let post = Progress {
        idempotent: false,
        ..under_way(1)
    };
    let lost = |launched, running, agreed| Progress {
        running,
        agreed,
        ..after(launched, FAILED)
    };
    for (what, way, progress, step) in [
        ("more to send", race, under_way(1), Step::Launch),
        ("all sent", race, under_way(3), Step::Wait),
        ("not idempotent", race, post, Step::Wait),
        ("one has failed", race, lost(3, 2, 0), Step::Wait),
        ("all have failed", race, lost(3, 0, 0), Step::Stop),
        ("more to ask", quorum, under_way(2), Step::Launch),
        ("all asked", quorum, under_way(3), Step::Wait),
        (
            "not idempotent: one cannot be enough",
            quorum,
            post,
            Step::Stop,
        ),
        ("one of two", quorum, agreed(1, 1), Step::Wait),
        ("enough", quorum, agreed(2, 1), Step::Stop),
        (
            "one failed, two may agree",
            quorum,
            lost(3, 2, 0),
            Step::Wait,
        ),
        ("two failed", quorum, lost(3, 1, 0), Step::Stop),
        (
            "one failed, one said something else",
            quorum,
            lost(3, 0, 1),
            Step::Stop,
        ),
    ] {
        assert_eq!(way.next(&progress), step, "{what}");
    }
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    for (way, field) in [
        (Redundancy::hedge(1), "redundancy.hedge"),
        (
            Redundancy::hedge_after(2, Duration::ZERO),
            "redundancy.hedge.after",
        ),
        (Redundancy::race(11), "redundancy.race"),
        (Redundancy::quorum(1, 1), "redundancy.quorum.of"),
        (Redundancy::quorum(0, 3), "redundancy.quorum.agree"),
        (Redundancy::quorum(4, 3), "redundancy.quorum.agree"),
    ] {
        assert_eq!(way.check().unwrap_err().field(), field);
    }
}

#[test]
fn none_sends_once() {
    assert_eq!(Redundancy::None.next(&after(1, UNSENT)), Step::Stop);
}

#[test]
fn the_same_endpoint_is_left_alone_for_a_while() {
    let again = Progress {
        fresh: false,
        ..after(1, FAILED)
    };
    let Step::LaunchAt(when) = Redundancy::failover(3).next(&again) else {
        unreachable!("not at once")
    };
    assert!(when.since(Nanos::new(1_000)) <= BACKOFF_BASE);
    let hint = Duration::from_secs(2);
    let asked = Progress {
        fresh: false,
        ..after(1, Outcome::Overload(Some(hint)))
    };
    assert_eq!(
        Redundancy::failover(3).next(&asked),
        Step::LaunchAt(Nanos::new(1_000).after(hint))
    );
}

#[test]
fn a_hint_is_clamped_and_one_beyond_the_deadline_ends_it() {
    let hint = Outcome::Overload(Some(Duration::from_secs(4_000)));
    let asked = Progress {
        fresh: false,
        ..after(1, hint)
    };
    let clamped = Nanos::new(1_000).after(LONGEST_HINT);
    assert_eq!(
        Redundancy::failover(3).next(&asked),
        Step::LaunchAt(clamped)
    );
    let late = Progress {
        deadline: Some(clamped),
        ..asked
    };
    assert_eq!(Redundancy::failover(3).next(&late), Step::Stop);
}

#[test]
fn whoever_asks_not_to_be_sent_it_again_is_obeyed() {
    for redundancy in [
        Redundancy::failover(3),
        Redundancy::hedge(3),
        Redundancy::quorum(1, 3),
    ] {
        for (fresh, running) in [(true, 0), (false, 0), (true, 1), (false, 1)] {
            let forbidden = Progress {
                fresh,
                running,
                ..after(1, Outcome::NOT_AGAIN)
            };
            let step = if running > 0 { Step::Wait } else { Step::Stop };
            assert_eq!(redundancy.next(&forbidden), step, "{redundancy} {fresh}");
        }
    }
    assert!(Outcome::NOT_AGAIN.forbids_more() && Outcome::NOT_AGAIN.may_improve());
    assert!(!Outcome::Overload(Some(Duration::ZERO)).forbids_more());
}

#[test]
fn zero_and_too_many_attempts_are_refused() {
    assert!(Redundancy::failover(0).check().is_err());
    assert!(Redundancy::failover(MAX_ATTEMPTS + 1).check().is_err());
    assert!(Redundancy::failover(MAX_ATTEMPTS).check().is_ok());
}
