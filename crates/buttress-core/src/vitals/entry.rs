//! The way in, where there is a limit.

use std::{task::Waker, time::Duration};

use super::{lane::Lane, shard::Shard, state::State, word::Word};
use crate::{
    Admission, Ask, Attempt, Nanos, Outcome, Permit, Refusal, Ticket,
    limit::{Level, Limit, Lined, Shedding, Till, Turn},
    refusal::Limiter,
    stats::Counters,
};

impl State {
    /// Takes a place, where there is a limit. Does it hold one now?
    #[inline]
    pub(super) fn enter(&self, word: Word, shard: &Shard) -> Result<bool, Refusal> {
        match self.limit(word) {
            None => Ok(false),
            Some(limit) if limit.places.enter(&shard.till, || self.tills()) => Ok(true),
            Some(_) => Err(limited(shard, Limiter::Concurrency)),
        }
    }

    /// Gives a place back, if one was held.
    pub(super) fn leave(&self, shard: &Shard, held: bool) {
        if let (true, Some(limit)) = (held, &self.limit) {
            limit.places.leave(&shard.till);
        }
    }

    /// Gives a place back after a call. What that took says how many there may be at once, where that is found out.
    pub(super) fn leave_after(&self, shard: &Shard, permit: &Permit, now: Nanos, outcome: Outcome) {
        let Some(limit) = self.limit.as_deref() else {
            return;
        };
        limit.places.leave(&shard.till);
        if !limit.adapts() {
            return;
        }
        if outcome == Outcome::Success {
            shard.samples.add(now.since(permit.started));
        }
        if limit.due(now) {
            self.adapt(limit, now);
        }
    }

    #[cold]
    fn adapt(&self, limit: &Limit, now: Nanos) {
        let counters = self.shards().map(|shard| &shard.counters);
        let failed = counters.map(Counters::overloaded).sum();
        let samples = self.shards().map(|shard| &shard.samples);
        limit.adapt(now, failed, &samples, &self.tills());
    }

    /// Turns a call away, if too many wait and it matters least.
    #[cold]
    fn shed(&self, limit: &Limit, shard: &Shard, level: Level, now: Nanos) -> Result<(), Refusal> {
        let Some(shedding) = &limit.shed else {
            return Ok(());
        };
        let (let_in, risen) = shedding.with(|shed| {
            let risen = shed.is_due(now) && shed.look(limit.places.waits(), self.calls(), now);
            (shed.lets_in(level), risen.then(|| shed.threshold()))
        });
        if let Some(threshold) = risen {
            limit.places.shed(threshold);
        }
        if let_in {
            return Ok(());
        }
        Err(turned_away(shard, Some(shedding.policy.interval)))
    }

    /// How many calls may be under way at once, where there is a limit.
    pub(super) fn current_limit(&self) -> Option<u32> {
        self.limit.as_deref().map(Limit::current)
    }

    /// Does somebody hold a place under the limit, or wait for one?
    pub(super) fn holds_places(&self) -> bool {
        let limit = self.limit.as_deref();
        limit.is_some_and(|limit| limit.places.waits() || self.under_way() > 0)
    }

    /// Would the limit, if there is one, refuse a call or make it wait?
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        (self.limit(self.word())).is_some_and(|limit| limit.places.full())
    }

    #[inline]
    fn limit(&self, word: Word) -> Option<&Limit> {
        self.limit.as_deref().filter(|_| !word.is_disabled())
    }

    fn tills(&self) -> impl Iterator<Item = &Till> + Clone {
        self.shards().map(|shard| &shard.till)
    }
}

/// Admits a call, now or in its turn.
#[inline]
pub(super) fn admit<'a>(
    lane: &Lane,
    now: Nanos,
    ask: impl FnOnce() -> Ask<'a>,
) -> Result<Admission, Refusal> {
    match admit_unless_full(lane, now)? {
        Some(attempt) => Ok(Admission::Now(attempt)),
        None => wait(lane, now, &ask()),
    }
}

