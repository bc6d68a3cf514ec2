//! What is known of one endpoint, shared by all lanes.

use std::{sync::OnceLock, time::Duration};

use super::{
    Force,
    census::Asked,
    front::Front,
    lane::{Shard, Shards, count},
    probed::Found,
    signs::{Set, Signs},
    throttled::Throttled,
    turns::Turns,
    word::Word,
};
use crate::{
    Cause, Endpoint, EventKind, HealthPolicy, Labels, Nanos, Outcome, Permit, Refusal, Sign,
    Verdict,
    destination::{Ruling, Shared},
    health::{Alarm, Bank},
    limit::Limit,
    locate::{Call, Ending, Record},
    permit::Seat,
    pick::Membership,
    stats::{Latency, Note, Switches},
    sync::{Arc, AtomicBool, AtomicU64, Mutex, Ordering, lock},
};

/// Nothing is under way that could grow too old.
pub(super) const IDLE: u64 = u64::MAX;

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) destination: Arc<Shared>,
    pub(super) endpoint: Option<Endpoint>,
    /// Which key it is of, where a layer tells keys apart. Keys are no peers of each other.
    key: Option<Arc<str>>,
    /// For pickers, while it is on its way back.
    turns: Turns,
    pub(super) front: Arc<Front>,
    /// Calls that failed here first.
    pub(super) switches: Switches,
    /// Whom it counts for, for pickers.
    pub(super) membership: Membership,
    /// When to look for calls that have grown too old.
    pub(super) look_at: AtomicU64,
    pub(super) shards: Shards,
    /// Calls that ended well and are no sign of health all the same: too late, or of an older generation.
    pub(super) discounted: AtomicU64,
    pub(super) latencies: [OnceLock<Latency>; 2],
    /// How far off `due` can be, in nanoseconds.
    longest_wait: u64,
    born: Nanos,
    /// When the latest call began that was answered though too old, and how long it took.
    pub(super) late_answer: [AtomicU64; 2],
    /// What the last alarm was about.
    pub(super) verdict: Mutex<Option<Arc<Verdict>>>,
    pub(super) found: Found,
    pub(super) limit: Option<Box<Limit>>,
    pub(super) throttled: Throttled,
    /// Is it counted among those of its set that are out?
    pub(super) out: AtomicBool,
    /// Is there an alarm that lacks proof?
    pub(super) pressing: AtomicBool,
    /// Calls that were evidence for their age.
    pub(super) late: AtomicU64,
    /// Calls that were given up, for another was answered first, late or not.
    pub(super) overtaken: AtomicU64,
    /// Made when something was counted.
    pub(super) asked: Mutex<Option<Box<Asked>>>,
    /// Made when something happens.
    signs: OnceLock<Box<Mutex<Signs>>>,
    seed: u64,
}

impl State {
    pub(crate) fn new(destination: Arc<Shared>, endpoint: Option<Endpoint>, seed: u64) -> Self {
        let now = destination.host.clock.now();
        let alone = endpoint.is_none();
        let (rules, breaker) = (&destination.rules, &destination.breaker);
        let signs = Signs::new(rules, breaker, || destination.bank(), alone, now, seed);
        let limit = rules.limit.as_ref();
        Self {
            limit: limit.map(|policy| Box::new(Limit::new(policy, count(), now, seed))),
            key: None,
            turns: Turns::new(seed),
            membership: Membership::new(&destination.groups, endpoint.as_ref()),
            switches: Switches::default(),
            longest_wait: (Nanos::ZERO.after(rules.breaker.longest_wait(alone))).as_u64(),
            destination,
            endpoint,
            front: Arc::new(Front::new(signs.word())),
            look_at: AtomicU64::new(IDLE),
            shards: Shards::new(),
            discounted: AtomicU64::new(0),
            latencies: [OnceLock::new(), OnceLock::new()],
            born: now,
            late_answer: [AtomicU64::new(0), AtomicU64::new(0)],
            verdict: Mutex::default(),
            found: Found::new(),
            throttled: Throttled::new(),
            out: AtomicBool::new(false),
            pressing: AtomicBool::new(false),
            late: AtomicU64::new(0),
            overtaken: AtomicU64::new(0),
            asked: Mutex::default(),
            signs: OnceLock::new(),
            seed,
        }
    }

