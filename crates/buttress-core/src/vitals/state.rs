//! What is known of one endpoint, shared by all lanes.

use std::{sync::OnceLock, time::Duration};

use super::{
    lane::{Shard, Shards},
    probed::Found,
    signs::{Set, Signs},
    word::Word,
};
use crate::{
    Cause, Counts, Endpoint, Event, EventKind, FaultKind, Health, Hold, Labels, Nanos, Outcome,
    Permit, Refusal, Sign, Snapshot, Tally, Verdict,
    destination::{Census, Ruling, Shared},
    health::{Alarm, Bank},
    locate::{Call, Ending, Record},
    stats::{Counters, Latency, Note},
    sync::{Arc, AtomicBool, AtomicU64, Mutex, Ordering, fence, lock},
};

/// Nothing is under way that could grow too old.
const IDLE: u64 = u64::MAX;

/// From this probability on a verdict is not looked into again: its sentence says "is".
const SURE: f64 = 0.95;

/// For how long it is. Later the recorder remembers other times.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// What was counted when the destination last asked.
#[derive(Debug, Default)]
struct Asked {
    census: Census,
    /// Calls of which it is not clear yet whether they are of good times.
    unclear: Census,
    /// The generation they are of.
    generation: u32,
    /// Calls since its peers were last compared with it.
    sweep: Tally,
}

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
    born: Nanos,
    /// When the latest call began that was answered though too old, and how long it took.
    late_answer: [AtomicU64; 2],
    /// What the last alarm was about.
    verdict: Mutex<Option<Arc<Verdict>>>,
    pub(super) found: Found,
    /// Is it counted among those of its set that are out?
    out: AtomicBool,
    /// Calls that were evidence for their age.
    late: AtomicU64,
    asked: Mutex<Asked>,
    signs: Mutex<Signs>,
}

