//! What is known of one endpoint, shared by all lanes.

mod begin;
mod end;
mod kept;
mod late;

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
    Endpoint, EventKind, HealthPolicy, Nanos, Verdict,
    destination::{Ruling, Shared},
    health::{Alarm, Bank},
    limit::Limit,
    pick::{Glance, Membership},
    stats::{Latency, Switches},
    sync::{Arc, AtomicBool, AtomicU32, AtomicU64, Mutex, Ordering, lock},
};

/// Nothing is under way that could grow too old.
pub(super) const IDLE: u64 = u64::MAX;

/// The priority of what has left its set.
const GONE: u32 = u32::MAX;

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
    /// Of which priority of its set it is now; [`GONE`] where it has left that.
    tier: AtomicU32,
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
            tier: AtomicU32::new(endpoint.as_ref().map_or(0, Endpoint::tier)),
            limit: limit.map(|policy| Box::new(Limit::new(policy, count(), now, seed))),
            key: None,
            turns: Turns::new(),
            membership: Membership::new(&destination.groups, endpoint.as_ref()),
            switches: Switches::default(),
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

    /// Do probes since `since` find it well, while calls fail?
    pub(crate) fn probes_well_since(&self, since: Nanos) -> bool {
        self.found.contradicted_since(since)
    }

    pub(crate) const fn born(&self) -> Nanos {
        self.born
    }

    /// So much evidence is enough from now on.
    pub(crate) fn retarget(&self, bank: Bank) {
        if let Some(signs) = self.known_signs() {
            lock(signs).retarget(bank);
        }
    }

    /// Does by hand what `force` says, or no longer.
    pub(super) fn force(&self, force: Option<Force>, now: Nanos) {
        if self.update(|signs| signs.force(force, now)) {
            self.left();
            self.say(now, EventKind::Forced(force));
        }
    }

    /// Forgets what is known against it.
    pub(super) fn reset(&self, now: Nanos) {
        self.update(|signs| signs.reset(now));
        self.left();
        self.say(now, EventKind::Reset);
    }

    pub(crate) fn state(&self) -> crate::BreakerState {
        self.word().state()
    }

    pub(super) fn due(&self, now: Nanos) -> Nanos {
        if self.is_withdrawn() {
            return Nanos::MAX;
        }
        let due = Nanos::new(self.due.load(Ordering::Relaxed));
        // Farther off than it can be, it was set by a clock that was set back since.
        let longest = self.destination.longest_wait[usize::from(self.endpoint.is_none())];
        if due.as_u64() > now.as_u64().saturating_add(longest) {
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
            crate::BreakerState::Closed => true,
            crate::BreakerState::Ramping => self.turns.take(self.share(), u64::from(self.seed)),
            crate::BreakerState::HalfOpen => self.share() > 0.0,
            crate::BreakerState::Open => false,
        }
    }

    pub(crate) const fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_ref()
    }

    /// What tells it apart from others of its destination.
    pub(crate) fn address(&self) -> Option<Arc<str>> {
        let address = self.endpoint.as_ref().map(Endpoint::shared_address);
        address.or(self.key.as_ref()).cloned()
    }

    /// Of which priority of its set it is, if it is one of a set.
    pub(crate) fn tier(&self) -> Option<u32> {
        // Relaxed, as all of it: who is told of a change looks under the lock of the set.
        let tier = self.tier.load(Ordering::Relaxed);
        (self.endpoint.is_some() && tier != GONE).then_some(tier)
    }

    /// Its priority is another, and the place it takes there if it is out.
    pub(super) fn is_of(&self, tier: u32) {
        let was_out = self.out.load(Ordering::Relaxed);
        self.left();
        self.tier.store(tier, Ordering::Relaxed);
        if was_out {
            self.destination.out_too(tier);
            self.goes_out();
        }
    }

    /// It has left its set, and counts for nobody else, though calls to it may be under way.
    pub(super) fn leaves(&self) {
        self.left();
        self.tier.store(GONE, Ordering::Relaxed);
        self.membership.leaves();
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
        let Some(tier) = self.tier() else {
            return true;
        };
        let spared = self.destination.spares(tier);
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
