//! The current set of endpoints, and who keeps it current.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use buttress_core::{Destination, Endpoint, Fence, PanicMode, PickPolicy, ProbePolicy, Vitals};
use tokio::{runtime::Handle, task::AbortHandle};

use super::{
    EndpointSets,
    reader::{Problem, Reader, Sets},
};
use crate::probe::{self, Probe, Probing, Targets};

/// One endpoint of the current set, with what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) endpoint: Endpoint,
    pub(super) vitals: Vitals,
}

/// The endpoints of one layer, shared by all its services.
///
/// A stream that is at its end is read where it stands. Any other is read by a task, for someone has to, even while
/// nobody calls; the task ends with the last service. Where its runtime ends before, another begins in the runtime of whoever calls next.
#[derive(Debug)]
pub(super) struct Source {
    /// Zero until there is a set, or until waiting for one is over.
    version: AtomicU64,
    /// Is there something to be begun in a runtime: sets to be read, or endpoints to be probed?
    idle: AtomicBool,
    name: Arc<str>,
    pick: PickPolicy,
    /// Where the caller stands.
    zone: OnceLock<Arc<str>>,
    destination: Destination,
    /// A source that lags behind must not bring a former primary back.
    fence: Fence,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    nodes: Arc<[Node]>,
    unread: Option<Sets>,
    /// How endpoints are to be probed, until a runtime is there to do it in.
    unasked: Option<(ProbePolicy, Arc<dyn Probe>)>,
    probing: Option<Probing>,
    reader: Option<AbortHandle>,
    /// How often reading was begun, and probing: whoever comes late keeps no handle of a task that has ended.
    readings: u64,
    probings: u64,
    waiting: Vec<Waker>,
    /// The last set was empty, and nobody has repeated it yet.
    doubted: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("nodes", &self.nodes)
            .finish_non_exhaustive()
    }
}

impl Source {
    pub(super) fn new(
        name: &str,
        destination: Destination,
        pick: PickPolicy,
        sets: impl EndpointSets,
    ) -> Self {
        let state = State {
            unread: Some(Sets::new(sets)),
            ..State::default()
        };
        Self {
            version: AtomicU64::new(0),
            idle: AtomicBool::new(true),
            name: name.into(),
            pick,
            zone: OnceLock::new(),
            destination,
            fence: Fence::new(),
            state: Mutex::new(state),
        }
    }

    /// The one endpoint that is the service itself.
    pub(super) fn alone(name: &str, destination: Destination, vitals: Vitals) -> Self {
        let state = State {
            nodes: Arc::new([Node {
                endpoint: Endpoint::itself(),
                vitals,
            }]),
            ..State::default()
        };
        Self {
            version: AtomicU64::new(1),
            idle: AtomicBool::new(false),
            name: name.into(),
            pick: PickPolicy::new(),
            zone: OnceLock::new(),
            destination,
            fence: Fence::new(),
            state: Mutex::new(state),
        }
    }

    /// Which set is current; zero if there is none yet.
    pub(super) fn version(&self) -> u64 {
        // Acquire: pairs with the Release in `publish`.
        self.version.load(Ordering::Acquire)
    }

    pub(super) fn nodes(&self) -> (u64, Arc<[Node]>) {
        let state = self.lock();
        (self.version(), Arc::clone(&state.nodes))
    }

    /// Probes the endpoints from now on, or from the first call on where no runtime is yet.
    pub(super) fn probe(self: &Arc<Self>, policy: ProbePolicy, probe: impl Probe) {
        self.unprobed(policy, Arc::new(probe));
        self.start_probing();
    }

    /// Must a service look whether there is something to be begun, or to be read?
    #[inline]
    pub(super) fn news(&self, version: u64) -> bool {
        let current = self.version();
        // Relaxed: whoever misses it sees it at the next call.
        current == 0 || current != version || self.idle.load(Ordering::Relaxed)
    }

    fn start_probing(self: &Arc<Self>) {
        if Handle::try_current().is_err() {
            return;
        }
        let mut state = self.lock();
        let Some((policy, how)) = state.unasked.take() else {
            return;
        };
        state.probings += 1;
        let turn = state.probings;
        drop(state);
        let probing = probe::probe(self, policy, how);
        let mut state = self.lock();
        let over = if state.probings == turn {
            state.probing.replace(probing)
        } else {
            Some(probing)
        };
        drop(state);
        // Without the lock: what ends with it may want it.
        drop(over);
        // Whom to probe must be known before anybody calls.
        self.open(&mut Context::from_waker(Waker::noop()));
    }

    /// The caller stands there. Said once, before the first call.
    pub(super) fn stands_in(&self, zone: Arc<str>) {
        let _ = self.zone.set(zone);
    }

    pub(super) fn zone(&self) -> Option<&str> {
        self.zone.get().map(|zone| &**zone)
    }

    pub(super) const fn destination(&self) -> &Destination {
        &self.destination
    }

    pub(super) fn panic(&self) -> Option<PanicMode> {
        self.destination.panic()
    }

