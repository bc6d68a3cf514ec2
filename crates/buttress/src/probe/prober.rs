//! One task per destination that probes all its endpoints.

use std::{
    collections::{BTreeMap, HashMap},
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Arc, Weak},
    task::{Context, Poll},
};

use buttress_core::{Cause, Endpoint, Nanos, Outcome, ProbePolicy, Rota};
use tokio::task::AbortHandle;

use super::{Probe, Target, Targets, running::Running};
use crate::{CLOCK, timer::Timer};

/// Probes until it is dropped.
#[derive(Debug)]
#[must_use = "probing ends when this is dropped"]
pub(crate) struct Probing {
    task: AbortHandle,
    /// Let go before the task is ended, which may be dropped at once, in another thread.
    wanted: Option<Arc<()>>,
}

impl Drop for Probing {
    fn drop(&mut self) {
        self.wanted = None;
        self.task.abort();
    }
}

/// Probes `targets`, in a task of the current runtime, until the handle or the last of the targets' owners is dropped. Where the runtime
/// ends before, they are told.
///
/// The policy is one that was checked.
pub(crate) fn probe<T: Targets>(
    targets: &Arc<T>,
    policy: ProbePolicy,
    probe: Arc<dyn Probe>,
) -> Probing {
    let wanted = Arc::new(());
    let prober = Prober {
        targets: Arc::downgrade(targets),
        wanted: Arc::downgrade(&wanted),
        probe,
        policy,
        rota: Rota::new(policy, fastrand::u64(..)),
        version: None,
        keys: HashMap::new(),
        entries: BTreeMap::new(),
        running: Vec::new(),
        sweep_at: Nanos::ZERO,
    };
    Probing {
        task: tokio::spawn(prober.run()).abort_handle(),
        wanted: Some(wanted),
    }
}

struct Prober<T: Targets> {
    targets: Weak<T>,
    /// Gone when its owner wants no more probes.
    wanted: Weak<()>,
    probe: Arc<dyn Probe>,
    policy: ProbePolicy,
    rota: Rota,
    /// Of which set the entries are.
    version: Option<u64>,
    /// By address.
    keys: HashMap<String, u64>,
    entries: BTreeMap<u64, Entry<T::Target>>,
    /// At most as many as the policy allows, in the order in which they were sent: all have one timeout, so the first
    /// to have failed is the first.
    running: Vec<Running>,
    /// When the set, the calls and the doubts are looked at again.
    sweep_at: Nanos,
}

impl<T: Targets> Drop for Prober<T> {
    fn drop(&mut self) {
        if self.wanted.strong_count() > 0
            && let Some(targets) = self.targets.upgrade()
        {
            targets.unprobed(self.policy, Arc::clone(&self.probe));
        }
    }
}

struct Entry<T> {
    endpoint: Endpoint,
    target: T,
    calls: u64,
    suspect: bool,
}

impl<T: Targets> Prober<T> {
    async fn run(mut self) {
        let mut timer = pin!(Timer::default());
        let mut now = CLOCK.now();
        loop {
            if now >= self.sweep_at && !self.sweep(now) {
                return;
            }
            self.send(now);
            let wake = self.wake();
            let ended = poll_fn(|cx| self.poll(timer.as_mut(), wake, cx)).await;
            // Whatever a timer's granularity: where it has fired, its time has come. No round is for nothing.
            now = CLOCK.now();
            match ended {
                Some((running, outcome)) => self.end(&running, now, outcome),
                None => {
                    now = now.max(wake);
                    self.expire(now);
                }
            }
        }
    }

    /// Looks at the set and at what calls say. False when there is nobody left to look for.
    fn sweep(&mut self, now: Nanos) -> bool {
        // Held for this moment only: the owner's end must not wait for us.
        let Some(targets) = self.targets.upgrade() else {
            return false;
        };
        // Read before the set: one that comes between the two is looked at again.
        let version = targets.version();
        if self.version.replace(version) != Some(version) {
            self.adopt(now, targets.targets());
        }
        let mut called = false;
        for (key, entry) in &mut self.entries {
            let (calls, suspect) = (entry.target.calls(), entry.target.suspect());
            called |= std::mem::replace(&mut entry.calls, calls) != calls;
            if !std::mem::replace(&mut entry.suspect, suspect) && suspect {
                self.rota.hint(*key, now);
            }
        }
        self.rota.traffic(now, called);
        self.sweep_at = now.after(self.policy.fast_interval);
        true
    }

    /// Takes over a set. Who stays keeps the schedule; who leaves takes the probe on its way along.
    fn adopt(&mut self, now: Nanos, targets: Vec<(Endpoint, T::Target)>) {
        let mut gone = std::mem::take(&mut self.keys);
        for (endpoint, target) in targets {
            let address = endpoint.address();
            if self.keys.contains_key(address) {
                continue;
            }
            let key = gone.remove(address).unwrap_or_else(|| self.rota.add(now));
            self.keys.insert(address.to_owned(), key);
            let before = self.entries.get(&key);
            let entry = Entry {
                calls: before.map_or(0, |entry| entry.calls),
                suspect: before.is_some_and(|entry| entry.suspect),
                endpoint,
                target,
            };
            self.entries.insert(key, entry);
        }
        for key in gone.into_values() {
            self.rota.remove(key);
            self.entries.remove(&key);
            self.running.retain(|running| running.key != key);
        }
    }

    fn send(&mut self, now: Nanos) {
        while let Some(key) = self.rota.next(now) {
            if let Some(entry) = self.entries.get(&key) {
                let until = now.after(self.policy.timeout);
                let running = Running::new(key, now, until, &*self.probe, &entry.endpoint);
                self.running.push(running);
            }
        }
    }

    fn wake(&self) -> Nanos {
        let timeout = self.running.first().map(|running| running.until);
        [self.rota.wake(), timeout]
            .into_iter()
            .flatten()
            .fold(self.sweep_at, Nanos::min)
    }

    /// The first probe that has ended, or nothing when it is time: an answer that is there counts, however late.
    fn poll(
        &mut self,
        timer: Pin<&mut Timer>,
        wake: Nanos,
        cx: &mut Context<'_>,
    ) -> Poll<Option<(Running, Outcome)>> {
        for index in 0..self.running.len() {
            if let Poll::Ready(outcome) = self.running[index].poll(cx) {
                return Poll::Ready(Some((self.running.remove(index), outcome)));
            }
        }
        timer.poll_until(wake, cx).map(|()| None)
    }

    fn expire(&mut self, now: Nanos) {
        while self
            .running
            .first()
            .is_some_and(|running| running.until <= now)
        {
            let running = self.running.remove(0);
            self.end(&running, now, Outcome::Failure(Cause::Timeout));
        }
    }

    fn end(&mut self, running: &Running, now: Nanos, outcome: Outcome) {
        let edge = self.rota.result(running.key, now, outcome.sign());
        if let Some(entry) = self.entries.get(&running.key) {
            entry.target.told(running.sent, now, outcome, edge);
        }
    }
}