    /// It is of one key.
    pub(crate) fn of_key(mut self, key: Arc<str>) -> Self {
        self.key = Some(key);
        self
    }

    pub(super) fn shard(&self, lane: usize) -> &Arc<Shard> {
        self.shards.of(lane)
    }

    #[inline]
    pub(super) fn permit(&self, shard: &Shard, lane: u8, now: Nanos) -> Result<Permit, Refusal> {
        let word = self.word();
        self.refuse(word, shard, now)?;
        self.throttle(word, shard, now)?;
        let holds = self.enter(word, shard)?;
        self.begin(word, shard, lane, now, holds)
    }

    /// Refuses what needs no lock to be refused.
    #[inline]
    pub(super) fn refuse(&self, word: Word, shard: &Shard, now: Nanos) -> Result<(), Refusal> {
        if word.flows() {
            return Ok(());
        }
        if word.is_withdrawn() {
            shard.counters.rejected();
            return Err(Refusal::Withdrawn);
        }
        // While it is open and its time has not come, nothing can change: no lock.
        let due = self.due(now);
        if word.state() == crate::State::Open && due > now {
            shard.counters.rejected();
            return Err(Refusal::Open {
                retry_after: due.since(now),
            });
        }
        Ok(())
    }

    /// Begins a call that was not refused, and may hold one of the places there are.
    #[inline]
    pub(super) fn begin(
        &self,
        word: Word,
        shard: &Shard,
        lane: u8,
        now: Nanos,
        holds: bool,
    ) -> Result<Permit, Refusal> {
        let (generation, probe) = if word.flows() {
            (word.generation(), false)
        } else {
            self.ask(shard, now, holds)?
        };
        Ok(Permit {
            started: now,
            generation,
            probe,
            seat: self.board(shard, lane, now, holds),
        })
    }

    /// May a call begin though calls do not flow? Under which generation, then, and is it a probe?
    #[cold]
    fn ask(&self, shard: &Shard, now: Nanos, holds: bool) -> Result<(u32, bool), Refusal> {
        let (permit, change) = self.update(|signs| signs.permit(now));
        self.tell(now, change);
        match permit {
            Ok(permit) => Ok((permit.generation, permit.probe)),
            Err(retry_after) => {
                self.leave(shard, holds);
                shard.counters.rejected();
                Err(Refusal::Open { retry_after })
            }
        }
    }

    /// The same, though its breaker says no: where health is disregarded, and its limit and its throttle are not. What comes of it is
    /// counted, and believed by nobody.
    pub(super) fn permit_anyway(
        &self,
        shard: &Shard,
        lane: u8,
        now: Nanos,
    ) -> Result<Permit, Refusal> {
        self.permit(shard, lane, now).or_else(|refusal| {
            let word = self.word();
            if word.is_withdrawn() || !matches!(refusal, Refusal::Open { .. }) {
                return Err(refusal);
            }
            self.throttle(word, shard, now)?;
            let holds = self.enter(word, shard)?;
            Ok(Permit {
                started: now,
                generation: word.generation().wrapping_sub(1),
                probe: false,
                seat: self.board(shard, lane, now, holds),
            })
        })
    }

    #[inline]
    fn board(&self, shard: &Shard, lane: u8, now: Nanos, holds: bool) -> Seat {
        let seat = Seat {
            holds,
            ..shard.board(lane, now)
        };
        // Only who is picked among several is counted where all lanes meet.
        if self.endpoint.is_some() {
            self.front.load.begin(now);
        }
        self.watch(now);
        seat
    }

