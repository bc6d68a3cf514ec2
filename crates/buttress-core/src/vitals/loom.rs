//! Two or three calls to one endpoint, in every interleaving.

use std::time::Duration;

use ::loom::thread::{JoinHandle, spawn};

use super::{
    lane::{made, take_lane},
    *,
};
use crate::{BreakerPolicy, Cause, Health, HealthPolicy, TrialPolicy};

const FAILED: Outcome = Outcome::Failure(Cause::Error);

fn at(millis: u64) -> Nanos {
    Nanos::ZERO.after(Duration::from_millis(millis))
}

/// Down after so many facts, and up again after one good probe. A call is late after a quarter of a second.
///
/// What there is to learn it learns now, and not again before a second has passed.
fn vitals(failures: u32, parts: Parts) -> Vitals {
    watched(failures, parts, breaker().close_after(1))
}

fn breaker() -> BreakerPolicy {
    BreakerPolicy::new()
        .open_for(Duration::from_millis(100))
        .up_to(Duration::from_millis(100))
        .lease(Duration::from_millis(200))
}

fn watched(failures: u32, parts: Parts, breaker: BreakerPolicy) -> Vitals {
    let rules = Rules {
        health: HealthPolicy::consecutive(failures),
        timeout: Some(Duration::from_millis(500)),
        breaker,
        parts,
        ..Rules::default()
    };
    let destination = Destination::new("db", &rules, &Host::new(Clock(|| at(600))));
    assert_eq!(destination.tick(at(0)), None);
    made(destination.alone())
}

/// Without ages: there is nothing to look for.
fn ageless() -> Parts {
    Parts {
        health: false,
        ..Parts::default()
    }
}

/// Down after one failure.
fn plain() -> Vitals {
    vitals(1, ageless())
}

/// Down after one failure, and up again once this many of two probes were good, which may be under way at once.
fn classic(good: u32) -> Vitals {
    let trial = TrialPolicy::KOfN { good, of: 2 };
    watched(1, ageless(), breaker().trial(trial))
}

/// Not down in any of these models, where calls are looked for.
fn aged() -> Vitals {
    vitals(u32::MAX, Parts::default())
}

fn begin(vitals: &Vitals, millis: u64) -> Permit {
    vitals.permit(at(millis)).unwrap()
}

fn fail(vitals: &Vitals, millis: u64) {
    vitals.record(begin(vitals, millis), at(millis), FAILED);
}

/// On a lane of its own.
fn beside<T: 'static>(vitals: &Vitals, act: impl FnOnce(Vitals) -> T + 'static) -> JoinHandle<T> {
    let vitals = vitals.clone();
    spawn(move || {
        take_lane(1);
        act(vitals)
    })
}

/// When it was open, and then asked: the first time at which that lets a probe out.
fn due(vitals: &Vitals) -> u64 {
    vitals.due(Nanos::ZERO).as_u64().div_ceil(1_000_000)
}

fn look(vitals: &Vitals, millis: u64) -> bool {
    vitals.known().look(at(millis))
}

#[test]
fn a_call_that_begins_while_the_last_look_finds_nothing_is_looked_for() {
    // Before the time of the look, at it and after it: clocks of two threads are read in any order.
    for begun in [550, 600, 650] {
        ::loom::model(move || {
            let vitals = aged();
            // One call had somebody look, and is gone.
            let gone = begin(&vitals, 0);
            vitals.record(gone, at(1), Outcome::Cancelled);
            let call = beside(&vitals, move |vitals| begin(&vitals, begun));
            look(&vitals, 600);
            let call = call.join().unwrap();
            look(&vitals, begun + 300);
            assert_eq!(vitals.known().census_since().late, 1);
            vitals.record(call, at(begun + 301), Outcome::Cancelled);
            assert_eq!(vitals.snapshot(at(begun + 301)).counts.in_flight(), 0);
        });
    }
}

#[test]
fn of_two_calls_that_begin_while_one_looks_none_is_forgotten() {
    ::loom::model(|| {
        let vitals = aged();
        let gone = begin(&vitals, 0);
        vitals.record(gone, at(1), Outcome::Cancelled);
        let calls = [600, 601].map(|begun| beside(&vitals, move |vitals| begin(&vitals, begun)));
        look(&vitals, 600);
        calls.into_iter().for_each(|call| _ = call.join().unwrap());
        look(&vitals, 900);
        assert_eq!(vitals.known().census_since().late, 2);
    });
}

/// How many look after the calls of `vitals` when the attendant would leave while `calls` begin to wait.
fn attendants(vitals: &Vitals, calls: Vec<JoinHandle<bool>>) -> usize {
    let stays = vitals.destination().tick(at(600)).is_some();
    let claims = calls.into_iter().map(|call| call.join().unwrap());
    claims.filter(|claims| *claims).count() + usize::from(stays)
}

