//! What is normal here: the age from which on a call is late, and whether we ourselves are awake.

use std::time::Duration;

use crate::{
    HealthPolicy, HedgeAfter, Nanos, Rules,
    sync::{AtomicU64, Ordering},
};

/// How often calls are looked after: an eighth of the age, so that detection waits for it a sixteenth of the age on
/// average; within bounds that cost little and notice a pause soon.
const FRACTION: u32 = 8;
const OFTENEST: Duration = Duration::from_millis(5);
const SELDOMEST: Duration = Duration::from_millis(50);

/// Our own timer is on time within two of its periods: a busy machine is late by some milliseconds.
const ASLEEP: u32 = 2;

/// A pause of so long is one, whatever the age.
const LONG: Duration = Duration::from_millis(250);

/// What is late by less proves nothing, however seldom it takes so long: a thread that is ready may have to wait that long for its turn, 24 ms by
/// Linux's own target from eight cores on (`sched_latency_ns`), and then all of its calls are late at once.
const TURN: Duration = Duration::from_millis(25);

/// A time so far ahead was read from a clock that was set back since.
const SET_BACK: Duration = Duration::from_secs(1);

/// So many times the age that one call in a thousand exceeds is that of one in a million, where calls stand in a queue: their waits
/// fall off exponentially (Kingman 1970). Of a hang the first call is that old before there are enough of them.
const PROOF: u32 = 2;

/// The same of one in thirty thousand millions, three and a half times: a server that goes on answering serves a queue, and ten of those,
/// called a thousand times a second each, take a month for so many calls.
const PROOF_AT_WORK: (u32, u32) = (7, 2);

/// What is borne is this part more than what was seen: the next call is not as fast to the millisecond.
const BORNE: u32 = 4;

/// Not awaited, or not known.
const NEVER: u64 = u64::MAX;

#[derive(Debug)]
pub(crate) struct Norm {
    /// Nanoseconds; [`NEVER`] until it is known.
    age: AtomicU64,
    /// How late a call has to be to prove that late calls are of no queue; zero until the age is learned.
    proof: AtomicU64,
    /// The same of a server that goes on answering; its timeout, until the age is learned.
    proof_at_work: AtomicU64,
    /// An age it was raised to by hand of the only one there is; zero if it was not.
    borne: AtomicU64,
    /// When our last pause ended, and how long it was.
    resumed: AtomicU64,
    slept: AtomicU64,
    /// When our own timer is to fire next.
    expected: AtomicU64,
    /// Does a rule listen for silence, whatever the age?
    listens: bool,
    /// What half of the healthy calls take, in nanoseconds.
    median: AtomicU64,
    /// Until when our own timer goes on with nothing under way.
    stay: AtomicU64,
    /// After how long a call is hedged, in nanoseconds; zero until it is known. And how often, as the bits of a double.
    hedge_after: AtomicU64,
    hedge_chance: AtomicU64,
    /// The share of calls that fail while all is well, as the bits of a double.
    base: AtomicU64,
}

impl Norm {
    pub(crate) fn new(rules: &Rules) -> Self {
        let timeout = rules.timeout.filter(|_| rules.parts.health);
        let age = timeout.map_or(NEVER, |timeout| nanos(timeout / 2));
        Self {
            age: AtomicU64::new(age),
            proof: AtomicU64::new(0),
            proof_at_work: AtomicU64::new(timeout.map_or(0, nanos)),
            borne: AtomicU64::new(0),
            resumed: AtomicU64::new(0),
            slept: AtomicU64::new(0),
            expected: AtomicU64::new(NEVER),
            listens: matches!(rules.health, HealthPolicy::Phi(_)),
            median: AtomicU64::new(0),
            stay: AtomicU64::new(0),
            hedge_after: AtomicU64::new(0),
            hedge_chance: AtomicU64::new(0),
            base: AtomicU64::new(f64::NAN.to_bits()),
        }
    }

    /// From this age on a call is late.
    pub(crate) fn age(&self) -> Duration {
        // Relaxed, here and below: each of these words stands for itself, and a stale one is a moment's error.
        match self.age.load(Ordering::Relaxed) {
            NEVER => Duration::MAX,
            age => Duration::from_nanos(age),
        }
    }

    /// Whoever has answered no call for so long does not work: a queue of calls that go well would have moved.
    pub(crate) fn idle(&self) -> Duration {
        self.proof(false).max(TURN)
    }

