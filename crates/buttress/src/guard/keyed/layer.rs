//! Makes [`Keyed`] guards.

use std::sync::Arc;

use buttress_core::Destination;
use tower_layer::Layer;

use super::{By, Keyed, table::Table};
use crate::{Handles, policy::Limits};

/// Keys that are kept apart: what a process that talks to many hosts or tenants has, at some 4 KiB each once called.
const MOST: usize = 10_000;

/// Puts a service under watch, with a record for each key of its requests: made by [`GuardLayer::by`](crate::GuardLayer::by).
///
/// At most 10 000 keys are kept apart. Beyond that a new one takes the place of one that was not called for long, nearly
/// the longest; those that are ill, on their way back or in somebody's hand go when there is no other. How many were
/// forgotten is [counted](crate::Snapshot::forgotten_keys). So whoever makes up keys makes up memory for no more than that,
/// drives out a key that is well only if it is not called while he makes up thousands, and an open breaker not at all
/// until he has opened all others.
#[derive(Clone, Debug)]
pub struct KeyedLayer<B> {
    by: B,
    table: Arc<Table>,
    limits: Limits,
}

impl<P, K> KeyedLayer<By<P, K>> {
    pub(in crate::guard) fn new(
        protocol: P,
        key: K,
        destination: Destination,
        limits: Limits,
    ) -> Self {
        Self {
            by: By { protocol, key },
            table: Arc::new(Table::new(destination, MOST)),
            limits,
        }
    }
}

impl<B> KeyedLayer<B> {
    /// Keeps so many keys apart, and at least one; 10 000 by default.
    #[must_use]
    pub fn at_most(self, keys: usize) -> Self {
        let table = Table::new(self.table.destination().clone(), keys);
        Self {
            table: Arc::new(table),
            ..self
        }
    }

    /// Its keys, in somebody's hand.
    #[must_use]
    pub fn handles(&self) -> Handles {
        Handles::of(self.table.destination())
    }
}

impl<S, P: Clone, K: Clone> Layer<S> for KeyedLayer<By<P, K>> {
    type Service = Keyed<S, By<P, K>>;

    fn layer(&self, inner: S) -> Self::Service {
        Keyed {
            inner,
            by: self.by.clone(),
            table: Arc::clone(&self.table),
            limits: self.limits,
        }
    }
}
