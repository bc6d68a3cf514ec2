//! What is known of one endpoint, shared by all lanes.

use std::{sync::OnceLock, time::Duration};

use super::{
    Force,
    census::Asked,
    dropped::Dropped,
    front::Front,
    lane::count,
    probed::Found,
    shard::{Shard, Shards},
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
    pick::{Glance, Membership},
    stats::{Kept, Latency, Note, Switches},
    sync::{Arc, AtomicBool, AtomicU32, AtomicU64, Mutex, Ordering, lock},
};

/// Nothing is under way that could grow too old.
pub(super) const IDLE: u64 = u64::MAX;

/// What it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Alone,
    Key,
    OneOfSeveral,
    OneOfMany,
}

/// First what every call needs, on one line of memory and in the order in which it lies there; then what few calls do.
///
/// On that line nothing is written, but for a call to one endpoint of several, which has to be counted where pickers see it.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct State {
    pub(super) front: Front,
    /// When to look for calls that have grown too old.
    pub(super) look_at: AtomicU64,
    pub(crate) destination: Arc<Shared>,
    pub(super) limit: Option<Box<Limit>>,
    /// From when on a call may be admitted: a hint beside the word of `front`, which decides.
    due: AtomicU64,
    /// Of 2³² calls so many are refused, for others were turned down.
    pub(super) throttled_share: AtomicU32,
    kind: Kind,
    /// Is it counted among those of its set that are out?
    pub(super) out: AtomicBool,
    /// Is there an alarm that lacks proof?
    pub(super) pressing: AtomicBool,

    /// The only shard, of one endpoint of many.
    only: Shard,

    pub(super) shards: Shards,
    pub(super) endpoint: Option<Endpoint>,
    /// Which key it is of, where a layer tells keys apart. Keys are no peers of each other.
    key: Option<Arc<str>>,
    /// For pickers, while it is on its way back.
    turns: Turns,
    /// Calls that failed here first.
    pub(super) switches: Switches,
    /// Whom it counts for, for pickers.
    pub(super) membership: Membership,
    /// Calls that ended well and are no sign of health all the same: too late, or of an older generation.
    pub(super) discounted: AtomicU64,
    latencies: [OnceLock<Box<Latency>>; 2],
    /// How far off `due` can be, in nanoseconds.
    longest_wait: u64,
    born: Nanos,
    /// When the latest call began that was answered though too old, and how long it took.
    pub(super) late_answer: [AtomicU64; 2],
    /// What the last alarm was about.
    pub(super) verdict: Mutex<Option<Arc<Verdict>>>,
    pub(super) found: Found,
    pub(super) throttled: Throttled,
    /// Calls that were evidence for their age.
    pub(super) late: AtomicU64,
    /// Calls that were given up, for another was answered first, late or not.
    pub(super) overtaken: AtomicU32,
    seed: u32,
    pub(super) dropped: Dropped,
    /// Made when something was counted.
    pub(super) asked: Mutex<Option<Box<Asked>>>,
    /// Made when something happens.
    signs: OnceLock<Box<Mutex<Signs>>>,
}

impl State {
    /// Of an `endpoint` that is `one_of_many`, little is kept.
    pub(crate) fn new(
        destination: Arc<Shared>,
        endpoint: Option<Endpoint>,
        one_of_many: bool,
        seed: u64,
    ) -> Self {
        let now = destination.host.clock.now();
        let alone = endpoint.is_none();
        let (rules, breaker) = (&destination.rules, &destination.breaker);
        let signs = Signs::new(rules, breaker, || destination.bank(), alone, now, seed);
        let limit = rules.limit.as_ref();
        Self {
            limit: limit.map(|policy| Box::new(Limit::new(policy, count(), now, seed))),
            key: None,
            turns: Turns::new(),
            membership: Membership::new(&destination.groups, endpoint.as_ref()),
            switches: Switches::default(),
            longest_wait: (Nanos::ZERO.after(rules.breaker.longest_wait(alone))).as_u64(),
            destination,
            kind: match endpoint {
                None => Kind::Alone,
                Some(_) if one_of_many => Kind::OneOfMany,
                Some(_) => Kind::OneOfSeveral,
            },
            only: Shard::only(),
            throttled_share: AtomicU32::new(0),
            endpoint,
            front: Front::new(signs.word()),
            due: AtomicU64::new(0),
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
            overtaken: AtomicU32::new(0),
            dropped: Dropped::default(),
            asked: Mutex::default(),
            signs: OnceLock::new(),
            seed: seed as u32,
        }
    }

