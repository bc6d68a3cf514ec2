//! What is known of one endpoint, shared by all lanes.

use std::{sync::OnceLock, time::Duration};

use super::{
    lane::{Shard, Shards},
    signs::Signs,
    word::Word,
};
use crate::{
    Cause, Counts, Endpoint, Event, EventKind, Labels, Nanos, Outcome, Permit, Refusal, Sign,
    Snapshot,
    destination::{Census, Shared},
    health::{Alarm, Bank},
    locate::{Call, Ending, Record},
    stats::{Counters, Latency, Note},
    sync::{Arc, AtomicU64, Mutex, Ordering, fence, lock},
};

/// Nothing is under way that could grow too old.
const IDLE: u64 = u64::MAX;

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) destination: Arc<Shared>,
    endpoint: Option<Endpoint>,
    /// What a healthy call needs to know of `signs`, in one load: see [`Word`].
    word: AtomicU64,
    /// From when on a call may be admitted, for pickers: a hint beside `word`, which decides.
    due: AtomicU64,
    /// When to look for calls that have grown too old.
    look_at: AtomicU64,
    shards: Shards,
    /// Calls that ended well and are no sign of health all the same: too late, or of an older generation.
    discounted: AtomicU64,
    latencies: [OnceLock<Latency>; 2],
    /// Calls that were evidence for their age.
    late: AtomicU64,
    /// What was counted when the destination last asked.
    asked: Mutex<Census>,
    signs: Mutex<Signs>,
}

impl State {
    pub(crate) fn new(destination: Arc<Shared>, endpoint: Option<Endpoint>, seed: u64) -> Self {
        let now = destination.host.clock.now();
        let signs = Signs::new(&destination.rules, || destination.bank(), now, seed);
        Self {
            destination,
            endpoint,
            word: AtomicU64::new(signs.word().bits()),
            due: AtomicU64::new(0),
            look_at: AtomicU64::new(IDLE),
            shards: Shards::new(),
            discounted: AtomicU64::new(0),
            latencies: [OnceLock::new(), OnceLock::new()],
            late: AtomicU64::new(0),
            asked: Mutex::default(),
            signs: Mutex::new(signs),
        }
    }

    pub(super) fn shard(&self, lane: usize) -> &Arc<Shard> {
        self.shards.of(lane)
    }

    pub(super) fn permit(&self, shard: &Shard, lane: u8, now: Nanos) -> Result<Permit, Refusal> {
        let word = self.word();
        if word.flows() {
            let seat = shard.board(lane, now);
            self.watch(now);
            return Ok(Permit {
                started: now,
                generation: word.generation(),
                probe: false,
                seat,
            });
        }
        // While it is open and its time has not come, nothing can change: no lock.
        let wait = self.due().since(now);
        if word.state() == crate::State::Open && !wait.is_zero() {
            shard.counters.rejected();
            return Err(Refusal::Open { retry_after: wait });
        }
        let (permit, change) = self.update(|signs| signs.permit(now));
        self.tell(now, change);
        match permit {
            Ok(permit) => Ok(Permit {
                seat: shard.board(lane, now),
                ..permit
            }),
            Err(retry_after) => {
                shard.counters.rejected();
                Err(Refusal::Open { retry_after })
            }
        }
    }

    pub(super) fn label(&self, permit: &mut Permit, labels: Labels<'_>) {
        if !self.destination.rules.parts.health {
            return;
        }
        let number =
            |name: Option<&str>| name.map_or(0, |name| self.destination.names().number(name));
        let (route, method) = (number(labels.route), number(labels.method));
        if (route, method) == (0, 0) {
            return;
        }
        let seat = &mut permit.seat;
        (seat.note.route, seat.note.method) = (route, method);
        if let Some(place) = seat.place {
            self.shard(usize::from(seat.lane))
                .flights
                .note(place, seat.note);
        }
    }

    /// The whole life of a fact: count, judge, act, tell.
    pub(super) fn record(&self, shard: &Shard, permit: Permit, now: Nanos, outcome: Outcome) {
        shard.counters.finished(outcome);
        let found = permit
            .seat
            .place
            .is_some_and(|place| shard.flights.leave(place));
        let fact = self.weigh(&permit, now, outcome, found);
        if !found {
            self.write(shard, permit.started, permit.seat.note, fact);
        }
        let word = self.word();
        if outcome.sign() == Sign::Good
            && (found || fact != outcome || permit.generation != word.generation())
        {
            // Relaxed: it is read with the counters it corrects, which are no moment's truth either.
            self.discounted.fetch_add(1, Ordering::Relaxed);
        }
        if found && !permit.probe {
            // Its age was evidence already; what is left is to say what it died of.
            if let Outcome::Failure(cause) = outcome {
                self.update(|signs| signs.lost(permit.generation, cause));
            }
            return;
        }
        if word.unmoved_by(fact.sign(), &permit) {
            return;
        }
        let rule = |alarm: &Alarm| self.destination.rule(self, alarm, now);
        let change = self.update(|signs| signs.take(&permit, now, fact, self.good(), rule));
        self.tell(now, change);
        self.destination.observe(now);
    }