    pub(super) fn label(&self, permit: &mut Permit, labels: Labels<'_>) {
        if !self.destination.rules.parts.health {
            return;
        }
        let number =
            |name: Option<&str>| name.map_or(0, |name| self.destination.names().number(name));
        let (route, method) = (number(labels.route), number(labels.method));
        let caller = labels
            .caller
            .map_or(0, |name| self.destination.caller(name));
        if (route, method, caller) == (0, 0, 0) {
            return;
        }
        let seat = &mut permit.seat;
        (seat.note.route, seat.note.method, seat.note.caller) = (route, method, caller);
        if let Some(place) = seat.place {
            self.shard(usize::from(seat.lane))
                .flights
                .note(place, seat.note);
        }
    }

    /// The whole life of a fact: count, judge, act, tell.
    pub(super) fn record(&self, shard: &Shard, permit: &Permit, now: Nanos, outcome: Outcome) {
        shard.counters.finished(outcome);
        if permit.seat.holds {
            self.leave_after(shard, permit, now, outcome);
        }
        if self.endpoint.is_some() {
            self.front.load.end(now, now.since(permit.started), outcome);
        }
        let found = permit
            .seat
            .place
            .is_some_and(|place| shard.flights.leave(place));
        if let Outcome::Overload(hint) = outcome {
            self.turned_down(hint, now);
        }
        let fact = self.weigh(permit, now, outcome, found);
        if !found {
            self.write(shard, permit.started, permit.seat.note, fact);
        }
        let (word, sign) = (self.word(), fact.sign());
        if outcome.sign() == Sign::Good {
            let late = found || sign == Sign::Bad;
            if late {
                self.answers_late(permit.started, now.since(permit.started));
            }
            if late || permit.generation != word.generation() {
                // Relaxed: it is read with the counters it corrects, which are no moment's truth either.
                self.discounted.fetch_add(1, Ordering::Relaxed);
            }
        }
        if found && !permit.probe {
            // Its age was evidence already; what is left is to say what it died of.
            match outcome {
                Outcome::Failure(cause) => self.update(|signs| {
                    signs.harden();
                    signs.lost(permit.generation, cause);
                }),
                // Given up unanswered, or so late that its age is proof.
                _ if self.is_lost(outcome, now) || self.is_proof(permit, now) => {
                    self.update(|signs| signs.harden());
                }
                _ => {}
            }
        } else if !word.unmoved_by(sign, permit) {
            let lost = self.is_lost(outcome, now);
            self.act(permit, now, (fact, lost), found);
        }
    }

