use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use super::{Faults, Hit};

/// Enables, disables and alters the faults of a [`FaultLayer`](crate::FaultLayer), and of all services made from it, at run time.
///
/// Calls under way keep the faults they began with.
#[derive(Clone, Debug)]
pub struct FaultHandle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    enabled: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rng: fastrand::Rng,
    faults: Faults,
}

impl FaultHandle {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            shared: Arc::new(Shared {
                enabled: AtomicBool::new(false),
                state: Mutex::new(State {
                    rng: fastrand::Rng::with_seed(seed),
                    faults: Faults::none(),
                }),
            }),
        }
    }

    /// Injects from the next call on.
    pub fn enable(&self) {
        // Relaxed: a switch that guards no data; the faults are read under their lock.
        self.shared.enabled.store(true, Ordering::Relaxed);
    }

    /// Injects nothing from the next call on. The draws stop too, and go on where they were when enabled again.
    pub fn disable(&self) {
        // Relaxed: as in `enable`.
        self.shared.enabled.store(false, Ordering::Relaxed);
    }

    /// Whether faults are injected now.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        // Relaxed: as in `enable`.
        self.shared.enabled.load(Ordering::Relaxed)
    }

    /// Sets the faults; does not enable them.
    pub fn set(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// The faults that are set, enabled or not.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.lock().faults
    }

    /// One relaxed load when disabled.
    pub(super) fn next(&self) -> Hit {
        if !self.is_enabled() {
            return Hit::NONE;
        }
        let State { rng, faults } = &mut *self.lock();
        faults.draw(rng)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here is left half done by a panic.
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