    /// How long a call may be under way before somebody looks.
    pub(crate) fn patience(&self) -> Duration {
        if self.listens {
            self.age().min(SELDOMEST)
        } else {
            self.age()
        }
    }

    /// What was learned: one call in a thousand takes longer than `usual`. Half the timeout is late all the same, unless more
    /// has to be borne.
    pub(crate) fn learned(&self, usual: Duration, most: Duration) {
        let borne = self.borne.load(Ordering::Relaxed);
        // What was borne is no longer when calls are no longer so slow: a hundredth less each second.
        let borne = match borne {
            0 => 0,
            borne => nanos(usual).max(borne - borne / 100).min(borne),
        };
        self.borne.store(borne, Ordering::Relaxed);
        let age = nanos(usual.min(most)).max(borne);
        self.age.store(age, Ordering::Relaxed);
        let usual = usual.max(TURN);
        let proof = nanos(usual.saturating_mul(PROOF)).min(nanos(most));
        self.proof.store(proof, Ordering::Relaxed);
        let (times, part) = PROOF_AT_WORK;
        // What takes as long as the timeout is lost, and needs no proof.
        let timeout = most.saturating_mul(2);
        let proof = nanos(usual.saturating_mul(times) / part).min(nanos(timeout));
        self.proof_at_work.store(proof, Ordering::Relaxed);
    }

    /// So late a call has to be to prove that late calls stand in no queue of calls that go well; more so while their server is `at_work`, and
    /// ends one after another.
    pub(crate) fn proof(&self, at_work: bool) -> Duration {
        let proof = if at_work {
            &self.proof_at_work
        } else {
            &self.proof
        };
        let proof = Duration::from_nanos(proof.load(Ordering::Relaxed));
        self.age().max(proof)
    }

    /// Calls that take `span` are not late: nobody else can serve, and slow is better than not at all.
    pub(crate) fn bear(&self, span: Duration) {
        let borne = nanos(span.saturating_add(span / BORNE));
        for known in [&self.borne, &self.age] {
            if known.load(Ordering::Relaxed) < borne {
                known.store(borne, Ordering::Relaxed);
            }
        }
    }

    /// After how long a call is hedged, once it is known.
    pub(crate) fn hedge(&self) -> Option<HedgeAfter> {
        match self.hedge_after.load(Ordering::Relaxed) {
            0 => None,
            delay => Some(HedgeAfter {
                delay: Duration::from_nanos(delay),
                chance: f64::from_bits(self.hedge_chance.load(Ordering::Relaxed)),
            }),
        }
    }

    pub(crate) fn set_hedge(&self, hedge: HedgeAfter) {
        self.hedge_chance
            .store(hedge.chance.to_bits(), Ordering::Relaxed);
        self.hedge_after
            .store(nanos(hedge.delay), Ordering::Relaxed);
    }

    /// The share of calls that fail while all is well, once it is known.
    pub(crate) fn base(&self) -> Option<f64> {
        Some(f64::from_bits(self.base.load(Ordering::Relaxed))).filter(|base| !base.is_nan())
    }

    pub(crate) fn set_base(&self, base: f64) {
        self.base.store(base.to_bits(), Ordering::Relaxed);
    }

    /// What half of the healthy calls take; nothing until it is known.
    pub(crate) fn median(&self) -> Duration {
        Duration::from_nanos(self.median.load(Ordering::Relaxed))
    }

    pub(crate) fn set_median(&self, median: Duration) {
        self.median.store(nanos(median), Ordering::Relaxed);
    }

    /// How long our last pause was.
    pub(crate) fn slept(&self) -> Duration {
        Duration::from_nanos(self.slept.load(Ordering::Relaxed))
    }

    /// Our own timer may be late by so much before we were asleep: by less it does not make the age of a call.
    fn asleep_after(&self) -> Duration {
        (self.interval() * ASLEEP).max((self.age() / 2).min(LONG))
    }

    /// When our last pause ended.
    pub(crate) fn resumed(&self) -> Nanos {
        Nanos::new(self.resumed.load(Ordering::Relaxed))
    }

    /// Calls begun at this time or before are late at `now`. None are while our own pause explains their age.
    pub(crate) fn limit(&self, now: Nanos) -> Option<Nanos> {
        let limit = now.as_u64().checked_sub(nanos(self.age()))?;
        (self.resumed().as_u64() <= limit).then_some(Nanos::new(limit))
    }

