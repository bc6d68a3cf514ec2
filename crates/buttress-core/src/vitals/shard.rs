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

    /// A call begins.
    #[inline]
    pub(super) fn board(&self, lane: u8, now: Nanos) -> Seat {
        let number = self.counters.started();
        Seat {
            lane,
            place: self.flights.board(number, now),
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

    /// Those in use.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Shard> + Clone {
        let shards = self.0.get().map(|shards| shards.iter());
        shards
            .into_iter()
            .flatten()
            .filter_map(OnceLock::get)
            .map(|shard| &shard.0)
    }
}
