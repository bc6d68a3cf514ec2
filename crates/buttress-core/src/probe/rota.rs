//! Whose turn it is to be probed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Edge, ProbePolicy, schedule::Schedule};
use crate::{Nanos, Sign, random::Draws};

/// The endpoints of one destination in the order in which they are due, and how many probes are on their way.
///
/// Pure: whoever drives it sends the probes that [`next`](Self::next) names, reports each [`result`](Self::result), and
/// comes back at [`wake`](Self::wake). Each step costs the logarithm of the number of endpoints.
///
/// # Examples
///
/// ```
/// use buttress_core::{Edge, Nanos, ProbePolicy, Rota, Sign};
///
/// let mut rota = Rota::new(ProbePolicy::new(), 1);
/// let key = rota.add(Nanos::ZERO);
/// let due = rota.wake().unwrap();
/// assert_eq!(rota.next(due), Some(key));
/// assert_eq!(rota.result(key, due, Sign::Good), Some(Edge::Up));
/// assert!(rota.wake() > Some(due));
/// ```
#[derive(Debug)]
pub struct Rota {
    policy: ProbePolicy,
    draws: Draws,
    schedules: BTreeMap<u64, Schedule>,
    /// Those not on their way, by when they are due.
    queue: BTreeSet<(Nanos, u64)>,
    /// How many are on their way.
    flying: u32,
    /// Keys are never used again: a late result meets nobody else's schedule.
    next_key: u64,
    /// When the destination was last seen to be called.
    called: Option<Nanos>,
    busy: bool,
}

impl Rota {
    /// Nobody yet. The same seed and the same steps make the same decisions.
    #[must_use]
    pub const fn new(policy: ProbePolicy, seed: u64) -> Self {
        Self {
            policy,
            draws: Draws::seeded(seed),
            schedules: BTreeMap::new(),
            queue: BTreeSet::new(),
            flying: 0,
            next_key: 0,
            called: None,
            busy: false,
        }
    }

    /// A new endpoint, first due within the fast interval. The key stands for it from here on.
    pub fn add(&mut self, now: Nanos) -> u64 {
        let key = self.next_key;
        self.next_key += 1;
        let schedule = Schedule::new(self.policy, self.busy, now, self.draws.next());
        self.queue.insert((schedule.due(), key));
        self.schedules.insert(key, schedule);
        key
    }

    /// An endpoint that is no more. If it was being probed, its place is free.
    pub fn remove(&mut self, key: u64) {
        let Some(schedule) = self.schedules.remove(&key) else {
            return;
        };
        if schedule.flying() {
            self.flying -= 1;
        } else {
            self.queue.remove(&(schedule.due(), key));
        }
    }

    /// Who is to be probed now, the longest overdue first. The probe counts as sent.
    pub fn next(&mut self, now: Nanos) -> Option<u64> {
        let &(due, key) = self.queue.first()?;
        if due > now || !self.free() {
            return None;
        }
        self.queue.pop_first();
        self.flying += 1;
        if let Some(schedule) = self.schedules.get_mut(&key) {
            schedule.sent(now);
        }
        Some(key)
    }

    /// When to ask [`next`](Self::next) again, if nothing happens before: never while all places are taken.
    #[must_use]
    pub fn wake(&self) -> Option<Nanos> {
        self.queue
            .first()
            .filter(|_| self.free())
            .map(|(due, _)| *due)
    }

    /// The probe of `key` is back, or was given up. A change of what is found is told once.
    pub fn result(&mut self, key: u64, now: Nanos, sign: Sign) -> Option<Edge> {
        let schedule = self.schedules.get_mut(&key)?;
        if !schedule.flying() {
            return None;
        }
        let edge = schedule.result(now, sign, self.draws.next());
        self.flying -= 1;
        self.queue.insert((schedule.due(), key));
        edge
    }

    /// Calls to `key` fail: it is probed at once, yet no sooner after its last probe than the fast interval.
    pub fn hint(&mut self, key: u64, now: Nanos) {
        let Some(schedule) = self.schedules.get_mut(&key) else {
            return;
        };
        let before = (schedule.due(), key);
        schedule.hint(now);
        if self.queue.remove(&before) {
            self.queue.insert((schedule.due(), key));
        }
    }

    /// Has any endpoint been called since this was told last? To be told often: an idle interval without a call makes
    /// the destination idle, a call makes it busy at once.
    ///
    /// It is one answer for the destination: an endpoint that is down is not called, and is to be probed all the same.
    pub fn traffic(&mut self, now: Nanos, called: bool) {
        if called {
            self.called = Some(now);
        }
        let idle = self.policy.idle_interval;
        let busy = self.called.is_some_and(|at| now.since(at) < idle);
        if busy == self.busy {
            return;
        }
        self.busy = busy;
        for (key, schedule) in &mut self.schedules {
            let before = (schedule.due(), *key);
            schedule.traffic(now, busy);
            if self.queue.remove(&before) {
                self.queue.insert((schedule.due(), *key));
            }
        }
    }

    const fn free(&self) -> bool {
        self.flying < self.policy.at_once
    }
}

#[cfg(test)]
mod tests;