    /// Keeps the call, for whoever wants to know where a fault lies.
    fn write(&self, shard: &Shard, started: Nanos, note: Note, fact: Outcome) {
        if !self.destination.rules.parts.health {
            return;
        }
        let Some(ending) = Ending::of(fact) else {
            return;
        };
        let call = Call {
            started: Call::millis(started),
            ending,
            route: note.route,
            method: note.method,
        };
        shard.recorder().write(note.number, Record::pack(call));
    }

    /// What a call's end says about the endpoint, its age considered, and our own pauses.
    fn weigh(&self, permit: &Permit, now: Nanos, outcome: Outcome, found: bool) -> Outcome {
        if !self.destination.rules.parts.health {
            return outcome;
        }
        let norm = &self.destination.norm;
        let took = now.since(permit.started);
        match outcome {
            Outcome::Success | Outcome::CallerFault if !found => {
                if norm.waited(permit.started, now) >= norm.age() {
                    self.late.fetch_add(1, Ordering::Relaxed);
                    return Outcome::Late;
                }
                if outcome == Outcome::Success {
                    self.learn(permit.seat.lane, took);
                }
                outcome
            }
            // We slept: our timer fired late, and their answer may lie unread.
            Outcome::Failure(Cause::Timeout) => {
                norm.notice(now);
                match self.destination.rules.timeout {
                    Some(timeout) if norm.waited(permit.started, now) < timeout.mul_f64(0.9) => {
                        Outcome::Cancelled
                    }
                    _ => outcome,
                }
            }
            _ => outcome,
        }
    }

    fn learn(&self, lane: u8, took: Duration) {
        self.latencies[usize::from(lane & 1)]
            .get_or_init(Latency::new)
            .record(took);
    }

    /// Takes out the latencies of healthy calls since the last time.
    pub(crate) fn drain_latencies(&self, mut each: impl FnMut(usize, u32)) {
        for latency in self.latencies.iter().filter_map(OnceLock::get) {
            latency.drain(&mut each);
        }
    }

    /// Does nothing speak against it?
    pub(crate) fn is_well(&self) -> bool {
        let mut signs = lock(&self.signs);
        signs.settle(self.good());
        signs.health() == crate::Health::Healthy
    }

    /// Calls that ended since this was last asked.
    pub(crate) fn census_since(&self) -> Census {
        let sum = |count: fn(&Counters) -> u64| {
            self.shards.iter().map(|shard| count(&shard.counters)).sum()
        };
        let (good, failures): (u64, u64) = (sum(Counters::good), sum(Counters::failures));
        let census = Census {
            calls: good + failures,
            failures,
            late: self.late.load(Ordering::Relaxed),
        };
        let before = std::mem::replace(&mut *lock(&self.asked), census);
        census.since(before)
    }

    /// So much evidence is enough from now on.
    pub(crate) fn retarget(&self, bank: Bank) {
        lock(&self.signs).retarget(bank);
    }

    /// A call has begun: shall somebody look whether one has grown too old?
    fn watch(&self, now: Nanos) {
        // SeqCst, after the call took its place (SeqCst too): whoever declares us idle looks at the places again
        // afterwards, so either it finds this call or we find its declaration.
        match self.look_at.load(Ordering::SeqCst) {
            IDLE => self.arm(now),
            at if now.as_u64() >= at => {
                self.look(now);
            }
            _ => {}
        }
    }

    fn arm(&self, from: Nanos) {
        let age = self.destination.norm.age();
        if age < Duration::MAX {
            self.look_at
                .store(from.after(age).as_u64(), Ordering::SeqCst);
        }
    }

    /// Counts every call that has grown too old as evidence, once. Is there any call under way that may yet?
    pub(crate) fn look(&self, now: Nanos) -> bool {
        let at = self.look_at.load(Ordering::SeqCst);
        if at == IDLE {
            return false;
        }
        let (norm, age) = (&self.destination.norm, self.destination.norm.age());
        // Beyond what could have been set: the clock was set back.
        let wrong = Nanos::new(at) > now.after(age);
        if now.as_u64() < at && !wrong {
            return true;
        }
        let next = now.after(age).as_u64();
        if self
            .look_at
            .compare_exchange(at, next, Ordering::SeqCst, Ordering::SeqCst)
            .is_err()
        {
            // Somebody else looks.
            return true;
        }
        norm.notice(now);
        if let Some(limit) = norm.limit(now) {
            self.find_overdue(limit, now);
        }
        if let Some(oldest) = self.oldest(now) {
            self.arm(oldest.max(norm.resumed()).min(now));
            return true;
        }
        self.look_at.store(IDLE, Ordering::SeqCst);
        // One that began meanwhile has not seen the declaration; see `watch`.
        match self.oldest(now) {
            Some(oldest) => {
                self.arm(oldest.min(now));
                true
            }
            None => false,
        }
    }