    /// How long a call begun at `started` has been awaited by someone awake.
    pub(crate) fn waited(&self, started: Nanos, now: Nanos) -> Duration {
        now.since(started.max(self.resumed()))
    }

    /// Has it been awaited for as long as calls that are late?
    pub(crate) fn is_late(&self, started: Nanos, now: Nanos) -> bool {
        // In nanoseconds: to tell seconds apart costs every call two divisions.
        let since = started.max(self.resumed()).as_u64();
        match self.age.load(Ordering::Relaxed) {
            NEVER => false,
            age => now.as_u64().saturating_sub(since) >= age,
        }
    }

    pub(crate) fn interval(&self) -> Duration {
        (self.age() / FRACTION).clamp(OFTENEST, SELDOMEST)
    }

    /// Our own timer is to fire at `next`.
    pub(crate) fn expect(&self, next: Nanos) {
        self.expected.store(next.as_u64(), Ordering::SeqCst);
    }

    /// Our own timer goes on until this time.
    pub(crate) fn stay_until(&self, until: Nanos) {
        self.stay.store(until.as_u64(), Ordering::Relaxed);
    }

    pub(crate) fn staying(&self) -> Nanos {
        Nanos::new(self.stay.load(Ordering::Relaxed))
    }

    /// No timer of ours is to fire: whoever waits next shall set one.
    pub(crate) fn release(&self) {
        // SeqCst: whoever releases looks for waiting calls afterwards, and whoever begins to wait looks for this.
        self.expected.store(NEVER, Ordering::SeqCst);
    }

    /// Is there an age to look for, and nobody who does?
    pub(crate) fn unattended(&self) -> bool {
        self.patience() < Duration::MAX && self.expected.load(Ordering::SeqCst) == NEVER
    }

    /// Is it for the caller to set our timer, first for `next`?
    pub(crate) fn claim(&self, next: Nanos) -> bool {
        self.expected
            .compare_exchange(NEVER, next.as_u64(), Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    /// If our own timer should have fired long ago, then we were asleep until now: tells for how long, once.
    pub(crate) fn notice(&self, now: Nanos) -> Option<Duration> {
        // Beyond what threads may differ by: the clock was set back, and the pause is of another time.
        if self.resumed() > now.after(SET_BACK) {
            self.resumed.store(0, Ordering::Relaxed);
        }
        let expected = self.expected.load(Ordering::SeqCst);
        let late = now.since(Nanos::new(expected));
        if expected == NEVER || late <= self.asleep_after() {
            return None;
        }
        let next = now.after(self.interval()).as_u64();
        self.expected
            .compare_exchange(expected, next, Ordering::SeqCst, Ordering::SeqCst)
            .ok()?;
        self.slept.store(nanos(late), Ordering::Relaxed);
        self.resumed.store(now.as_u64(), Ordering::Relaxed);
        Some(late)
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(NEVER)
}

#[cfg(all(test, loom))]
mod loom {
    use ::loom::thread::spawn;

    use super::*;
    use crate::sync::Arc;

    fn norm() -> Arc<Norm> {
        let norm = Arc::new(Norm::new(&Rules::default()));
        norm.learned(SELDOMEST, Duration::MAX);
        norm
    }

    #[test]
    fn of_those_that_find_nobody_at_work_one_takes_over() {
        ::loom::model(|| {
            let norm = norm();
            let take_over = |norm: &Arc<Norm>| {
                let norm = Arc::clone(norm);
                spawn(move || norm.unattended() && norm.claim(Nanos::new(7)))
            };
            let others = [take_over(&norm), take_over(&norm)];
            let mine = norm.unattended() && norm.claim(Nanos::new(5));
            let theirs = others.map(|other| other.join().unwrap());
            let attendants = theirs.iter().filter(|claimed| **claimed).count();
            assert_eq!(attendants + usize::from(mine), 1);
        });
    }

    #[test]
    fn a_pause_noticed_while_the_attendant_leaves_does_not_stand_for_one() {
        ::loom::model(|| {
            let norm = norm();
            assert!(norm.claim(Nanos::new(1)));
            let noticing = Arc::clone(&norm);
            let late = Nanos::ZERO.after(SELDOMEST * 10);
            let other = spawn(move || noticing.notice(late));
            norm.release();
            other.join().unwrap();
            assert!(norm.unattended(), "nobody is left, and nobody takes over");
        });
    }
}
