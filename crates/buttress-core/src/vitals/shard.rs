//! What calls write.

use std::sync::OnceLock;

use super::lane::{cells, count};
use crate::{
    Nanos,
    limit::{Samples, Till},
    locate::Call,
    permit::Seat,
    stats::{Counters, Far, Flights, Kept, Note, Past, Recent, Recorder},
    sync::Arc,
};

/// What the calls of one lane write: two lines of memory, in the order in which they lie there. What else there is to be
/// written is made when it is first needed.
///
/// A healthy call of one endpoint of many writes to the first: its place among those under way, its place among the last few
/// calls, and how many began and ended well.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Shard {
    flights: Flights,
    recent: Recent,
    pub(super) counters: Counters,
    far: Far,
    past: Past,
    pub(super) till: Till,
    pub(super) samples: Samples,
}

impl Shard {
    /// One of several, that calls on one lane write: those are many, and will need all of it.
    fn of_several() -> Self {
        Self {
            counters: Counters::whole(),
            far: Far::made(),
            ..Self::only()
        }
    }

    /// The only one of its endpoint.
    pub(super) fn only() -> Self {
        Self {
            flights: Flights::new(),
            recent: Recent::new(),
            counters: Counters::new(),
            far: Far::new(),
            past: Past::new(),
            till: Till::new(),
            samples: Samples::new(),
        }
    }

    /// Keeps a call of the only lane; where the endpoint is not `well`, those before it too.
    #[inline]
    pub(super) fn keep(&self, number: u16, kept: Kept, well: bool) {
        if well {
            self.recent.write(number, kept);
        } else {
            self.recent.write_before(number, kept, &self.past);
        }
    }

    /// The last calls of the only lane.
    pub(super) fn kept(&self) -> impl Iterator<Item = Call> + '_ {
        self.recent.read(&self.past)
    }

    /// As [`Recent::learn`].
    pub(super) fn learn(&self, calls: u64, each: impl FnMut(usize, u32)) {
        self.recent.learn(&self.past, calls, each);
    }

    /// Says what kind of call holds a place.
    pub(super) fn note(&self, place: u8, note: Note) {
        self.flights.note(&self.far, place, note);
    }

    /// A call leaves its place. Was it found overdue?
    #[inline]
    pub(super) fn leave(&self, place: u8) -> bool {
        self.flights.leave(&self.far, place)
    }

    /// Leaves it, unless its call was found overdue. Did it?
    pub(super) fn leave_young(&self, place: u8) -> bool {
        self.flights.leave_young(&self.far, place)
    }

    /// As [`Flights::find`].
    pub(super) fn find(&self, limit: Nanos, overdue: impl FnMut(Nanos, Note)) -> Option<Nanos> {
        self.flights.find(&self.far, limit, overdue)
    }

    /// The start of the oldest call under way that was found overdue.
    pub(super) fn oldest_overdue(&self) -> Option<Nanos> {
        self.flights.oldest_overdue(&self.far)
    }

    /// A call begins.
    #[inline]
    pub(super) fn board(&self, lane: u8, now: Nanos) -> Seat {
        let number = self.counters.started();
        seat(lane, number, self.flights.board(&self.far, number, now))
    }

    /// A call begins on the only lane.
    #[inline]
    pub(super) fn board_only(&self, now: Nanos) -> Seat {
        let number = self.counters.started();
        seat(0, number, self.flights.board_near(&self.far, number, now))
    }
}

const fn seat(lane: u8, number: u64, place: Option<u8>) -> Seat {
    Seat {
        lane,
        place,
        note: Note {
            number: number as u16,
            route: 0,
            method: 0,
            caller: 0,
        },
        holds: false,
    }
}

/// Calls an endpoint keeps, all lanes together: 4 KiB. A fault of one call in five shows in some dozens.
const RECORDED: usize = if cfg!(all(test, loom)) { 4 } else { 512 };

/// One of several shards: processors fetch lines in pairs, and no two lanes may want the same pair.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Apart {
    pub(super) shard: Shard,
    recorder: OnceLock<Recorder>,
}

impl Apart {
    fn new() -> Self {
        Self {
            shard: Shard::of_several(),
            recorder: OnceLock::new(),
        }
    }

    /// The last calls; made when the first of them ends.
    #[inline]
    pub(super) fn recorder(&self) -> &Recorder {
        self.recorder
            .get_or_init(|| Recorder::new(RECORDED / count()))
    }
}

/// The shards of one record, each made when it is first needed.
#[derive(Debug)]
pub(super) struct Shards(OnceLock<Box<[OnceLock<Arc<Apart>>]>>);

impl Shards {
    pub(super) const fn new() -> Self {
        Self(OnceLock::new())
    }

    pub(super) fn of(&self, lane: usize) -> &Arc<Apart> {
        let shards = self.0.get_or_init(cells);
        shards[lane & (shards.len() - 1)].get_or_init(|| Arc::new(Apart::new()))
    }

    /// The last calls.
    pub(super) fn recorded(&self) -> impl Iterator<Item = Call> + '_ {
        let made = self.0.get().into_iter().flatten().filter_map(OnceLock::get);
        let recorders = made.filter_map(|apart| apart.recorder.get());
        recorders.flat_map(Recorder::read)
    }

    /// Those in use, by lane.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u8, &Shard)> + Clone {
        let shards = self.0.get().map(|shards| (0..).zip(shards.iter()));
        let made = shards.into_iter().flatten();
        made.filter_map(|(lane, shard)| Some((lane, &shard.get()?.shard)))
    }
}
