//! What calls write.

use std::sync::OnceLock;

use super::lane::cells;
use crate::{
    Nanos,
    limit::{Samples, Till},
    permit::Seat,
    stats::{Counters, Flights, Note, Recent},
    sync::Arc,
};

/// What the calls of one lane write: seven lines of memory, made at its first call, in the order in which they lie there.
///
/// A healthy call on the only lane of its endpoint needs three of them: the first, the one of the last calls, and one of
/// those of calls under way.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Shard {
    pub(super) counters: Counters,
    pub(super) till: Till,
    pub(super) samples: Samples,
    pub(super) recent: Recent,
    pub(super) flights: Flights,
}

impl Shard {
    /// One of several, that calls on one lane write.
    fn of_several() -> Self {
        Self::with(Flights::many())
    }

    /// The only one of its endpoint.
    pub(super) fn only() -> Self {
        Self::with(Flights::few())
    }

    fn with(flights: Flights) -> Self {
        Self {
            counters: Counters::new(),
            till: Till::new(),
            samples: Samples::new(),
            recent: Recent::new(),
            flights,
        }
    }

    pub(super) fn touch(&self) {
        self.recent.touch();
        self.flights.touch();
        self.counters.touch();
    }

    /// A call begins. Its place is the first from that on which so many take that are `under_way`, or else from that of the
    /// oldest call on.
    #[inline]
    pub(super) fn board(&self, lane: u8, under_way: Option<u32>, now: Nanos) -> Seat {
        let number = self.counters.started();
        let first = under_way.map_or(number, u64::from);
        Seat {
            lane,
            place: self.flights.board(first, number, now),
            note: Note {
                number: number as u16,
                ..Note::default()
            },
            holds: false,
        }
    }
}

/// One of several shards: processors fetch lines in pairs, and no two lanes may want the same pair.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Apart(pub(super) Shard);

/// The shards of one record, each made when it is first needed.
#[derive(Debug)]
pub(super) struct Shards(OnceLock<Box<[OnceLock<Arc<Apart>>]>>);

impl Shards {
    pub(super) const fn new() -> Self {
        Self(OnceLock::new())
    }

    pub(super) fn of(&self, lane: usize) -> &Arc<Apart> {
        let shards = self.0.get_or_init(cells);
        shards[lane & (shards.len() - 1)].get_or_init(|| Arc::new(Apart(Shard::of_several())))
    }

    /// Those in use, by lane.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u8, &Shard)> + Clone {
        let shards = self.0.get().map(|shards| (0..).zip(shards.iter()));
        let made = shards.into_iter().flatten();
        made.filter_map(|(lane, shard)| Some((lane, &shard.get()?.0)))
    }
}
