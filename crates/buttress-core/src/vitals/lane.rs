//! Ways into one record that do not meet: threads on different lanes write to different lines of memory.

use std::{cell::Cell, sync::OnceLock, thread::available_parallelism};

use super::state::State;
use crate::{
    Nanos,
    limit::{Samples, Till},
    locate::Call,
    permit::Seat,
    stats::{Counters, Flights, Note, Recorder},
    sync::{Arc, Ordering, fence},
};

/// More would cost memory for every endpoint and gain little: neighbours on a lane are rarely on it at once.
const MOST_LANES: usize = 16;

/// Calls an endpoint keeps, all lanes together: 4 KiB. A fault of one call in five shows in some dozens.
const RECORDED: usize = if cfg!(all(test, loom)) { 4 } else { 512 };

/// What the calls of one lane write: five lines of memory, made at its first call.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Shard {
    pub(super) counters: Counters,
    pub(super) flights: Flights,
    pub(super) till: Till,
    pub(super) samples: Samples,
    recorder: OnceLock<Recorder>,
}

impl Shard {
    fn new() -> Self {
        Self {
            counters: Counters::new(),
            flights: Flights::new(),
            till: Till::new(),
            samples: Samples::new(),
            recorder: OnceLock::new(),
        }
    }

    /// The last calls; made when the first of them ends.
    pub(super) fn recorder(&self) -> &Recorder {
        self.recorder
            .get_or_init(|| Recorder::new(RECORDED / count()))
    }

    /// The last calls, if there was any.
    pub(super) fn recorded(&self) -> impl Iterator<Item = Call> + '_ {
        self.recorder.get().into_iter().flat_map(Recorder::read)
    }

    /// A call begins.
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

/// One way in. An attempt holds its lane and nothing that another lane's attempts hold, not even a count of holders.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Lane {
    pub(super) state: Arc<State>,
    pub(super) shard: Arc<Shard>,
    pub(super) number: u8,
}

/// All ways into one record. Whoever clones a service counts itself in here: aligned, so that this does not take the line
/// away from those that look for their lane.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Lanes {
    pub(super) state: Arc<State>,
    /// Made for the first call, as many as there are cores: most of many endpoints wait for theirs.
    lanes: OnceLock<Box<[OnceLock<Arc<Lane>>]>>,
}

impl Lanes {
    pub(super) fn new(state: State) -> Self {
        Self {
            lanes: OnceLock::new(),
            state: Arc::new(state),
        }
    }

    /// This thread's.
    #[inline]
    pub(super) fn mine(&self) -> &Arc<Lane> {
        self.lane(thread_number())
    }

    #[inline]
    fn lane(&self, number: usize) -> &Arc<Lane> {
        let lanes = self.lanes.get_or_init(cells);
        // The mask holds, for the count is a power of two.
        let number = number & (lanes.len() - 1);
        lanes[number].get_or_init(|| self.made(number))
    }

    #[cold]
    fn made(&self, number: usize) -> Arc<Lane> {
        let shard = Arc::clone(self.state.shard(number));
        // SeqCst: the shard's cell is not, and without this whoever stops looking could miss a lane made meanwhile; see
        // `State::oldest`. Once a lane.
        fence(Ordering::SeqCst);
        Arc::new(Lane {
            state: Arc::clone(&self.state),
            shard,
            number: number as u8,
        })
    }
}

/// The shards of one record, each made when it is first needed.
#[derive(Debug)]
pub(super) struct Shards(OnceLock<Box<[OnceLock<Arc<Shard>>]>>);

impl Shards {
    pub(super) const fn new() -> Self {
        Self(OnceLock::new())
    }

    pub(super) fn of(&self, lane: usize) -> &Arc<Shard> {
        let shards = self.0.get_or_init(cells);
        shards[lane & (shards.len() - 1)].get_or_init(|| Arc::new(Shard::new()))
    }

    /// Those in use.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Shard> + Clone {
        let shards = self.0.get().map(|shards| shards.iter());
        shards
            .into_iter()
            .flatten()
            .filter_map(OnceLock::get)
            .map(|shard| &**shard)
    }
}

/// One empty cell for each lane.
fn cells<T>() -> Box<[OnceLock<T>]> {
    (0..count()).map(|_| OnceLock::new()).collect()
}

/// Lanes of every record: a power of two near the number of cores. Asked of the system once, for it is slow to answer.
pub(crate) fn count() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    if cfg!(all(test, loom)) {
        return 2;
    }
    *COUNT.get_or_init(|| {
        available_parallelism().map_or(1, |cores| cores.get().next_power_of_two().min(MOST_LANES))
    })
}

/// A small number for this thread, dealt in turn.
#[cfg(not(all(test, loom)))]
fn thread_number() -> usize {
    use std::sync::atomic::AtomicUsize;

    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static NUMBER: Cell<usize> = const { Cell::new(usize::MAX) });
    NUMBER.with(|number| {
        if number.get() == usize::MAX {
            number.set(NEXT.fetch_add(1, Ordering::Relaxed) & (usize::MAX >> 1));
        }
        number.get()
    })
}

#[cfg(all(test, loom))]
::loom::thread_local!(static NUMBER: Cell<usize> = Cell::new(0));

#[cfg(all(test, loom))]
fn thread_number() -> usize {
    NUMBER.with(Cell::get)
}

/// Puts a thread of a model on a lane; otherwise it is on the first.
#[cfg(all(test, loom))]
pub(super) fn take_lane(number: usize) {
    NUMBER.with(|mine| mine.set(number));
}

/// Makes both lanes: cells that are set once are no part of a model, and must not be set in it.
#[cfg(all(test, loom))]
pub(crate) fn made(vitals: super::Vitals) -> super::Vitals {
    for lane in 0..count() {
        vitals.0.lane(lane).shard.recorder();
    }
    vitals.0.state.signs();
    vitals
}
