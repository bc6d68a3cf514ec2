//! Where vitals are born, and who looks after them.

use std::sync::Arc;

use buttress_core::{
    Attempt, Destination, Event, Events, HealthPolicy, Host, Parts, Registry, Rules, Vitals,
};
use tokio::{runtime::Handle, time::sleep_until};

use crate::clock::{CLOCK, epoch, instant};

/// How many events a root keeps for slow readers.
const KEPT_EVENTS: usize = 1024;

/// A place to be seen, whose changes go to `tracing` too.
pub(crate) fn registry() -> Registry {
    Registry::new(Arc::new(Events::new(KEPT_EVENTS, trace))).epoch(epoch())
}

pub(crate) fn destination(name: &str, rules: &Rules, registry: &Registry) -> Destination {
    let host = Host {
        clock: CLOCK,
        registry: registry.clone(),
        seed: fastrand::u64(..),
    };
    Destination::new(name, rules, &host)
}

/// The record of something that we run or keep ourselves: its outages are told, not found out from calls.
pub(crate) fn reported(name: &str, registry: &Registry) -> Vitals {
    let rules = Rules {
        // Any rule that costs nothing, for it is never asked.
        health: HealthPolicy::consecutive(1),
        parts: Parts {
            health: false,
            ..Parts::default()
        },
        ..Rules::default()
    };
    destination(name, &rules, registry).alone()
}

fn trace(event: &Event) {
    let endpoint = event.endpoint.as_deref().unwrap_or_default();
    tracing::info!(target: "buttress", policy = &*event.policy, endpoint, "{}", event.kind);
}

/// A call has to wait: sees to it that somebody looks after the calls under way. One load where somebody does.
///
/// One task per destination, and only while calls are under way; without a runtime the next calls do it instead.
pub(crate) fn attend(attempt: &Attempt) {
    let Some(destination) = attempt.unattended() else {
        return;
    };
    let attendant = Attendant(destination);
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(async move {
            while let Some(next) = attendant.0.tick(CLOCK.now()) {
                sleep_until(instant(next)).await;
            }
        });
    }
}

/// Leaves its place when its task ends, however that comes.
struct Attendant(Destination);

impl Drop for Attendant {
    fn drop(&mut self) {
        self.0.release();
    }
}