    /// It is of one key.
    pub(crate) fn of_key(mut self, key: Arc<str>) -> Self {
        self.kind = Kind::Key;
        self.key = Some(key);
        self
    }

    /// Is it so large a set that its endpoints are seldom called by two threads at once?
    pub(super) fn is_one_of_many(&self) -> bool {
        self.kind == Kind::OneOfMany
    }

    /// Does anybody pick it among others?
    fn is_picked(&self) -> bool {
        matches!(self.kind, Kind::OneOfSeveral | Kind::OneOfMany)
    }

    /// What calls on this lane write.
    pub(super) fn shard(&self, lane: u8) -> &Shard {
        if self.is_one_of_many() {
            self.only()
        } else {
            &self.shards.of(usize::from(lane)).shard
        }
    }

    /// What calls write, where there is only one lane.
    #[inline]
    pub(super) const fn only(&self) -> &Shard {
        &self.only
    }

    /// Those in use.
    pub(super) fn shards(&self) -> impl Iterator<Item = &Shard> + Clone {
        self.shards_by_lane().map(|(_, shard)| shard)
    }

    pub(super) fn shards_by_lane(&self) -> impl Iterator<Item = (u8, &Shard)> + Clone {
        let only = self.is_one_of_many().then_some((0, &self.only));
        only.into_iter().chain(self.shards.iter())
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
        let seat = if self.is_one_of_many() {
            shard.board_only(now)
        } else {
            shard.board(lane, now)
        };
        let seat = Seat { holds, ..seat };
        // Only who is picked among several is counted where all lanes meet.
        if self.is_picked() {
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
            self.shard(seat.lane).note(place, seat.note);
        }
    }

