use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{FaultHandle, FaultLayer, Faults};

/// Faults by label: one plan drives many layers.
///
/// Layers of the same label share their faults and draws. A label may be set before or after its layer is made. Each label draws from its
/// own seed, made from the plan's and the label, so that the calls at one do not move the faults at another.
///
/// # Examples
///
/// ```
/// use std::future::poll_fn;
/// use buttress_test::{FaultPlan, Faults, Scripted};
/// use tower_layer::Layer;
/// use tower_service::Service;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), buttress_test::BoxError> {
/// let plan = FaultPlan::new(42);
/// let mut a = plan.layer("replica-a").layer(Scripted::new());
/// let mut b = plan.layer("replica-b").layer(Scripted::new());
///
/// plan.set("replica-a", Faults::none().error(1.0));
/// plan.enable();
///
/// poll_fn(|cx| a.poll_ready(cx)).await?;
/// poll_fn(|cx| b.poll_ready(cx)).await?;
/// assert!(a.call(1).await.is_err());
/// assert!(b.call(1).await.is_ok());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FaultPlan {
    seed: u64,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    enabled: bool,
    handles: BTreeMap<Box<str>, FaultHandle>,
}

impl FaultPlan {
    /// No faults at any label, and off.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            state: Arc::default(),
        }
    }

    /// A layer that follows the plan under this label.
    #[must_use]
    pub fn layer(&self, label: &str) -> FaultLayer {
        FaultLayer::planned(self.handle(label), label)
    }

    /// The handle of this label alone.
    #[must_use]
    pub fn handle(&self, label: &str) -> FaultHandle {
        let mut state = self.lock();
        if let Some(handle) = state.handles.get(label) {
            return handle.clone();
        }
        let handle = FaultHandle::new(self.seed ^ fnv1a(label));
        if state.enabled {
            handle.enable();
        }
        state.handles.insert(label.into(), handle.clone());
        handle
    }

    /// Sets the faults of this label; does not enable them.
    pub fn set(&self, label: &str, faults: Faults) {
        self.handle(label).set(faults);
    }

    /// Enables every label, also those to come.
    pub fn enable(&self) {
        let mut state = self.lock();
        state.enabled = true;
        state.handles.values().for_each(FaultHandle::enable);
    }

    /// Disables every label, also those to come.
    pub fn disable(&self) {
        let mut state = self.lock();
        state.enabled = false;
        state.handles.values().for_each(FaultHandle::disable);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here is left half done by a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// FNV-1a, 64 bit, with its published constants: std's hasher may change from release to release, and a seed must not.
fn fnv1a(label: &str) -> u64 {
    label.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
