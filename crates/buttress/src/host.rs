//! Where vitals are born: with a root that shows them, or alone.

use std::sync::Arc;

use buttress_core::{Event, Events, Host, Registry, Rules, Subject, Vitals};

use crate::clock::CLOCK;

/// How many events a root keeps for slow readers.
const KEPT_EVENTS: usize = 1024;

/// Where vitals are born.
pub(crate) trait Home {
    fn vitals(&self, subject: Subject, rules: &Rules) -> Vitals;
}

/// Without a root: changes go to `tracing` alone.
#[derive(Debug)]
pub(crate) struct Lone;

impl Home for Lone {
    fn vitals(&self, subject: Subject, rules: &Rules) -> Vitals {
        Vitals::new(subject, rules, &host(&Arc::new(Events::new(0, trace))))
    }
}

impl Home for Registry {
    fn vitals(&self, subject: Subject, rules: &Rules) -> Vitals {
        let vitals = Vitals::new(subject, rules, &host(self.events()));
        self.add(&vitals);
        vitals
    }
}

pub(crate) fn registry() -> Registry {
    Registry::new(Arc::new(Events::new(KEPT_EVENTS, trace)))
}

fn host(events: &Arc<Events>) -> Host {
    Host {
        clock: CLOCK,
        events: Arc::clone(events),
        seed: fastrand::u64(..),
    }
}

fn trace(event: &Event) {
    let endpoint = event.endpoint.as_deref().unwrap_or_default();
    tracing::info!(target: "buttress", policy = &*event.policy, endpoint, "{}", event.kind);
}
