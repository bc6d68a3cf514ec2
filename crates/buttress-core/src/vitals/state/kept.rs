//! What is kept of calls: what became of them, and how long they took.

use std::{sync::OnceLock, time::Duration};

use super::{Kind, State};
use crate::{
    Nanos, Outcome, Permit,
    locate::{Call, Ending, Record},
    permit::Seat,
    stats::{Kept, Latency, Note},
    vitals::shard::Shard,
};

impl State {
    /// What is to be kept of a call, for whoever wants to know where a fault lies.
    #[inline]
    pub(super) fn record_of(&self, started: Nanos, note: Note, fact: Outcome) -> Option<Record> {
        let health = self.destination.rules.parts.health;
        let ending = Ending::of(fact).filter(|_| health)?;
        Some(Record::pack(Call {
            started: Call::millis(started),
            ending,
            route: note.route,
            method: note.method,
        }))
    }

    /// A call has grown too old.
    pub(in crate::vitals) fn write_late(
        &self,
        shard: &Shard,
        lane: u8,
        started: Nanos,
        note: Note,
    ) {
        let record = self.record_of(started, note, Outcome::Late);
        let seat = Seat {
            lane,
            note,
            ..Seat::default()
        };
        self.keep(shard, seat, record, None);
    }

    /// Keeps a call, and what it took.
    #[inline]
    pub(super) fn keep(
        &self,
        shard: &Shard,
        seat: Seat,
        record: Option<Record>,
        took: Option<Duration>,
    ) {
        let number = seat.note.number;
        if self.is_one_of_many() {
            let kept = Kept::new(record, took);
            if kept != Kept::default() {
                shard.keep(number, kept, !self.word().is_suspect());
            }
            return;
        }
        if let Some(took) = took {
            self.latencies[usize::from(seat.lane & 1)]
                .get_or_init(|| Box::new(Latency::new()))
                .record(took);
        }
        if let Some(record) = record {
            let apart = self.shards.of(usize::from(seat.lane));
            apart.recorder().write(number, record);
        }
    }

    /// What the call took, if that is worth knowing.
    #[inline]
    pub(super) fn learns(&self, permit: &Permit, now: Nanos, outcome: Outcome) -> Option<Duration> {
        // Late ones too: the age would shrink for ever if what exceeds it were forgotten. Not what a pause of our own has
        // added to. What is late for one key says nothing of another.
        let learns = outcome == Outcome::Success
            && self.kind != Kind::Key
            && self.destination.rules.parts.health
            && permit.started >= self.destination.norm.resumed();
        learns.then(|| now.since(permit.started))
    }

    /// Takes out what calls took since the last time: how many were seen in a bucket, and how many those stand for.
    /// Where only some are kept, they stand for the answers beyond those that were `learned` from before.
    pub(in crate::vitals) fn drain_latencies(
        &self,
        learned: &mut u64,
        mut each: impl FnMut(usize, u32, u32),
    ) {
        let own = self.latencies.iter().filter_map(OnceLock::get);
        own.for_each(|latencies| latencies.drain(|bucket, count| each(bucket, count, count)));
        if self.is_one_of_many() {
            let answered = self.only.counters.good();
            let new = answered.saturating_sub(std::mem::replace(learned, answered));
            (self.only).learn(new, |bucket, calls| each(bucket, 1, calls));
        }
    }

    /// The last calls.
    pub(crate) fn recorded(&self) -> impl Iterator<Item = Call> + '_ {
        let only = self.is_one_of_many().then(|| self.only.kept());
        only.into_iter().flatten().chain(self.shards.recorded())
    }
}