    /// Ready once there is a set, or none came in time.
    pub(super) fn poll_first(self: &Arc<Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.start_probing();
        self.open(cx);
        let mut state = self.lock();
        let idle = state.unread.is_some() || state.unasked.is_some();
        self.idle.store(idle, Ordering::Relaxed);
        if self.version() > 0 {
            return Poll::Ready(());
        }
        if !state
            .waiting
            .iter()
            .any(|waker| waker.will_wake(cx.waker()))
        {
            state.waiting.push(cx.waker().clone());
        }
        // Their reader has ended since we looked, and has told everybody but us.
        let missed = state.unread.is_some() && Handle::try_current().is_ok();
        drop(state);
        if missed {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Begins to read the sets, unless that was done.
    fn open(self: &Arc<Self>, cx: &mut Context<'_>) {
        let mut state = self.lock();
        if let Some(sets) = state.unread.take() {
            state.readings += 1;
            let turn = state.readings;
            drop(state);
            self.start(sets, turn, cx);
        }
    }

    /// Takes what is there at once; leaves the rest, if there is any, to a task.
    fn start(self: &Arc<Self>, mut sets: Sets, turn: u64, cx: &mut Context<'_>) {
        while !sets.begun
            && let Poll::Ready(next) = sets.poll_next(cx)
        {
            let Some(set) = next else {
                return self.give_up();
            };
            self.take(set);
        }
        match Handle::try_current() {
            Ok(runtime) => {
                let reader = runtime.spawn(Reader::new(sets, self).read());
                let mut state = self.lock();
                if state.readings == turn {
                    state.reader = Some(reader.abort_handle());
                }
            }
            // Whoever calls next reads on.
            Err(_) => self.lock().unread = Some(sets),
        }
    }

    /// The runtime in which they were read has ended.
    pub(super) fn unread(&self, sets: Sets) {
        let mut state = self.lock();
        (state.unread, state.reader) = (Some(sets), None);
        self.idle.store(true, Ordering::Relaxed);
        state.waiting.drain(..).for_each(Waker::wake);
    }

    pub(super) fn take(&self, set: Result<Vec<Endpoint>, Problem>) {
        match set {
            Ok(set) => self.publish(set),
            Err(problem) => {
                tracing::warn!(target: "buttress", policy = &*self.name, %problem, "kept the last endpoints")
            }
        }
    }

    fn publish(&self, set: Vec<Endpoint>) {
        let mut state = self.lock();
        // A source that has lost its own backend tends to say "nobody". It is believed when it says so twice.
        if set.is_empty() && !state.nodes.is_empty() && !std::mem::replace(&mut state.doubted, true)
        {
            tracing::warn!(target: "buttress", policy = &*self.name, "an empty set: kept the last endpoints until it is said again");
            return;
        }
        state.doubted = false;
        let epoch = set.iter().filter_map(Endpoint::of_epoch).max();
        if let Some(Err(stale)) = epoch.map(|epoch| self.fence.pass(epoch)) {
            tracing::warn!(target: "buttress", policy = &*self.name, %stale, "a set: kept the last endpoints");
            return;
        }
        let set = self.pick.of(without_doubles(set));
        self.destination.expect(set.len());
        let known: HashMap<&str, &Node> = state
            .nodes
            .iter()
            .map(|node| (node.endpoint.address(), node))
            .collect();
        // Where nobody of their priority stays, there is nobody behind whom to warm up.
        let stay: HashSet<u32> = (set.iter())
            .filter(|one| known.contains_key(one.address()))
            .map(Endpoint::of_priority)
            .collect();
        let node = |endpoint: Endpoint| {
            let vitals = match known.get(endpoint.address()) {
                Some(node) => {
                    if node.endpoint != endpoint {
                        node.vitals.describe(&endpoint);
                    }
                    node.vitals.clone()
                }
                None if stay.contains(&endpoint.of_priority()) => {
                    self.destination.newcomer(endpoint.clone())
                }
                None => self.destination.endpoint(endpoint.clone()),
            };
            Node { endpoint, vitals }
        };
        let nodes: Arc<[Node]> = set.into_iter().map(node).collect();
        let here: HashSet<&str> = nodes.iter().map(|node| node.endpoint.address()).collect();
        let gone = (state.nodes.iter()).filter(|node| !here.contains(node.endpoint.address()));
        gone.for_each(|node| node.vitals.leaves());
        state.nodes = nodes;
        self.advance(&mut state);
    }

    /// No set came, and none will, or not in time: calls shall hear so.
    pub(super) fn give_up(&self) {
        let mut state = self.lock();
        if self.version() == 0 {
            self.advance(&mut state);
        }
    }

    fn advance(&self, state: &mut State) {
        // Release: whoever sees the version finds its set, or a later one, behind the lock.
        self.version.fetch_add(1, Ordering::Release);
        state.waiting.drain(..).for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Two endpoints with one address are one: the first.
fn without_doubles(mut set: Vec<Endpoint>) -> Vec<Endpoint> {
    let mut seen = HashSet::with_capacity(set.len());
    let new: Vec<bool> = set
        .iter()
        .map(|endpoint| seen.insert(endpoint.address()))
        .collect();
    let mut new = new.into_iter();
    set.retain(|_| new.next().unwrap_or_default());
    set
}

impl Targets for Source {
    type Target = Vitals;

    fn version(&self) -> u64 {
        self.version()
    }

    fn targets(&self) -> Vec<(Endpoint, Vitals)> {
        let (_, nodes) = self.nodes();
        let pair = |node: &Node| (node.endpoint.clone(), node.vitals.clone());
        nodes.iter().map(pair).collect()
    }

    fn unprobed(&self, policy: ProbePolicy, probe: Arc<dyn Probe>) {
        self.lock().unasked = Some((policy, probe));
        self.idle.store(true, Ordering::Relaxed);
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Some(reader) = self.lock().reader.take() {
            reader.abort();
        }
    }
}
