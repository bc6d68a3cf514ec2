//! Ways into one record that do not meet: threads on different lanes write to different lines of memory.

use std::{cell::Cell, sync::OnceLock, thread::available_parallelism};

use super::{
    shard::{Apart, Shard},
    state::State,
};
use crate::sync::{Arc, Ordering, Weak, fence};

/// More would cost memory for every endpoint and gain little: neighbours on a lane are rarely on it at once.
const MOST_LANES: usize = 16;

/// One way in, as an attempt holds it.
#[derive(Clone, Debug)]
pub(crate) enum Lane {
    /// The only one: of an endpoint of a large set, whose calls seldom meet.
    Only(Arc<State>),
    OfSeveral(Arc<Way>),
}

/// One of several ways in. Whoever holds it holds nothing that is held on another, not even a count of holders.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Way {
    state: Arc<State>,
    shard: Arc<Apart>,
    number: u8,
}

impl Lane {
    #[inline]
    pub(super) fn state(&self) -> &State {
        match self {
            Self::Only(state) => state,
            Self::OfSeveral(way) => &way.state,
        }
    }

    #[inline]
    pub(super) fn shard(&self) -> &Shard {
        match self {
            Self::Only(state) => state.only(),
            Self::OfSeveral(way) => &way.shard.shard,
        }
    }

    #[inline]
    pub(super) fn number(&self) -> u8 {
        match self {
            Self::Only(_) => 0,
            Self::OfSeveral(way) => way.number,
        }
    }
}

/// The way into one record, or all ways.
#[derive(Clone, Debug)]
pub(super) enum Ways {
    One(Lane),
    Several(Arc<Lanes>),
}

/// The same, for whoever does not keep a record alive.
#[derive(Debug)]
pub(crate) enum WeakWays {
    One(Weak<State>),
    Several(Weak<Lanes>),
}

impl Ways {
    pub(super) fn into(state: State) -> Self {
        if state.is_one_of_many() {
            Self::One(Lane::Only(Arc::new(state)))
        } else {
            Self::Several(Arc::new(Lanes::new(state)))
        }
    }

    #[inline]
    pub(super) fn state(&self) -> &Arc<State> {
        match self {
            Self::One(Lane::Only(state)) => state,
            Self::One(Lane::OfSeveral(way)) => &way.state,
            Self::Several(lanes) => &lanes.state,
        }
    }

    /// This thread's.
    #[inline]
    pub(super) fn mine(&self) -> &Lane {
        match self {
            Self::One(lane) => lane,
            Self::Several(lanes) => lanes.lane(thread_number()),
        }
    }

    pub(super) fn downgrade(&self) -> WeakWays {
        match self {
            Self::Several(lanes) => WeakWays::Several(Arc::downgrade(lanes)),
            Self::One(_) => WeakWays::One(Arc::downgrade(self.state())),
        }
    }
}

impl WeakWays {
    pub(super) fn upgrade(&self) -> Option<Ways> {
        Some(match self {
            Self::One(state) => Ways::One(Lane::Only(state.upgrade()?)),
            Self::Several(lanes) => Ways::Several(lanes.upgrade()?),
        })
    }

    pub(crate) fn is_gone(&self) -> bool {
        let left = match self {
            Self::One(state) => state.strong_count(),
            Self::Several(lanes) => lanes.strong_count(),
        };
        left == 0
    }
}

/// All ways into one record. Whoever clones a service counts itself in here: aligned, so that this does not take the line
/// away from those that look for their lane.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Lanes {
    state: Arc<State>,
    /// Made for the first call, as many as there are cores: most of many endpoints wait for theirs.
    lanes: OnceLock<Box<[OnceLock<Lane>]>>,
}

impl Lanes {
    fn new(state: State) -> Self {
        Self {
            lanes: OnceLock::new(),
            state: Arc::new(state),
        }
    }

    #[inline]
    fn lane(&self, number: usize) -> &Lane {
        let lanes = self.lanes.get_or_init(cells);
        // The mask holds, for the count is a power of two.
        let number = number & (lanes.len() - 1);
        lanes[number].get_or_init(|| self.made(number))
    }

    #[cold]
    fn made(&self, number: usize) -> Lane {
        let shard = Arc::clone(self.state.shards.of(number));
        // SeqCst: the shard's cell is not, and without this whoever stops looking could miss a lane made meanwhile; see
        // `State::oldest`. Once a lane.
        fence(Ordering::SeqCst);
        Lane::OfSeveral(Arc::new(Way {
            state: Arc::clone(&self.state),
            shard,
            number: number as u8,
        }))
    }
}

/// One empty cell for each lane.
pub(super) fn cells<T>() -> Box<[OnceLock<T>]> {
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
    if let Ways::Several(lanes) = &vitals.0 {
        for lane in 0..count() {
            lanes.lane(lane).state().shards.of(lane).recorder();
        }
    }
    vitals.known().signs();
    vitals
}