/// Admits a call that need not wait; none if it has to. No generic function, for the sake of those calls.
fn admit_unless_full(lane: &Lane, now: Nanos) -> Result<Option<Attempt>, Refusal> {
    let (state, shard) = (lane.state(), lane.shard());
    let word = state.word();
    state.refuse(word, shard, now)?;
    state.throttle(word, shard, now)?;
    let holds = match state.limit(word) {
        None => false,
        // Nothing is asked of a call that finds a place, while none are turned away.
        Some(limit) => {
            let acts = limit.shed.as_ref().is_some_and(Shedding::acts);
            if acts || !limit.places.enter(&shard.till, || state.tills()) {
                return Ok(None);
            }
            true
        }
    };
    let permit = state.begin(word, shard, lane.number(), now, holds)?;
    Ok(Some(Attempt::new(lane.clone(), permit)))
}

/// Gives a call that has to wait a place in the queue, or turns it away.
#[cold]
fn wait(lane: &Lane, now: Nanos, ask: &Ask<'_>) -> Result<Admission, Refusal> {
    let (state, shard) = (lane.state(), lane.shard());
    let word = state.word();
    let mut holds = false;
    if let Some(limit) = state.limit(word) {
        let level = Level::new(ask.priority, state.destination.dealt(ask.caller, now));
        state.shed(limit, shard, level, now)?;
        match limit.places.line_up(limit.waiting, level, &state.tills()) {
            Lined::Place => holds = true,
            Lined::Up { number, alone } => {
                if let (true, Some(shed)) = (alone, &limit.shed) {
                    shed.with(|shed| shed.stands(now));
                }
                let ticket = Ticket::new(lane.clone(), number, now, ask);
                return Ok(Admission::Later(ticket));
            }
            Lined::Full => return Err(limited(shard, Limiter::Concurrency)),
        }
    }
    let permit = state.begin(word, shard, lane.number(), now, holds)?;
    Ok(Admission::Now(Attempt::new(lane.clone(), permit)))
}

impl Lane {
    /// How does it stand with one who waits? If it has to wait longer, `waker` is told.
    pub(crate) fn turn(&self, number: u64, waker: &Waker) -> Turn {
        let limit = self.state().limit.as_deref();
        limit.map_or(Turn::Waits, |limit| limit.places.poll(number, waker))
    }

    pub(crate) fn step_out(&self, number: u64) {
        if let Some(limit) = &self.state().limit {
            limit.places.step_out(number);
        }
    }

    /// Begins a call that has been given a place, unless its time is over.
    pub(crate) fn begin_after(
        &self,
        number: u64,
        since: Nanos,
        deadline: Option<Nanos>,
    ) -> Result<Permit, Refusal> {
        let (state, now) = (self.state(), self.clock().now());
        if let Some(shed) = state.limit.as_deref().and_then(|limit| limit.shed.as_ref()) {
            shed.with(|shed| shed.waited(number, now.since(since)));
        }
        let word = state.word();
        let late = deadline.is_some_and(|deadline| deadline <= now);
        let refused = if late {
            self.shard().counters.limited();
            Err(Refusal::Deadline {
                after: Duration::ZERO,
            })
        } else {
            state.refuse(word, self.shard(), now)
        };
        if let Err(refusal) = refused {
            state.leave(self.shard(), true);
            return Err(refusal);
        }
        state.begin(word, self.shard(), self.number(), now, true)
    }

    pub(crate) fn displaced(&self) -> Refusal {
        turned_away(self.shard(), None)
    }

    pub(crate) fn waited_in_vain(&self) -> Refusal {
        limited(self.shard(), Limiter::Queue)
    }
}

fn limited(shard: &Shard, by: Limiter) -> Refusal {
    shard.counters.limited();
    Refusal::Overloaded {
        by,
        retry_after: None,
    }
}

fn turned_away(shard: &Shard, retry_after: Option<Duration>) -> Refusal {
    shard.counters.shed();
    Refusal::Overloaded {
        by: Limiter::Shed,
        retry_after,
    }
}