    /// The whole life of a fact: count, judge, act, tell.
    pub(super) fn record(&self, shard: &Shard, permit: &Permit, now: Nanos, outcome: Outcome) {
        shard.counters.finished(outcome);
        if permit.seat.holds {
            self.leave_after(shard, permit, now, outcome);
        }
        if self.is_picked() {
            self.front.load.end(now, now.since(permit.started), outcome);
            if outcome.sign() == Sign::Good {
                self.front.line.answered(permit.started, now);
            }
        }
        let found = permit.seat.place.is_some_and(|place| shard.leave(place));
        if let Outcome::Overload(hint) = outcome {
            self.turned_down(hint, now);
        }
        let took = self.learns(permit, now, outcome);
        let fact = self.weigh(permit, now, outcome, found);
        let record = self.record_of(permit.started, permit.seat.note, fact);
        self.keep(shard, permit.seat, record.filter(|_| !found), took);
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
                _ if self.is_lost(outcome) || self.is_proof(permit, now) => {
                    self.update(|signs| signs.harden());
                }
                _ => {}
            }
        } else if !word.unmoved_by(sign, permit) {
            let lost = self.is_lost(outcome);
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

    /// What is to be kept of a call, for whoever wants to know where a fault lies.
    #[inline]
    fn record_of(&self, started: Nanos, note: Note, fact: Outcome) -> Option<Record> {
        let health = self.destination.rules.parts.health;
        let ending = Ending::of(fact).filter(|_| health)?;
        Some(Record::pack(Call {
            started: Call::millis(started),
            ending,
            route: note.route,
            method: note.method,
        }))
    }

    /// A call has grown too old.
    pub(super) fn write_late(&self, shard: &Shard, lane: u8, started: Nanos, note: Note) {
        let record = self.record_of(started, note, Outcome::Late);
        let seat = Seat {
            lane,
            note,
            ..Seat::default()
        };
        self.keep(shard, seat, record, None);
    }

    /// Keeps a call, and what it took.
    #[inline]
    fn keep(&self, shard: &Shard, seat: Seat, record: Option<Record>, took: Option<Duration>) {
        let number = seat.note.number;
        if self.is_one_of_many() {
            let kept = Kept::new(record, took);
            if kept != Kept::default() {
                shard.keep(number, kept, !self.word().is_suspect());
            }
            return;
        }
        if let Some(took) = took {
            self.latencies[usize::from(seat.lane & 1)]
                .get_or_init(|| Box::new(Latency::new()))
                .record(took);
        }
        if let Some(record) = record {
            let apart = self.shards.of(usize::from(seat.lane));
            apart.recorder().write(number, record);
        }
    }

    /// What a call's end says about the endpoint, its age considered, and our own pauses.
    fn weigh(&self, permit: &Permit, now: Nanos, outcome: Outcome, found: bool) -> Outcome {
        if !self.destination.rules.parts.health {
            return outcome;
        }
        let norm = &self.destination.norm;
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
        self.dropped.count(now);
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
        norm.waited(permit.started, now) >= self.proof(now)
    }

    /// So late a call has to be to prove now that late calls stand in no queue.
    pub(super) fn proof(&self, now: Nanos) -> Duration {
        self.destination.norm.proof(self.is_at_work(now))
    }

    /// Has it ended a call of late? Of one alone nobody knows.
    fn is_at_work(&self, now: Nanos) -> bool {
        self.endpoint.is_some() && self.front.load.quiet(now) < self.destination.norm.idle()
    }

    /// Was a call given up as late that will not be answered? Of a server that has answered since it lost the last it may stand in a queue.
    fn is_lost(&self, outcome: Outcome) -> bool {
        if outcome != Outcome::Late {
            return false;
        }
        let good = self.good();
        self.update(|signs| signs.answered_nothing_since(good))
    }

    /// What the call took, if that is worth knowing.
    #[inline]
    fn learns(&self, permit: &Permit, now: Nanos, outcome: Outcome) -> Option<Duration> {
        // Late ones too: the age would shrink for ever if what exceeds it were forgotten. Not what a pause of our own has
        // added to. What is late for one key says nothing of another.
        let learns = outcome == Outcome::Success
            && self.kind != Kind::Key
            && self.destination.rules.parts.health
            && permit.started >= self.destination.norm.resumed();
        learns.then(|| now.since(permit.started))
    }

    /// Takes out what calls took since the last time: how many were seen in a bucket, and how many those stand for.
    /// Where only some are kept, they stand for the answers beyond those that were `learned` from before.
    pub(super) fn drain_latencies(&self, learned: &mut u64, mut each: impl FnMut(usize, u32, u32)) {
        let own = self.latencies.iter().filter_map(OnceLock::get);
        own.for_each(|latencies| latencies.drain(|bucket, count| each(bucket, count, count)));
        if self.is_one_of_many() {
            let answered = self.only.counters.good();
            let new = answered.saturating_sub(std::mem::replace(learned, answered));
            (self.only).learn(new, |bucket, calls| each(bucket, 1, calls));
        }
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
        let due = Nanos::new(self.due.load(Ordering::Relaxed));
        // Farther off than it can be, it was set by a clock that was set back since.
        if due.as_u64() > now.as_u64().saturating_add(self.longest_wait) {
            now
        } else {
            due
        }
    }

    #[inline]
    pub(super) fn word(&self) -> Word {
        self.front.word()
    }

    pub(crate) fn is_withdrawn(&self) -> bool {
        self.word().is_withdrawn()
    }

    /// What its calls are like now.
    pub(crate) fn glance(&self) -> Glance {
        self.front.load.glance()
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
            u64::from(self.seed),
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
        // Relaxed: whoever reads an old hint asks in vain, or one call later.
        self.due.store(signs.due().as_u64(), Ordering::Relaxed);
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
            crate::State::Ramping => self.turns.take(self.share(), u64::from(self.seed)),
            crate::State::HalfOpen => self.share() > 0.0,
            crate::State::Open => false,
        }
    }

    pub(crate) const fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_ref()
    }

    /// The last calls.
    pub(crate) fn recorded(&self) -> impl Iterator<Item = Call> + '_ {
        let only = self.is_one_of_many().then(|| self.only.kept());
        only.into_iter().flatten().chain(self.shards.recorded())
    }

    /// What tells it apart from others of its destination.
    pub(crate) fn address(&self) -> Option<Arc<str>> {
        let address = self.endpoint.as_ref().map(Endpoint::shared_address);
        address.or(self.key.as_ref()).cloned()
    }

    pub(crate) fn is_keyed(&self) -> bool {
        self.kind == Kind::Key
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

#[cfg(all(test, not(loom)))]
mod tests {
    use std::mem::offset_of;

    use super::*;

    const LINE: usize = 64;

    #[test]
    fn what_a_healthy_call_touches_lies_on_the_first_lines() {
        assert_eq!(offset_of!(State, kind) / LINE, 0);
        assert_eq!(offset_of!(State, only), LINE);
        // With the counts of whoever holds it, on a line before.
        let touched = LINE + offset_of!(State, only) + size_of::<Shard>();
        assert!(touched <= 512, "{touched}");
        assert!(LINE + size_of::<State>() <= 640, "{}", size_of::<State>());
    }
}
