//! A sign of life.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use buttress_core::{Clock, Nanos};

use super::finding::Finding;

/// A sign of life of something that must not stand still: a loop, a worker, a service that is run again when it fails.
///
/// Where it has not beaten in time [liveness](super::Serving::livez) fails, also where it was dropped: whoever ends as
/// intended [retires](Self::retire) it.
pub struct Heartbeat(Arc<Heart>);

pub(super) struct Heart {
    name: Arc<str>,
    within: Duration,
    clock: Clock,
    last: AtomicU64,
    retired: AtomicBool,
}

impl Heartbeat {
    pub(super) fn new(name: &str, within: Duration, clock: Clock) -> (Self, Arc<Heart>) {
        let heart = Arc::new(Heart {
            name: name.into(),
            within,
            clock,
            last: AtomicU64::new(clock.now().as_u64()),
            retired: AtomicBool::new(false),
        });
        (Self(Arc::clone(&heart)), heart)
    }

    /// It is alive.
    pub fn beat(&self) {
        let now = self.0.clock.now().as_u64();
        // Relaxed: a time that nothing else is read by.
        self.0.last.store(now, Ordering::Relaxed);
    }

    /// It has ended as intended, and is missed by nobody.
    pub fn retire(self) {
        // Relaxed: likewise.
        self.0.retired.store(true, Ordering::Relaxed);
    }
}

impl Heart {
    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    pub(super) fn find(&self, now: Nanos) -> Finding {
        let last = Nanos::new(self.last.load(Ordering::Relaxed));
        Finding::heart(Arc::clone(&self.name), now.since(last), self.within)
    }
}

impl fmt::Debug for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Heartbeat").field(&self.0.name).finish()
    }
}
