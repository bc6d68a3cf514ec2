//! The services behind the current endpoints.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use buttress_core::{Endpoint, Nanos, State, Vitals};

use super::source::Source;

/// One endpoint, its record, and the way to it.
#[derive(Debug)]
pub(super) struct Member<S> {
    pub(super) address: Box<str>,
    pub(super) vitals: Vitals,
    pub(super) service: S,
}

/// The members of one set.
#[derive(Debug)]
pub(super) struct Members<S> {
    version: u64,
    pub(super) all: Box<[Member<S>]>,
}

impl<S> Members<S> {
    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    /// A member that takes calls at `now` and was not passed over: the first from a random place on.
    ///
    /// With `probe`, one whose breaker wants to know whether it is well again comes first, if it is among the first few
    /// looked at: nothing but a call will tell.
    pub(super) fn pick(
        &self,
        now: Nanos,
        draw: u64,
        probe: bool,
        passed: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let count = self.all.len();
        let start = (draw % count.max(1) as u64) as usize;
        let mut candidates = (0..count)
            .map(|step| (start + step) % count)
            .filter(|index| !passed(*index));
        let of = |index: &usize| &self.all[*index].vitals;
        // One that several calls may try at once gets its share of them by turns, and not all.
        let due = |index: &usize| {
            let one = of(index);
            !takes_calls(one) && one.due(now) <= now && !one.takes_turn()
        };
        // On its way back it gets its share: one whose turn it is not is passed over, not the call.
        let flows = |index: &usize| of(index).has_room() && of(index).takes_turn();
        probe
            .then(|| candidates.clone().take(LOOKS).find(due))
            .flatten()
            .or_else(|| candidates.clone().find(flows))
            .or_else(|| candidates.clone().find(|index| takes_calls(of(index))))
            .or_else(|| candidates.find(due))
    }

    /// Is there a member that a call could go to, and was not passed over?
    pub(super) fn reaches(&self, now: Nanos, passed: impl Fn(usize) -> bool) -> bool {
        let mut members = self.all.iter().enumerate();
        members.any(|(index, member)| {
            !passed(index) && (takes_calls(&member.vitals) || member.vitals.due(now) <= now)
        })
    }

    /// Until the first member may be asked again.
    pub(super) fn retry_after(&self, now: Nanos) -> Option<Duration> {
        self.all
            .iter()
            .map(|member| member.vitals.due(now).since(now))
            .min()
    }
}

fn takes_calls(vitals: &Vitals) -> bool {
    matches!(vitals.state(), State::Closed | State::Ramping)
}

/// How many members are looked at for one that wants a probe: a pick stays O(1) in large sets.
const LOOKS: usize = 8;

/// Makes members of endpoints, and keeps those that stay.
pub(super) struct Connections<S> {
    connect: Box<dyn Fn(&Endpoint) -> S + Send + Sync>,
    current: Mutex<Arc<Members<S>>>,
}

impl<S: Clone> Connections<S> {
    pub(super) fn new(connect: impl Fn(&Endpoint) -> S + Send + Sync + 'static) -> Self {
        let none = Members {
            version: 0,
            all: Box::default(),
        };
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
            let known: HashMap<&str, &Member<S>> = current
                .all
                .iter()
                .map(|member| (&*member.address, member))
                .collect();
            let all = nodes.iter().map(|node| Member {
                address: node.endpoint.address().into(),
                vitals: node.vitals.clone(),
                service: known.get(node.endpoint.address()).map_or_else(
                    || (self.connect)(&node.endpoint),
                    |member| member.service.clone(),
                ),
            });
            let members = Members {
                version,
                all: all.collect(),
            };
            *current = Arc::new(members);
        }
        Arc::clone(&current)
    }
}

impl<S> fmt::Debug for Connections<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}