    /// Is there any call under way that may yet grow too old?
    pub(crate) fn is_waiting(&self, now: Nanos) -> bool {
        self.oldest(now).is_some()
    }

    fn find_overdue(&self, limit: Nanos, now: Nanos) {
        for shard in self.shards.iter() {
            shard.flights.find(limit, |started, note| {
                self.write(shard, started, note, Outcome::Late);
                self.late.fetch_add(1, Ordering::Relaxed);
                let word = self.word();
                if word.flows() && word.calm() {
                    let rule = |alarm: &Alarm| self.destination.rule(self, alarm, now);
                    // What it waited for us before our pause ended is not held against it.
                    let started = started.max(self.destination.norm.resumed());
                    let change =
                        self.update(|signs| signs.overdue(started, now, self.good(), rule));
                    self.tell(now, change);
                }
            });
        }
    }

    /// The start of the oldest call under way that was not found overdue.
    fn oldest(&self, now: Nanos) -> Option<Nanos> {
        // SeqCst: between what was declared and the list of lanes, whose cells are not. Either we see a lane, or its first
        // call, which comes after the fence of `Lanes::lane`, finds the declaration.
        fence(Ordering::SeqCst);
        let starts = self
            .shards
            .iter()
            .filter_map(|shard| shard.flights.find(Nanos::ZERO, |_, _| {}));
        starts.min().map(|start| start.min(now))
    }

    pub(super) fn state(&self) -> crate::State {
        self.word().state()
    }

    pub(super) fn due(&self) -> Nanos {
        Nanos::new(self.due.load(Ordering::Relaxed))
    }

    pub(super) fn snapshot(&self, now: Nanos) -> Snapshot {
        let counters: Vec<_> = self.shards.iter().map(|shard| &shard.counters).collect();
        let counts = Counts::sum(&counters);
        let mut signs = lock(&self.signs);
        signs.settle(self.good());
        Snapshot {
            policy: Arc::clone(&self.destination.name),
            endpoint: self.address(),
            health: signs.health(),
            state: signs.state(),
            counts,
            decisions: signs.decisions(),
            reliability: signs.reliability(now),
            episodes: signs.episodes(),
        }
    }

    /// Calls that ended as a sign of health.
    fn good(&self) -> u64 {
        let good: u64 = self.shards.iter().map(|shard| shard.counters.good()).sum();
        good.saturating_sub(self.discounted.load(Ordering::Relaxed))
    }

    fn word(&self) -> Word {
        // Acquire: pairs with the Release in `update`; whoever sees a generation sees what made it.
        Word::from_bits(self.word.load(Ordering::Acquire))
    }

    fn update<T>(&self, change: impl FnOnce(&mut Signs) -> T) -> T {
        let mut signs = lock(&self.signs);
        let result = change(&mut signs);
        // Release, and under the lock: words are published in the order of the changes they stand for.
        self.word.store(signs.word().bits(), Ordering::Release);
        // Relaxed: a picker that reads an old hint asks in vain, or one call later.
        self.due.store(signs.due().as_u64(), Ordering::Relaxed);
        result
    }

    /// It is no longer one of those that are out.
    fn left(&self) {
        if let Some(endpoint) = &self.endpoint {
            self.destination.back(endpoint.tier());
        }
    }

    fn tell(&self, at: Nanos, change: Option<EventKind>) {
        let Some(kind) = change else { return };
        if kind == EventKind::Closed {
            self.left();
        }
        self.destination.host.registry.events().tell(Event {
            at,
            policy: Arc::clone(&self.destination.name),
            endpoint: self.address(),
            kind,
        });
    }

    pub(crate) const fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_ref()
    }

    /// The last calls.
    pub(crate) fn recorded(&self) -> impl Iterator<Item = Call> + '_ {
        self.shards.iter().flat_map(Shard::recorded)
    }

    fn address(&self) -> Option<Arc<str>> {
        self.endpoint
            .as_ref()
            .map(|endpoint| Arc::clone(endpoint.shared_address()))
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if lock(&self.signs).is_out() {
            self.left();
        }
    }
}
