//! What happened at every endpoint since trouble began at one.

use crate::{Nanos, Sign, Tally, sync::Arc, vitals::VitalState};

/// Peers that are heard, at most: their word settles it, and reading the calls of thousands would take too long.
const HEARD: usize = 64;

/// Failed calls out of calls, the accused first.
#[derive(Debug)]
pub(crate) struct Scene(Vec<Tally>);

impl Scene {
    pub(crate) fn of(
        accused: &VitalState,
        members: &[Arc<VitalState>],
        since: Nanos,
        now: Nanos,
    ) -> Self {
        let peers = members
            .iter()
            .map(|member| &**member)
            .filter(|member| !std::ptr::eq(*member, accused));
        let heard = std::iter::once(accused).chain(peers.take(HEARD));
        Self(heard.map(|member| tally(member, since, now)).collect())
    }

    pub(crate) fn own(&self) -> Tally {
        self.0.first().copied().unwrap_or_default()
    }

    pub(crate) fn others(&self) -> &[Tally] {
        self.0.get(1..).unwrap_or_default()
    }

    pub(crate) fn everyone(&self) -> &[Tally] {
        &self.0
    }
}

fn tally(member: &VitalState, since: Nanos, now: Nanos) -> Tally {
    let calls = member
        .recorded()
        .filter(|call| call.began_since(since, now));
    calls.fold(Tally::default(), |tally, call| match call.ending.sign() {
        Sign::Good => Tally::new(tally.failures, tally.calls + 1),
        Sign::Bad => Tally::new(tally.failures + 1, tally.calls + 1),
        Sign::Silent => tally,
    })
}
