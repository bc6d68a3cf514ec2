//! The services behind the current endpoints.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use buttress_core::{Attempt, BreakerState, Endpoint, Nanos, Picker, Refusal, Vitals};

use super::source::{Node, Source};

/// The record of an endpoint, and the way to it: what calls need, so that those of a large set lie close together.
#[derive(Debug)]
pub(super) struct Member<S> {
    pub(super) vitals: Vitals,
    pub(super) service: S,
}

/// The members of one set.
#[derive(Debug)]
pub(super) struct Members<S> {
    version: u64,
    /// The endpoints, in the same order.
    nodes: Arc<[Node]>,
    /// Is one of them a primary by a lease?
    leased: bool,
    pub(super) all: Box<[Member<S>]>,
    picker: Picker,
}

impl<S> Members<S> {
    fn new(version: u64, nodes: Arc<[Node]>, all: Box<[Member<S>]>, picker: Picker) -> Self {
        let leased = nodes.iter().any(|node| node.endpoint.of_epoch().is_some());
        Self {
            version,
            nodes,
            leased,
            all,
            picker,
        }
    }

    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    /// Whom to ask at `now`, by a draw; with `probe`, rather one whose breaker wants to know whether it is well again.
    pub(super) fn pick(
        &self,
        now: Nanos,
        draw: u64,
        probe: bool,
        passed: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let vitals = |place: usize| &self.all[place].vitals;
        self.picker.pick(now, draw, probe, vitals, passed)
    }

    /// The number of the lease of the one at `place`, if it is a primary by one.
    #[inline]
    pub(super) fn epoch(&self, place: usize) -> Option<u64> {
        let node = self.nodes.get(place).filter(|_| self.leased);
        node.and_then(|node| node.endpoint.of_epoch())
    }

    /// Are there any whose breaker lets no call through?
    #[inline]
    pub(super) fn some_are_out(&self) -> bool {
        self.picker.some_are_out()
    }

    /// One that waits to be tried again.
    pub(super) fn due(&self, now: Nanos, draw: u64) -> Option<usize> {
        self.picker
            .due(now, draw, |place: usize| &self.all[place].vitals)
    }

    /// Asks the one at `place` for an attempt.
    pub(super) fn admit(&self, place: usize, now: Nanos) -> Result<Attempt, Refusal> {
        let vitals = &self.all[place].vitals;
        vitals.admit_at(now).or_else(|refusal| {
            if self.picker.disregards_health() {
                vitals.admit_anyway(now)
            } else {
                Err(refusal)
            }
        })
    }

    /// Is there a member that a call could go to, and was not passed over?
    pub(super) fn reaches(&self, now: Nanos, passed: impl Fn(usize) -> bool) -> bool {
        let mut members = self.all.iter().enumerate();
        members.any(|(index, member)| !passed(index) && self.may_reach(&member.vitals, now))
    }

    fn may_reach(&self, vitals: &Vitals, now: Nanos) -> bool {
        matches!(vitals.state(), BreakerState::Closed | BreakerState::Ramping)
            || vitals.due(now) <= now
            || self.picker.disregards_health()
    }

    /// Until the first member may be asked again.
    pub(super) fn retry_after(&self, now: Nanos) -> Option<Duration> {
        self.all
            .iter()
            .map(|member| member.vitals.due(now))
            .filter(|due| *due < Nanos::MAX)
            .map(|due| due.since(now))
            .min()
    }
}

/// Makes members of endpoints, and keeps those that stay.
pub(super) struct Connections<S> {
    connect: Box<dyn Fn(&Endpoint) -> S + Send + Sync>,
    current: Mutex<Arc<Members<S>>>,
}

impl<S: Clone> Connections<S> {
    pub(super) fn new(connect: impl Fn(&Endpoint) -> S + Send + Sync + 'static) -> Self {
        let none = Members::new(0, Arc::default(), Box::default(), Picker::new([], None));
        Self {
            connect: Box::new(connect),
            current: Mutex::new(Arc::new(none)),
        }
    }

    /// The members of the current set.
    pub(super) fn refresh(&self, source: &Source) -> Arc<Members<S>> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.version != source.version() {
            let (version, nodes) = source.nodes();
            let known: HashMap<&str, &Member<S>> = (current.nodes.iter())
                .map(|node| node.endpoint.address())
                .zip(&current.all)
                .collect();
            let all = nodes.iter().map(|node| Member {
                vitals: node.vitals.clone(),
                service: known.get(node.endpoint.address()).map_or_else(
                    || (self.connect)(&node.endpoint),
                    |member| member.service.clone(),
                ),
            });
            let all: Box<[Member<S>]> = all.collect();
            let known = nodes.iter().map(|node| (&node.endpoint, &node.vitals));
            let picker = Picker::new(known, source.zone());
            *current = Arc::new(Members::new(version, nodes, all, picker));
        }
        Arc::clone(&current)
    }
}

impl<S> fmt::Debug for Connections<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}
