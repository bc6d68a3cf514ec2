//! Where every service stands.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    sync::{Arc, Mutex},
    task::Poll,
};

use buttress_core::Vitals;
use tokio::task::AbortHandle;

use super::{GaveUp, StartError, Stopped, stop::Signal};
use crate::waiters::{Waiters, lock};

/// What is over is forgotten after so many more starts: whoever waited for it has long been told.
const KEPT: u64 = 256;

/// Where every service of a supervisor stands.
#[derive(Debug, Default)]
pub(super) struct Board(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    services: BTreeMap<Arc<str>, Entry>,
    /// Services started so far.
    started: u64,
    waiters: Waiters,
}

impl State {
    /// Forgets services that ended long ago, for there may be ever new ones. Those that failed are kept.
    fn forget(&mut self) {
        if self.started.is_multiple_of(KEPT) {
            let old = self.started - KEPT;
            let over = |entry: &Entry| matches!(entry.phase, Phase::Over(_));
            self.services
                .retain(|_, entry| entry.number > old || !over(entry));
        }
    }
}

#[derive(Debug)]
struct Entry {
    /// Which start it was: of one name there may be many.
    number: u64,
    phase: Phase,
    stop: Arc<Signal>,
    task: Option<AbortHandle>,
    /// Kept while there is something to be seen.
    vitals: Option<Vitals>,
}

/// How far a service has come.
#[derive(Debug)]
pub(super) enum Phase {
    /// A run is under way.
    Running,
    /// It waits for its next run.
    Waiting,
    /// It is over: done, or stopped.
    Over(Stopped),
    /// It is over, for it failed; with what is still to be told of it.
    Failed(Option<GaveUp>),
}

impl Phase {
    const fn is_over(&self) -> bool {
        matches!(self, Self::Over(_) | Self::Failed(_))
    }
}

impl Board {
    /// Takes the place of `name`. Gives the vitals of one that gave up, for its outage goes on.
    pub(super) fn take_place(
        &self,
        name: &Arc<str>,
        stop: &Arc<Signal>,
    ) -> Result<(u64, Option<Vitals>), StartError> {
        let mut state = lock(&self.0);
        let before = state.services.get(name);
        if before.is_some_and(|entry| !entry.phase.is_over()) {
            return Err(StartError::Running(Arc::clone(name)));
        }
        let vitals = before.and_then(|entry| entry.vitals.clone());
        state.started += 1;
        let entry = Entry {
            number: state.started,
            phase: Phase::Waiting,
            stop: Arc::clone(stop),
            task: None,
            vitals: vitals.clone(),
        };
        let number = entry.number;
        state.services.insert(Arc::clone(name), entry);
        state.forget();
        Ok((number, vitals))
    }

    /// That start of `name` has begun.
    pub(super) fn began(&self, name: &str, number: u64, vitals: &Vitals, task: AbortHandle) {
        if let Some(entry) = lock(&self.0).services.get_mut(name)
            && entry.number == number
            && !matches!(entry.phase, Phase::Over(_))
        {
            (entry.vitals, entry.task) = (Some(vitals.clone()), Some(task));
        }
    }

    /// A service has come this far. What is over stays over.
    pub(super) fn enters(&self, name: &str, number: u64, phase: Phase) {
        let mut state = lock(&self.0);
        let entry = state.services.get_mut(name);
        let Some(entry) = entry.filter(|entry| entry.number == number && !entry.phase.is_over())
        else {
            return;
        };
        if let Phase::Over(_) = phase {
            entry.vitals = None;
        }
        entry.phase = phase;
        let woken = state.waiters.take();
        drop(state);
        woken.wake();
    }

    pub(super) fn is_running(&self, name: &str) -> bool {
        let state = lock(&self.0);
        let entry = state.services.get(name);
        entry.is_some_and(|entry| matches!(entry.phase, Phase::Running))
    }

    pub(super) fn vitals(&self, name: &str) -> Option<Vitals> {
        lock(&self.0).services.get(name)?.vitals.clone()
    }

    /// Tells `name` to stop: which start of it is to be waited for, if any.
    pub(super) fn tell_to_stop(&self, name: &str) -> Option<u64> {
        let mut state = lock(&self.0);
        let entry = state.services.get_mut(name)?;
        if entry.phase.is_over() {
            // Nobody wants to hear of it any more.
            (entry.phase, entry.vitals) = (Phase::Over(Stopped::NotRunning), None);
            return None;
        }
        let (stop, number) = (Arc::clone(&entry.stop), entry.number);
        drop(state);
        stop.trip();
        Some(number)
    }

    /// Waits until that start of `name` is over.
    pub(super) async fn over(&self, name: &str, number: u64) -> Stopped {
        self.until(|services| match services.get(name) {
            Some(entry) if entry.number == number => match entry.phase {
                Phase::Over(how) => Some(how),
                Phase::Failed(_) => Some(Stopped::InTime),
                Phase::Running | Phase::Waiting => None,
            },
            // Another has taken its place since, or all were aborted.
            Some(_) => Some(Stopped::InTime),
            None => Some(Stopped::Aborted),
        })
        .await
    }

    /// Waits for the next service that gave up of which nobody was told.
    pub(super) async fn gave_up(&self) -> GaveUp {
        self.until(|services| {
            services
                .values_mut()
                .find_map(|entry| match &mut entry.phase {
                    Phase::Failed(untold) => untold.take(),
                    _ => None,
                })
        })
        .await
    }

    pub(super) fn names(&self) -> Vec<Arc<str>> {
        lock(&self.0).services.keys().map(Arc::clone).collect()
    }

    /// Ends every service where it stands.
    pub(super) fn abort(&self) {
        let mut state = lock(&self.0);
        let (services, woken) = (std::mem::take(&mut state.services), state.waiters.take());
        drop(state);
        for entry in services.into_values() {
            entry.stop.trip();
            entry.task.inspect(AbortHandle::abort);
        }
        woken.wake();
    }

    async fn until<T>(
        &self,
        mut found: impl FnMut(&mut BTreeMap<Arc<str>, Entry>) -> Option<T>,
    ) -> T {
        let mut place = Place(self, None);
        poll_fn(|cx| {
            let mut state = lock(&self.0);
            if let Some(found) = found(&mut state.services) {
                return Poll::Ready(found);
            }
            state.waiters.wait(&mut place.1, cx.waker());
            Poll::Pending
        })
        .await
    }
}

/// A place among those who wait, left however the waiting ends.
struct Place<'a>(&'a Board, Option<u64>);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        lock(&self.0.0).waiters.leave(self.1);
    }
}
