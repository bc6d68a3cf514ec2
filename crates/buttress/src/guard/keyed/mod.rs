//! One guard, and a record for each key.

mod layer;
mod table;

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use buttress_core::{
    Admission, Ask, Describe, Destination, Entrance, KeyOf, Nanos, Protocol, Refusal,
};
use tower_service::Service;

pub use layer::KeyedLayer;

use super::{GuardFuture, Record, begin};
use crate::{Handles, policy::Limits};
use table::Table;

/// A protocol, and what says which key a request has.
#[derive(Clone, Copy, Debug)]
pub struct By<P, K> {
    protocol: P,
    key: K,
}

/// One service under watch, with a record for each host, tenant or route that requests are for: each is measured and
/// refused by itself.
///
/// Its failure to become ready is nobody's in particular, and is not recorded. Clones share their records.
#[derive(Clone, Debug)]
pub struct Keyed<S, B> {
    inner: S,
    by: B,
    table: Arc<Table>,
    limits: Limits,
}

impl<S, B> Keyed<S, B> {
    /// Its keys, in somebody's hand.
    #[must_use]
    pub fn handles(&self) -> Handles {
        Handles::of(self.table.destination())
    }

    /// The wrapped service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The wrapped service.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The wrapped service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, P, K, Req> Service<Req> for Keyed<S, By<P, K>>
where
    S: Service<Req> + Clone,
    P: Protocol<S::Response, S::Error> + Describe<Req>,
    K: KeyOf<Req>,
{
    type Response = P::Response;
    type Error = P::Error;
    type Future = GuardFuture<S, P, Req>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), P::Error>> {
        let ready = self.inner.poll_ready(cx);
        ready.map_err(|error| self.by.protocol.fail(error))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let record = Entered {
            entrance: self.table.enter(self.by.key.key(&request)),
            table: &self.table,
        };
        begin(
            &mut self.inner,
            &self.by.protocol,
            record,
            &self.limits,
            request,
        )
    }
}

/// The record of a key.
struct Entered<'a> {
    entrance: Entrance,
    table: &'a Table,
}

impl Record for Entered<'_> {
    #[inline]
    fn admit<'a>(self, now: Nanos, ask: impl FnOnce() -> Ask<'a>) -> Result<Admission, Refusal> {
        self.entrance.admit_or_wait(now, ask)
    }

    fn destination(&self) -> Destination {
        self.table.destination().clone()
    }
}