/// Begins a call that waits. Is it for the caller to look after it?
fn wait(vitals: &Vitals) -> bool {
    begin(vitals, 600);
    vitals.0.mine().unattended().is_some()
}

fn attended() -> Vitals {
    let vitals = aged();
    assert!(vitals.known().destination.norm.claim(at(600)));
    vitals
}

#[test]
fn calls_that_begin_to_wait_while_the_attendant_leaves_have_one_attendant() {
    for waiting in [1, 2] {
        ::loom::model(move || {
            let vitals = attended();
            let calls = (0..waiting).map(|_| beside(&vitals, |vitals| wait(&vitals)));
            let calls = calls.collect();
            assert_eq!(attendants(&vitals, calls), 1);
        });
    }
}

#[test]
fn a_look_of_a_call_without_a_place_hides_nobody_from_the_attendant() {
    ::loom::model(|| {
        let vitals = attended();
        // The first lane is full of calls that were found late and hang on; nobody looks for them again.
        begin(&vitals, 0);
        begin(&vitals, 0);
        assert!(!look(&vitals, 251));
        // One call on the other had somebody look, and is gone.
        let gone = beside(&vitals, |vitals| {
            let gone = begin(&vitals, 300);
            vitals.record(gone, at(301), Outcome::Cancelled);
        });
        gone.join().unwrap();
        let placeless = vitals.clone();
        let placeless = spawn(move || begin(&placeless, 600));
        let call = beside(&vitals, |vitals| wait(&vitals));
        assert_eq!(attendants(&vitals, vec![call]), 1);
        assert_eq!(placeless.join().unwrap().seat.place, None);
    });
}

#[test]
fn of_two_calls_that_ask_when_it_is_due_one_is_the_probe() {
    ::loom::model(|| {
        let vitals = plain();
        fail(&vitals, 1);
        let due = due(&vitals);
        let other = beside(&vitals, move |vitals| vitals.permit(at(due)));
        let asked = [vitals.permit(at(due)), other.join().unwrap()];
        let probes: Vec<Permit> = asked.into_iter().flatten().collect();
        assert!(matches!(probes[..], [probe] if probe.is_probe()));
        assert_eq!(vitals.snapshot(at(due)).counts.rejected, 1);
    });
}

#[test]
fn a_late_result_of_an_older_generation_decides_nothing() {
    for outcome in [FAILED, Outcome::Success, Outcome::Cancelled] {
        ::loom::model(move || {
            let vitals = plain();
            let old = begin(&vitals, 0);
            fail(&vitals, 1);
            let due = due(&vitals);
            let late = beside(&vitals, move |vitals| vitals.record(old, at(due), outcome));
            let probe = begin(&vitals, due);
            vitals.record(probe, at(due), Outcome::Success);
            late.join().unwrap();
            assert!(probe.is_probe());
            assert_eq!(vitals.state(), BreakerState::Closed);
            assert_eq!(vitals.snapshot(at(due)).health, Health::Healthy);
        });
    }
}

#[test]
fn the_permit_of_a_dropped_probe_comes_back() {
    ::loom::model(|| {
        let vitals = plain();
        fail(&vitals, 1);
        let due = due(&vitals);
        let probe = begin(&vitals, due);
        let other = beside(&vitals, move |vitals| vitals.permit(at(due + 1)).is_ok());
        vitals.record(probe, at(due + 1), Outcome::Cancelled);
        let out = other.join().unwrap();
        // One that has got it meanwhile has it until its lease ends, and it has failed.
        let again = |millis| vitals.permit(at(millis)).is_ok();
        assert_eq!(again(due + 101), !out);
        assert!(!out || !again(due + 201) && again(due + 400), "wedged");
    });
}

#[test]
fn no_result_of_a_probe_beside_a_call_that_asks_wedges_it() {
    for outcome in [FAILED, Outcome::Success, Outcome::Cancelled] {
        ::loom::model(move || {
            let vitals = plain();
            fail(&vitals, 1);
            let due = due(&vitals);
            // They come when the lease has just ended: is the probe lost, or back?
            let probe = begin(&vitals, due);
            let other = beside(&vitals, move |vitals| vitals.permit(at(due + 200)).is_ok());
            vitals.record(probe, at(due + 199), outcome);
            let _ = other.join().unwrap();
            let asks = [due + 401, due + 700, due + 1_100];
            let admitted = asks.map(|millis| vitals.permit(at(millis)).is_ok());
            assert!(admitted.contains(&true), "wedged: {admitted:?}");
        });
    }
}