    /// A fact that may change what is known. Apart from `record`, which most calls pass through unmoved.
    #[cold]
    fn act(&self, permit: &Permit, now: Nanos, (fact, lost): (Outcome, bool), found: bool) {
        if fact.sign() == Sign::Bad {
            self.found.failed(permit.started);
        }
        let change = self.update(|signs| signs.take(permit, now, (fact, lost), self.good(), self));
        self.tell(now, change);
        if permit.probe && (found || fact.sign() == Sign::Bad) {
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

    /// Keeps the call, for whoever wants to know where a fault lies.
    pub(super) fn write(&self, shard: &Shard, started: Nanos, note: Note, fact: Outcome) {
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
            Outcome::Success | Outcome::CallerFault if norm.is_late(permit.started, now) => {
                self.weigh_late(permit, now, outcome, found)
            }
            Outcome::Failure(Cause::Timeout) => self.weigh_timeout(permit, now, outcome),
            _ => outcome,
        }
    }

    #[cold]
    fn weigh_late(&self, permit: &Permit, now: Nanos, outcome: Outcome, found: bool) -> Outcome {
        if self.must_bear(permit) {
            let norm = &self.destination.norm;
            self.answers_late(permit.started, now.since(permit.started));
            norm.bear(norm.waited(permit.started, now));
            return outcome;
        }
        // A probe found late is judged when it ends, for only then it decides.
        if found && !permit.probe {
            return outcome;
        }
        self.late.fetch_add(u64::from(!found), Ordering::Relaxed);
        Outcome::Late
    }

    /// We slept: our timer fired late, and their answer may lie unread.
    #[cold]
    fn weigh_timeout(&self, permit: &Permit, now: Nanos, outcome: Outcome) -> Outcome {
        self.destination.notice(now);
        let norm = &self.destination.norm;
        match self.destination.rules.timeout {
            // A pause that is a good part of the timeout. Many short ones are a busy machine, and no excuse for whoever
            // never answers.
            Some(timeout)
                if norm.slept() >= timeout / 4
                    && norm.waited(permit.started, now) < timeout.mul_f64(0.9) =>
            {
                Outcome::Cancelled
            }
            _ => outcome,
        }
    }

    /// A call begun at `started` is given up, for another one was answered first. It is late if healthy calls would have been answered
    /// by now: else what another answers soon enough would hide who never does.
    pub(super) fn overtaken(&self, started: Nanos, now: Nanos) -> Outcome {
        // Late or not: whoever solves the delay of hedges must know of those that it is for. Relaxed: a counter orders nothing.
        self.overtaken.fetch_add(1, Ordering::Relaxed);
        if self.destination.rules.parts.health && self.destination.norm.is_late(started, now) {
            Outcome::Late
        } else {
            Outcome::Cancelled
        }
    }

    /// Was it called on its way back, and is there nobody else? Then an answer is what matters, however slow: what is slower
    /// for good would never come back.
    fn must_bear(&self, permit: &Permit) -> bool {
        let word = self.word();
        self.endpoint.is_none()
            && permit.generation == word.generation()
            && matches!(word.state(), crate::State::HalfOpen | crate::State::Ramping)
    }

    /// Was it so late that no queue of calls that go well explains it?
    fn is_proof(&self, permit: &Permit, now: Nanos) -> bool {
        let norm = &self.destination.norm;
        norm.waited(permit.started, now) >= norm.proof(false)
    }

    /// So late a call has to be to prove now that late calls stand in no queue.
    pub(super) fn proof(&self, now: Nanos) -> Duration {
        self.destination.norm.proof(self.is_at_work(now))
    }

    /// Has it ended a call of late? Of one alone nobody knows.
    fn is_at_work(&self, now: Nanos) -> bool {
        self.endpoint.is_some() && self.front.load.quiet(now) < self.destination.norm.age()
    }

    /// Was a call given up as late that will not be answered? Of a server at work it may stand in a queue.
    fn is_lost(&self, outcome: Outcome, now: Nanos) -> bool {
        outcome == Outcome::Late && !self.is_at_work(now)
    }

    fn learn(&self, lane: u8, took: Duration) {
        // What is late for one key says nothing of another.
        if self.key.is_some() {
            return;
        }
        self.latencies[usize::from(lane & 1)]
            .get_or_init(Latency::new)
            .record(took);
    }

    /// So much evidence is enough from now on.
    pub(crate) fn retarget(&self, bank: Bank) {
        if let Some(signs) = self.known_signs() {
            lock(signs).retarget(bank);
        }
    }

    /// Does by hand what `force` says, or no longer.
    pub(super) fn force(&self, force: Option<Force>, now: Nanos) {
        self.update(|signs| signs.force(force, now));
        self.left();
        self.say(now, EventKind::Forced(force));
    }

    /// Forgets what is known against it.
    pub(super) fn reset(&self, now: Nanos) {
        self.update(|signs| signs.reset(now));
        self.left();
        self.say(now, EventKind::Reset);
    }

    pub(crate) fn state(&self) -> crate::State {
        self.word().state()
    }

    pub(super) fn due(&self, now: Nanos) -> Nanos {
        let due = self.front.due();
        // Farther off than it can be, it was set by a clock that was set back since.
        if due.as_u64() > now.as_u64().saturating_add(self.longest_wait) {
            now
        } else {
            due
        }
    }

    pub(super) fn word(&self) -> Word {
        self.front.word()
    }

    /// What speaks for and against it. Most endpoints of a large set never have anything, and then this is not made.
    pub(super) fn signs(&self) -> &Mutex<Signs> {
        if let Some(signs) = self.known_signs() {
            return signs;
        }
        let signs = self
            .signs
            .get_or_init(|| Box::new(Mutex::new(self.blank())));
        // Thresholds may have changed since they were read; whoever changes them from now on finds these signs.
        if self.destination.rules.health == HealthPolicy::Cusum {
            lock(signs).retarget(self.destination.bank());
        }
        signs
    }

    /// The same, if there is anything.
    pub(super) fn known_signs(&self) -> Option<&Mutex<Signs>> {
        self.signs.get().map(|signs| &**signs)
    }

    fn blank(&self) -> Signs {
        let (shared, alone) = (&self.destination, self.endpoint.is_none());
        Signs::new(
            &shared.rules,
            &shared.breaker,
            || shared.bank(),
            alone,
            self.born,
            self.seed,
        )
    }

    pub(super) fn update<T>(&self, change: impl FnOnce(&mut Signs) -> T) -> T {
        let mut signs = lock(self.signs());
        let result = change(&mut signs);
        let (before, word) = (self.word(), signs.word());
        // Release, and under the lock: words are published in the order of the changes they stand for. What has not changed
        // is not written: every call reads it, on every lane.
        if before.bits() != word.bits() {
            self.front.publish(word);
        }
        if before.worth() != word.worth() {
            // It comes back: how fast it was before says nothing.
            if before.worth().out {
                self.front.load.forget();
            }
            self.membership.is_worth(word.worth());
        }
        self.front.set_due(signs.due());
        // Relaxed: whoever looks reads it again later.
        self.pressing.store(signs.is_pressing(), Ordering::Relaxed);
        result
    }

    /// It comes to a set that was there before it, and gets its share by degrees.
    pub(crate) fn join(&self, now: Nanos) {
        self.update(|signs| signs.join(now));
    }

    /// The share of its calls that it gets, 0 to 1.
    pub(super) fn share(&self) -> f64 {
        self.word().share()
    }

    /// Is the call about to be made one of its share?
    pub(super) fn takes_turn(&self) -> bool {
        match self.word().state() {
            crate::State::Closed => true,
            crate::State::Ramping => self.turns.take(self.share()),
            crate::State::HalfOpen => self.share() > 0.0,
            crate::State::Open => false,
        }
    }

    pub(crate) const fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_ref()
    }

    /// The last calls.
    pub(crate) fn recorded(&self) -> impl Iterator<Item = Call> + '_ {
        self.shards.iter().flat_map(Shard::recorded)
    }

    /// What tells it apart from others of its destination.
    pub(crate) fn address(&self) -> Option<Arc<str>> {
        let address = self.endpoint.as_ref().map(Endpoint::shared_address);
        address.or(self.key.as_ref()).cloned()
    }

    pub(crate) const fn is_keyed(&self) -> bool {
        self.key.is_some()
    }
}

impl Set for State {
    fn rule(&self, alarm: &Alarm, now: Nanos) -> Ruling {
        self.destination.rule(self, alarm, now)
    }

    fn callers(&self) -> u32 {
        self.destination.callers.count()
    }

    fn proves_late(&self, since: Nanos, now: Nanos) -> bool {
        let norm = &self.destination.norm;
        let answered = self.late_answer_since(since).unwrap_or_default();
        let waited = self
            .oldest_overdue()
            .map_or(Duration::ZERO, |start| norm.waited(start, now));
        answered.max(waited) >= self.proof(now)
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
