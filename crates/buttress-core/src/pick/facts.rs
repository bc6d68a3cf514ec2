//! What a pick rests on.

use std::cell::Cell;

use super::load::Glance;
use crate::{BreakerState, Nanos, Vitals};

/// What is known of the members of a set, by their places in it.
pub(super) trait Facts {
    /// Has this one been tried already, or passed over?
    fn is_over(&self, member: usize) -> bool;

    fn state(&self, member: usize) -> BreakerState;

    /// Was it taken out by hand?
    fn is_withdrawn(&self, member: usize) -> bool;

    /// On its way back it gets a share of its calls: is this one of them? The same however often it is asked for a call.
    fn is_its_turn(&self, member: usize) -> bool;

    /// Has the time come to ask its breaker?
    fn is_due(&self, member: usize) -> bool;

    fn glance(&self, member: usize) -> Glance;

    /// Is there to be found out whether it hangs?
    fn is_in_doubt(&self, member: usize) -> bool;

    fn takes_calls(&self, member: usize) -> bool {
        matches!(
            self.state(member),
            BreakerState::Closed | BreakerState::Ramping
        )
    }

    /// Has it room for one call more under its limit?
    fn has_room(&self, member: usize) -> bool;

    /// May a call find out now whether it is well again? One that several may try at once gets its share of them by turns, and
    /// not all.
    fn wants_probe(&self, member: usize) -> bool {
        let tried_by_turns =
            self.state(member) == BreakerState::HalfOpen && self.is_its_turn(member);
        !self.takes_calls(member)
            && !tried_by_turns
            && self.is_due(member)
            && !self.is_withdrawn(member)
    }

    /// May this call go to it? Where health is disregarded, unless somebody has said by hand that it may not.
    fn flows(&self, member: usize, disregarded: bool) -> bool {
        if self.is_over(member) || !self.has_room(member) {
            return false;
        }
        if disregarded {
            return !self.is_withdrawn(member);
        }
        match self.state(member) {
            BreakerState::Closed => true,
            BreakerState::Ramping | BreakerState::HalfOpen => self.is_its_turn(member),
            _ => false,
        }
    }
}

/// What is known for one call.
pub(super) struct Known<V, P> {
    pub(super) vitals: V,
    pub(super) passed: P,
    pub(super) now: Nanos,
    /// Is there a limit?
    pub(super) limited: bool,
    /// Whose turn it is was dealt for this call, and is not dealt again.
    pub(super) dealt: Cell<[Option<(u32, bool)>; 4]>,
}

impl<'a, V: Fn(usize) -> &'a Vitals, P: Fn(usize) -> bool> Facts for Known<V, P> {
    fn is_over(&self, member: usize) -> bool {
        (self.passed)(member)
    }

    fn state(&self, member: usize) -> BreakerState {
        (self.vitals)(member).known().state()
    }

    fn is_withdrawn(&self, member: usize) -> bool {
        (self.vitals)(member).known().is_withdrawn()
    }

    fn is_its_turn(&self, member: usize) -> bool {
        // Each has its own: one whose turn it is not is passed over, not the call.
        let (mut dealt, number) = (self.dealt.get(), member as u32);
        let known = dealt.iter().flatten().find(|(one, _)| *one == number);
        if let Some((_, turn)) = known {
            return *turn;
        }
        let turn = (self.vitals)(member).takes_turn();
        dealt.rotate_right(1);
        dealt[0] = Some((number, turn));
        self.dealt.set(dealt);
        turn
    }

    fn has_room(&self, member: usize) -> bool {
        !self.limited || (self.vitals)(member).has_room()
    }

    fn is_due(&self, member: usize) -> bool {
        (self.vitals)(member).due(self.now) <= self.now
    }

    fn glance(&self, member: usize) -> Glance {
        (self.vitals)(member).known().glance()
    }

    fn is_in_doubt(&self, member: usize) -> bool {
        (self.vitals)(member).known().is_in_doubt(self.now)
    }
}