#[test]
fn whoever_knows_that_it_is_open_is_refused() {
    ::loom::model(|| {
        let vitals = plain();
        let told = Arc::new(::loom::sync::atomic::AtomicBool::new(false));
        let tell = Arc::clone(&told);
        let tripping = beside(&vitals, move |vitals| {
            fail(&vitals, 1);
            tell.store(true, ::loom::sync::atomic::Ordering::Release);
        });
        let knew = told.load(::loom::sync::atomic::Ordering::Acquire);
        let asked = vitals.permit(at(1));
        assert!(!knew || asked.is_err(), "admitted after it was open");
        tripping.join().unwrap();
        // One that was admitted before is believed no more, and no probe.
        if let Ok(permit) = asked {
            assert!(!permit.is_probe());
            vitals.record(permit, at(2), Outcome::Success);
        }
        assert_eq!(vitals.state(), BreakerState::Open);
        assert!(vitals.permit(at(2)).is_err());
        assert_eq!(vitals.snapshot(at(2)).decisions.total().enforced, 1);
    });
}

#[test]
fn two_that_fail_at_once_open_it_once() {
    ::loom::model(|| {
        let vitals = plain();
        let calls = [begin(&vitals, 0), begin(&vitals, 0)];
        let other = beside(&vitals, move |vitals| {
            vitals.record(calls[1], at(1), FAILED)
        });
        vitals.record(calls[0], at(1), FAILED);
        other.join().unwrap();
        let snapshot = vitals.snapshot(at(1));
        assert_eq!(
            (snapshot.state, snapshot.decisions.total().enforced),
            (BreakerState::Open, 1)
        );
        assert_eq!(snapshot.episodes.len(), 1);
        assert_eq!(snapshot.episodes[0].causes.total(), 2);
        assert_eq!(snapshot.counts.failures.total(), 2);
    });
}

#[test]
fn of_three_calls_that_ask_when_it_is_due_two_are_probes_where_two_are_permitted() {
    ::loom::model(|| {
        let vitals = classic(2);
        fail(&vitals, 1);
        let due = due(&vitals);
        let others = [(); 2].map(|()| beside(&vitals, move |vitals| vitals.permit(at(due))));
        let mut asked = vec![vitals.permit(at(due))];
        asked.extend(others.map(|other| other.join().unwrap()));
        let probes: Vec<Permit> = asked.into_iter().flatten().collect();
        assert!(matches!(probes[..], [one, other] if one.is_probe() && other.is_probe()));
    });
}

#[test]
fn the_permit_of_one_of_two_probes_comes_back_when_it_is_dropped() {
    ::loom::model(|| {
        let vitals = classic(2);
        fail(&vitals, 1);
        let due = due(&vitals);
        let probes = [begin(&vitals, due), begin(&vitals, due)];
        let other = beside(&vitals, move |vitals| vitals.permit(at(due + 1)).ok());
        vitals.record(probes[0], at(due + 1), Outcome::Cancelled);
        let out = other.join().unwrap();
        // It went to whoever asked meanwhile, or it is there at once; and it is one.
        let again = vitals.permit(at(due + 1)).ok();
        assert!(out.is_some() != again.is_some());
        assert!(vitals.permit(at(due + 1)).is_err(), "one too many");
        vitals.record(probes[1], at(due + 2), Outcome::Success);
        let last = out.or(again).unwrap();
        vitals.record(last, at(due + 2), Outcome::Success);
        assert_eq!(vitals.state(), BreakerState::Closed);
    });
}

#[test]
fn two_probes_that_end_at_once_decide_once() {
    for (good, outcomes, state) in [
        (
            2,
            [Outcome::Success, Outcome::Success],
            BreakerState::Closed,
        ),
        (1, [Outcome::Success, FAILED], BreakerState::Closed),
        (2, [Outcome::Success, FAILED], BreakerState::Open),
        (2, [FAILED, FAILED], BreakerState::Open),
    ] {
        ::loom::model(move || {
            let vitals = classic(good);
            fail(&vitals, 1);
            let due = due(&vitals);
            let probes = [begin(&vitals, due), begin(&vitals, due)];
            let other = beside(&vitals, move |vitals| {
                vitals.record(probes[1], at(due + 1), outcomes[1]);
            });
            vitals.record(probes[0], at(due + 1), outcomes[0]);
            other.join().unwrap();
            assert_eq!(vitals.state(), state);
            assert_eq!(vitals.snapshot(at(due + 1)).episodes.len(), 1);
        });
    }
}

#[test]
fn no_result_of_one_of_two_probes_beside_a_call_that_asks_wedges_it() {
    for outcome in [FAILED, Outcome::Success, Outcome::Cancelled] {
        ::loom::model(move || {
            let vitals = classic(2);
            fail(&vitals, 1);
            let due = due(&vitals);
            // One is lost for ever; the other ends when its lease does.
            let probes = [begin(&vitals, due), begin(&vitals, due)];
            let other = beside(&vitals, move |vitals| vitals.permit(at(due + 200)).is_ok());
            vitals.record(probes[0], at(due + 199), outcome);
            let _ = other.join().unwrap();
            let asks = [due + 401, due + 700, due + 1_100];
            let admitted = asks.map(|millis| vitals.permit(at(millis)).is_ok());
            assert!(admitted.contains(&true), "wedged: {admitted:?}");
        });
    }
}
