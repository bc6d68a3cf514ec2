//! How a call begins.

use super::State;
use crate::{
    Labels, Nanos, Permit, Refusal,
    permit::Seat,
    vitals::{shard::Shard, word::Word},
};

impl State {
    #[inline]
    pub(in crate::vitals) fn permit(
        &self,
        shard: &Shard,
        lane: u8,
        now: Nanos,
    ) -> Result<Permit, Refusal> {
        let word = self.word();
        self.refuse(word, shard, now)?;
        self.throttle(word, shard, now)?;
        let holds = self.enter(word, shard)?;
        self.begin(word, shard, lane, now, holds)
    }

    /// Refuses what needs no lock to be refused.
    #[inline]
    pub(in crate::vitals) fn refuse(
        &self,
        word: Word,
        shard: &Shard,
        now: Nanos,
    ) -> Result<(), Refusal> {
        if word.flows() {
            return Ok(());
        }
        if word.is_withdrawn() {
            shard.counters.rejected();
            return Err(Refusal::Withdrawn);
        }
        // While it is open and its time has not come, nothing can change: no lock.
        let due = self.due(now);
        if word.state() == crate::BreakerState::Open && due > now {
            shard.counters.rejected();
            return Err(Refusal::Open {
                retry_after: due.since(now),
            });
        }
        Ok(())
    }

    /// Begins a call that was not refused, and may hold one of the places there are.
    #[inline]
    pub(in crate::vitals) fn begin(
        &self,
        word: Word,
        shard: &Shard,
        lane: u8,
        now: Nanos,
        holds: bool,
    ) -> Result<Permit, Refusal> {
        let (generation, probe) = if word.flows() {
            (word.generation(), false)
        } else {
            self.ask(shard, now, holds)?
        };
        Ok(Permit {
            started: now,
            generation,
            probe,
            seat: self.board(shard, lane, now, holds),
        })
    }

    /// May a call begin though calls do not flow? Under which generation, then, and is it a probe?
    #[cold]
    fn ask(&self, shard: &Shard, now: Nanos, holds: bool) -> Result<(u32, bool), Refusal> {
        let (permit, change) = self.update(|signs| signs.permit(now));
        self.tell(now, change);
        match permit {
            Ok(permit) => Ok((permit.generation, permit.probe)),
            Err(retry_after) => {
                self.leave(shard, holds);
                shard.counters.rejected();
                Err(Refusal::Open { retry_after })
            }
        }
    }

    /// The same, though its breaker says no: where health is disregarded, and its limit and its throttle are not. What comes of it is
    /// counted, and believed by nobody.
    pub(in crate::vitals) fn permit_anyway(
        &self,
        shard: &Shard,
        lane: u8,
        now: Nanos,
    ) -> Result<Permit, Refusal> {
        self.permit(shard, lane, now).or_else(|refusal| {
            let word = self.word();
            if word.is_withdrawn() || !matches!(refusal, Refusal::Open { .. }) {
                return Err(refusal);
            }
            self.throttle(word, shard, now)?;
            let holds = self.enter(word, shard)?;
            Ok(Permit {
                started: now,
                generation: word.generation().wrapping_sub(1),
                probe: false,
                seat: self.board(shard, lane, now, holds),
            })
        })
    }

    #[inline]
    fn board(&self, shard: &Shard, lane: u8, now: Nanos, holds: bool) -> Seat {
        let seat = if self.is_one_of_many() {
            shard.board_only(now)
        } else {
            shard.board(lane, now)
        };
        let seat = Seat { holds, ..seat };
        // Only who is picked among several is counted where all lanes meet.
        if self.is_picked() {
            self.front.load.begin(now);
        }
        self.watch(now);
        seat
    }

    pub(in crate::vitals) fn label(&self, permit: &mut Permit, labels: Labels<'_>) {
        if !self.destination.rules.parts.health {
            return;
        }
        let number =
            |name: Option<&str>| name.map_or(0, |name| self.destination.names().number(name));
        let (route, method) = (number(labels.route), number(labels.method));
        let caller = labels
            .caller
            .map_or(0, |name| self.destination.caller(name));
        if (route, method, caller) == (0, 0, 0) {
            return;
        }
        let seat = &mut permit.seat;
        (seat.note.route, seat.note.method, seat.note.caller) = (route, method, caller);
        if let Some(place) = seat.place {
            self.shard(seat.lane).note(place, seat.note);
        }
    }
}