impl State {
    pub(crate) fn new(destination: Arc<Shared>, endpoint: Option<Endpoint>, seed: u64) -> Self {
        let now = destination.host.clock.now();
        let alone = endpoint.is_none();
        let signs = Signs::new(&destination.rules, || destination.bank(), alone, now, seed);
        Self {
            destination,
            endpoint,
            word: AtomicU64::new(signs.word().bits()),
            due: AtomicU64::new(0),
            look_at: AtomicU64::new(IDLE),
            shards: Shards::new(),
            discounted: AtomicU64::new(0),
            latencies: [OnceLock::new(), OnceLock::new()],
            born: now,
            late_answer: [AtomicU64::new(0), AtomicU64::new(0)],
            verdict: Mutex::default(),
            found: Found::new(),
            out: AtomicBool::new(false),
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
        if let (Some(caller), Some(_)) = (labels.caller, self.destination.rules.caller_share) {
            permit.seat.caller = self.destination.caller(caller);
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
        if outcome.sign() == Sign::Good && (found || fact == Outcome::Late) {
            self.answers_late(permit.started, now.since(permit.started));
        }
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
        if fact.sign() == Sign::Bad {
            self.found.failed(permit.started);
        }
        let change = self.update(|signs| signs.take(&permit, now, fact, self.good(), self));
        self.tell(now, change);
        if permit.probe && fact.sign() == Sign::Bad {
            self.reconsider(now);
        }
        self.destination.observe(now);
    }

    /// What was asked at `asked` was answered, though too late: what is slow is not dead.
    pub(super) fn answers_late(&self, asked: Nanos, after: Duration) {
        let [started, took] = &self.late_answer;
        // Relaxed: two words that may belong to two calls, both of them late.
        took.store(after.as_nanos() as u64, Ordering::Relaxed);
        started.store(asked.as_u64(), Ordering::Relaxed);
    }

    /// How long a late call took that began at `since` or after and was answered.
    pub(crate) fn late_answer_since(&self, since: Nanos) -> Option<Duration> {
        let [started, took] = &self.late_answer;
        (started.load(Ordering::Relaxed) >= since.as_u64().max(1))
            .then(|| Duration::from_nanos(took.load(Ordering::Relaxed)))
    }

    /// Do probes since `since` find it well, while calls fail?
    pub(crate) fn probes_well_since(&self, since: Nanos) -> bool {
        self.found.contradicted_since(since)
    }

    pub(crate) const fn born(&self) -> Nanos {
        self.born
    }

    /// An alarm is about this.
    pub(crate) fn judged(&self, verdict: Option<Verdict>) {
        *lock(&self.verdict) = verdict.map(Arc::new);
    }

    /// All calls that began.
    pub(super) fn calls(&self) -> u64 {
        self.shards.iter().map(|shard| shard.counters.begun()).sum()
    }

    /// All calls that ended, and those of them that failed.
    pub(crate) fn tally(&self) -> Tally {
        let sum = |count: fn(&Counters) -> u64| {
            self.shards
                .iter()
                .map(|shard| count(&shard.counters))
                .sum::<u64>()
        };
        let failures = sum(Counters::failures);
        Tally::new(failures, failures + sum(Counters::good))
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
        // Late ones too: the age would shrink for ever if what exceeds it were forgotten. Not what a pause of our own has
        // added to.
        if outcome == Outcome::Success && permit.started >= norm.resumed() {
            self.learn(permit.seat.lane, now.since(permit.started));
        }
        match outcome {
            Outcome::Success | Outcome::CallerFault if !found => {
                if norm.waited(permit.started, now) >= norm.age() {
                    self.late.fetch_add(1, Ordering::Relaxed);
                    return Outcome::Late;
                }
                outcome
            }
            // We slept: our timer fired late, and their answer may lie unread.
            Outcome::Failure(Cause::Timeout) => {
                self.destination.notice(now);
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
    fn drain_latencies(&self, mut each: impl FnMut(usize, u32)) {
        for latency in self.latencies.iter().filter_map(OnceLock::get) {
            latency.drain(&mut each);
        }
    }

    /// Does nothing speak against it?
    pub(crate) fn is_well(&self) -> bool {
        self.health() == Health::Healthy
    }

    fn health(&self) -> Health {
        let mut signs = lock(&self.signs);
        signs.settle(self.good());
        signs.health()
    }

    /// Calls that are known by now to be of good times, and, one by one, how long the answered ones took.
    ///
    /// While something speaks against it nobody can tell: then they wait for the verdict. To leave them out would leave
    /// out just those that failed or took long, for these are what speaks against it. If an alarm follows, they were
    /// of trouble, and say nothing.
    pub(crate) fn of_good_times(&self, mut each: impl FnMut(usize, u32)) -> Census {
        let health = self.health();
        let generation = self.word().generation();
        let mut asked = lock(&self.asked);
        let fell = std::mem::replace(&mut asked.generation, generation) != generation;
        if fell || health == Health::Down {
            asked.unclear = Census::default();
            self.drain_latencies(|_, _| {});
        }
        if health != Health::Healthy {
            return Census::default();
        }
        self.drain_latencies(&mut each);
        std::mem::take(&mut asked.unclear)
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
        let mut asked = lock(&self.asked);
        let more = census.since(std::mem::replace(&mut asked.census, census));
        // A late call that fails in the end is counted twice: it was slow, and then it was lost.
        asked.unclear.add(more);
        let failures = more.failures + more.late;
        asked.sweep = asked.sweep.plus(Tally::new(failures, more.calls));
        more
    }

    /// Calls of the time since this was last asked, as far as they were counted by [`census_since`](Self::census_since).
    pub(crate) fn sweep(&self) -> Tally {
        std::mem::take(&mut lock(&self.asked).sweep)
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
        let patience = self.destination.norm.patience();
        if patience < Duration::MAX {
            self.look_at
                .store(from.after(patience).as_u64(), Ordering::SeqCst);
        }
    }

    /// Counts every call that has grown too old as evidence, once. Is there any call under way that may yet?
    pub(crate) fn look(&self, now: Nanos) -> bool {
        let at = self.look_at.load(Ordering::SeqCst);
        if at == IDLE {
            return false;
        }
        let norm = &self.destination.norm;
        let patience = norm.patience();
        // Beyond what could have been set: the clock was set back.
        let wrong = Nanos::new(at) > now.after(patience);
        if now.as_u64() < at && !wrong {
            return true;
        }
        let next = now.after(patience).as_u64();
        if self
            .look_at
            .compare_exchange(at, next, Ordering::SeqCst, Ordering::SeqCst)
            .is_err()
        {
            // Somebody else looks.
            return true;
        }
        self.destination.notice(now);
        if let Some(limit) = norm.limit(now) {
            self.find_overdue(limit, now);
        }
        if let Some(oldest) = self.oldest(now) {
            self.listen(oldest.max(norm.resumed()), now);
            self.arm(if patience < norm.age() {
                now
            } else {
                oldest.max(norm.resumed()).min(now)
            });
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

    /// Silence may be evidence, while somebody waits for an answer.
    fn listen(&self, asked: Nanos, now: Nanos) {
        if self.word().flows() && !self.word().calm() {
            let change = self.update(|signs| signs.waits(asked, now, self));
            self.tell(now, change);
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
                let ramping = word.state() == crate::State::Ramping;
                if ramping || (word.flows() && word.calm()) {
                    // What it waited for us before our pause ended is not held against it.
                    let started = started.max(self.destination.norm.resumed());
                    let change =
                        self.update(|signs| signs.overdue(started, now, self.good(), self));
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

    pub(crate) fn state(&self) -> crate::State {
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
            suspicion: signs.suspicion(now),
            state: signs.state(),
            share: signs.share(),
            counts,
            decisions: signs.decisions(),
            reliability: signs.reliability(now),
            episodes: signs.episodes(),
        }
    }

    /// Calls that ended as a sign of health.
    pub(super) fn good(&self) -> u64 {
        let good: u64 = self.shards.iter().map(|shard| shard.counters.good()).sum();
        good.saturating_sub(self.discounted.load(Ordering::Relaxed))
    }

    fn word(&self) -> Word {
        // Acquire: pairs with the Release in `update`; whoever sees a generation sees what made it.
        Word::from_bits(self.word.load(Ordering::Acquire))
    }

    pub(super) fn update<T>(&self, change: impl FnOnce(&mut Signs) -> T) -> T {
        let mut signs = lock(&self.signs);
        let result = change(&mut signs);
        // Release, and under the lock: words are published in the order of the changes they stand for.
        self.word.store(signs.word().bits(), Ordering::Release);
        // Relaxed: a picker that reads an old hint asks in vain, or one call later.
        self.due.store(signs.due().as_u64(), Ordering::Relaxed);
        result
    }

    /// It is one of those that are out, until it has left them.
    pub(crate) fn goes_out(&self) {
        self.out.store(true, Ordering::Relaxed);
    }

    fn left(&self) {
        // Relaxed, and swapped: it leaves once, whoever notices first.
        if let (Some(endpoint), true) = (&self.endpoint, self.out.swap(false, Ordering::Relaxed)) {
            self.destination.back(endpoint.tier());
        }
    }

    /// It comes to a set that was there before it, and gets its share by degrees.
    pub(crate) fn join(&self, now: Nanos) {
        self.update(|signs| signs.join(now));
    }

    /// The share of its calls that it gets, 0 to 1.
    pub(super) fn share(&self) -> f64 {
        self.word().share()
    }

    pub(super) fn tell(&self, at: Nanos, change: Option<EventKind>) {
        let Some(kind) = change else { return };
        let raised = matches!(kind, EventKind::Opened { .. } | EventKind::Held(_));
        if kind == EventKind::Held(Hold::CommonCause)
            && !self.destination.first_to_say_common_cause(at)
        {
            return;
        }
        if matches!(kind, EventKind::Ramping | EventKind::Closed) {
            self.left();
        }
        let counts = matches!(
            kind,
            EventKind::Opened { .. } | EventKind::Ramping | EventKind::Closed
        );
        self.say(at, kind);
        if counts && self.endpoint.is_some() {
            self.destination.look_for_panic(at);
        }
        if raised {
            let verdict = lock(&self.verdict).clone();
            self.diagnosed(verdict, at);
        }
    }

    /// Looks again at what the fault is, where that is not sure and it lasts: meanwhile its peers were called.
    pub(crate) fn look_again(&self, now: Nanos) {
        let unsure = |verdict: &Arc<Verdict>| {
            now.since(verdict.since) <= LOOK_AGAIN && verdict.probability < SURE
        };
        if lock(&self.verdict).as_ref().is_some_and(unsure) {
            self.reconsider(now);
        }
    }

    /// Says again what the fault is, if more is known of it than before.
    pub(super) fn reconsider(&self, now: Nanos) {
        let Some(known) = lock(&self.verdict).clone() else {
            return;
        };
        if self.state() == crate::State::Closed {
            return;
        }
        let Some(verdict) = self
            .destination
            .look_at(self, known.since, known.detected, now)
        else {
            return;
        };
        let surer = verdict.probability > known.probability + 0.05;
        let other = verdict.place != known.place || verdict.kind != known.kind;
        if surer || (other && verdict.localised()) {
            let verdict = Arc::new(verdict);
            *lock(&self.verdict) = Some(Arc::clone(&verdict));
            self.diagnosed(Some(verdict), now);
        }
    }

    fn diagnosed(&self, verdict: Option<Arc<Verdict>>, at: Nanos) {
        if let Some(verdict) = verdict {
            let grey = verdict.kind == FaultKind::Grey;
            lock(&self.signs).diagnosed(&verdict);
            self.say(at, EventKind::Diagnosed(verdict));
            if grey {
                self.say(at, EventKind::Grey);
            }
        }
    }

    fn say(&self, at: Nanos, kind: EventKind) {
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

impl Set for State {
    fn rule(&self, alarm: &Alarm, now: Nanos) -> Ruling {
        self.destination.rule(self, alarm, now)
    }

    fn spares(&self) -> bool {
        let Some(endpoint) = &self.endpoint else {
            return true;
        };
        let spared = self.destination.spares(endpoint.tier());
        if spared {
            self.goes_out();
        }
        spared
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.left();
    }
}
