//! The way in, where there is a limit.

use std::task::Waker;

use super::{
    lane::{Lane, Shard},
    state::State,
    word::Word,
};
use crate::{
    Admission, Attempt, Nanos, Outcome, Permit, Refusal, Ticket,
    limit::{Limit, Lined, Till},
    refusal::Limiter,
    stats::Counters,
    sync::Arc,
};

impl State {
    /// Takes a place, where there is a limit. Does it hold one now?
    pub(super) fn enter(&self, word: Word, shard: &Shard) -> Result<bool, Refusal> {
        match self.limit(word) {
            None => Ok(false),
            Some(limit) if limit.places.enter(&shard.till, &self.tills()) => Ok(true),
            Some(_) => Err(limited(shard, Limiter::Concurrency)),
        }
    }

    /// Gives a place back, if one was held.
    pub(super) fn leave(&self, shard: &Shard, held: bool) {
        if let (true, Some(limit)) = (held, &self.limit) {
            limit.places.leave(&shard.till);
        }
    }

    /// What a call took says how many there may be at once, where that is found out.
    pub(super) fn learn_limit(&self, shard: &Shard, permit: &Permit, now: Nanos, outcome: Outcome) {
        let Some(limit) = self.limit.as_deref().filter(|limit| limit.adapts()) else {
            return;
        };
        if outcome == Outcome::Success {
            shard.samples.add(now.since(permit.started));
        }
        if limit.due(now) {
            let counters = self.shards.iter().map(|shard| &shard.counters);
            let failed = counters.map(Counters::overloaded).sum();
            let samples = self.shards.iter().map(|shard| &shard.samples);
            limit.adapt(now, failed, &samples, &self.tills());
        }
    }

    /// How many calls may be under way at once, where there is a limit.
    pub(super) fn current_limit(&self) -> Option<u32> {
        self.limit.as_deref().map(Limit::current)
    }

    /// Would the limit, if there is one, refuse a call or make it wait?
    pub(super) fn is_full(&self) -> bool {
        (self.limit(self.word())).is_some_and(|limit| limit.places.full())
    }

    fn limit(&self, word: Word) -> Option<&Limit> {
        self.limit.as_deref().filter(|_| !word.is_disabled())
    }

    fn tills(&self) -> impl Iterator<Item = &Till> + Clone {
        self.shards.iter().map(|shard| &shard.till)
    }
}

/// Admits a call, or gives it a place in the queue.
pub(super) fn admit_or_wait(lane: &Arc<Lane>, now: Nanos) -> Result<Admission, Refusal> {
    let (state, shard) = (&lane.state, &lane.shard);
    let word = state.word();
    state.refuse(word, shard, now)?;
    state.throttle(word, shard, now)?;
    let holds = match state.limit(word) {
        None => false,
        Some(limit) if limit.places.enter(&shard.till, &state.tills()) => true,
        Some(limit) => match limit.places.line_up(limit.waiting, &state.tills()) {
            Lined::Place => true,
            Lined::Up(number) => {
                let ticket = Ticket::new(Arc::clone(lane), number, now);
                return Ok(Admission::Later(ticket));
            }
            Lined::Full => return Err(limited(shard, Limiter::Concurrency)),
        },
    };
    let permit = state.begin(word, shard, lane.number, now, holds)?;
    Ok(Admission::Now(Attempt::new(Arc::clone(lane), permit)))
}

impl Lane {
    /// Has it been given a place? Otherwise `waker` is told.
    pub(crate) fn served(&self, number: u64, waker: &Waker) -> bool {
        let limit = self.state.limit.as_deref();
        limit.is_some_and(|limit| limit.places.poll(number, waker))
    }

    pub(crate) fn step_out(&self, number: u64) {
        if let Some(limit) = &self.state.limit {
            limit.places.step_out(number);
        }
    }

    /// Begins a call that has been given a place.
    pub(crate) fn begin(&self, now: Nanos) -> Result<Permit, Refusal> {
        let word = self.state.word();
        if let Err(refusal) = self.state.refuse(word, &self.shard, now) {
            self.state.leave(&self.shard, true);
            return Err(refusal);
        }
        self.state.begin(word, &self.shard, self.number, now, true)
    }

    pub(crate) fn waited_in_vain(&self) -> Refusal {
        limited(&self.shard, Limiter::Queue)
    }
}

fn limited(shard: &Shard, by: Limiter) -> Refusal {
    shard.counters.limited();
    Refusal::Overloaded {
        by,
        retry_after: None,
    }
}
