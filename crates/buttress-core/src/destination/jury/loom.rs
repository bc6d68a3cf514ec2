//! Endpoints of a small set that alarm at once, in every interleaving. One of two or three may be out.

use std::sync::atomic::{AtomicUsize, Ordering};

use ::loom::thread::spawn;

use super::*;
use crate::{
    BreakerState, Cause, Clock, Destination, Endpoint, HealthPolicy, Host, Outcome, Rules, Vitals,
    sync::Arc, vitals::made,
};

/// A set of so many, each down after two failures.
fn set(members: usize) -> (Arc<Shared>, Vec<Vitals>) {
    let rules = Rules {
        health: HealthPolicy::consecutive(2),
        ..Rules::default()
    };
    let destination = Destination::new("set", &rules, &Host::new(Clock(|| Nanos::ZERO)));
    assert_eq!(destination.tick(Nanos::ZERO), None);
    let member = |index| {
        let endpoint = Endpoint::new(format!("10.0.0.{index}:80")).unwrap();
        made(destination.endpoint(endpoint))
    };
    let members = (0..members).map(member).collect();
    (destination.0, members)
}

fn call(vitals: &Vitals, outcome: Outcome) {
    let now = Nanos::new(7);
    vitals.record(vitals.permit(now).unwrap(), now, outcome);
}

const FAILED: Outcome = Outcome::Failure(Cause::Error);

#[test]
fn of_two_that_ask_at_once_one_is_spared() {
    for members in [2, 3] {
        ::loom::model(move || {
            let (shared, _members) = set(members);
            let asks = || {
                let shared = Arc::clone(&shared);
                spawn(move || usize::from(shared.spares(0)))
            };
            let other = [asks(), asks()];
            let spared: usize = other.map(|asks| asks.join().unwrap()).iter().sum();
            assert_eq!(spared, 1);
        });
    }
}

#[test]
fn whoever_comes_back_makes_room_for_one() {
    let mut most = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&most);
    ::loom::model(move || {
        let (shared, _members) = set(3);
        assert!(shared.spares(0));
        let asks = || {
            let shared = Arc::clone(&shared);
            spawn(move || usize::from(shared.spares(0)))
        };
        let others = [asks(), asks()];
        shared.back(0);
        let spared: usize = others.map(|asks| asks.join().unwrap()).iter().sum();
        assert!(spared <= 1, "{spared} for one");
        assert_eq!(lock(&shared.out).len(), spared);
        seen.fetch_max(spared, Ordering::Relaxed);
    });
    let most = Arc::get_mut(&mut most).map(|most| *most.get_mut());
    assert_eq!(most, Some(1), "nobody ever came after");
}

#[test]
fn two_that_fail_at_once_are_not_both_out() {
    static OUT: AtomicUsize = AtomicUsize::new(0);
    ::loom::model(|| {
        let (_, members) = set(3);
        // The third is well, so that the cause is not common; and one failure more is an alarm.
        (0..2).for_each(|_| call(&members[2], Outcome::CallerFault));
        members[..2].iter().for_each(|vitals| call(vitals, FAILED));
        let other = members[1].clone();
        let other = spawn(move || call(&other, FAILED));
        call(&members[0], FAILED);
        other.join().unwrap();
        let states = members.iter().map(Vitals::state);
        let out = states.filter(|state| *state == BreakerState::Open).count();
        assert!(out <= 1);
        OUT.fetch_max(out, Ordering::Relaxed);
    });
    assert_eq!(OUT.load(Ordering::Relaxed), 1, "none was ever out");
}

#[test]
fn one_that_goes_while_it_is_out_leaves_its_room() {
    ::loom::model(|| {
        let (shared, mut members) = set(3);
        members[1..]
            .iter()
            .for_each(|vitals| (0..2).for_each(|_| call(vitals, Outcome::CallerFault)));
        (0..2).for_each(|_| call(&members[0], FAILED));
        assert_eq!(members[0].state(), BreakerState::Open);
        let gone = members.remove(0);
        let asking = Arc::clone(&shared);
        let asks = spawn(move || usize::from(asking.spares(0)));
        drop(gone);
        let spared = asks.join().unwrap();
        assert_eq!(lock(&shared.out).len(), spared);
        assert_eq!(usize::from(shared.spares(0)), 1 - spared, "of two");
    });
}
