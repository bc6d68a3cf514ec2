//! What is known of one endpoint now.

use crate::{
    Attempt, BreakerPolicy, Clock, Endpoint, Event, EventKind, Events, Health, HealthPolicy, Nanos,
    Outcome, Permit, PolicyError, Refusal, Sign, Snapshot, State,
    breaker::{Breaker, Change},
    health::{Alarm, Detector, Fact},
    stats::{Ledger, Tally},
    sync::{Arc, AtomicU64, Mutex, Ordering, Weak, lock},
};

/// Who is watched: a service under a policy's name, or one endpoint of several.
#[derive(Clone, Debug)]
pub struct Subject {
    policy: Arc<str>,
    endpoint: Option<Endpoint>,
}

impl Subject {
    /// The one service under the policy `name`.
    #[must_use]
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Self {
            policy: name.into(),
            endpoint: None,
        }
    }

    /// One endpoint of those under the policy `name`.
    #[must_use]
    pub fn endpoint(name: impl Into<Arc<str>>, endpoint: Endpoint) -> Self {
        Self {
            policy: name.into(),
            endpoint: Some(endpoint),
        }
    }
}

/// By which rules it is watched.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// When it counts as down.
    pub health: HealthPolicy,
    /// What is done about it.
    pub breaker: BreakerPolicy,
    /// Which parts are at work.
    pub parts: Parts,
}

impl Rules {
    /// Can they be?
    ///
    /// # Errors
    ///
    /// Names the field, its value and what would do.
    pub fn check(&self) -> Result<(), PolicyError> {
        self.health.check()?;
        self.breaker.check()
    }
}

/// Which parts are at work. Judging and counting outcomes always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Does the breaker refuse calls?
    pub breaker: bool,
    /// Are episodes kept, and figures drawn from them?
    pub stats: bool,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            breaker: true,
            stats: true,
        }
    }
}

/// What the world lends: time, an ear, and chance.
#[derive(Clone, Debug)]
pub struct Host {
    /// The clock.
    pub clock: Clock,
    /// Who is told of changes.
    pub events: Arc<Events>,
    /// Where draws begin; the same seed and the same events make the same decisions.
    pub seed: u64,
}

impl Host {
    /// A host with `clock`, an ear of its own and seed zero.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            events: Arc::new(Events::new(0, |_| {})),
            seed: 0,
        }
    }
}

/// What is known of one endpoint now: health, breaker, counts, episodes. Clones share it.
///
/// [`permit`](Self::permit) and [`record`](Self::record) are pure decisions over that state; [`admit`](Self::admit)
/// wraps them in an [`Attempt`] that reads the clock.
#[derive(Clone, Debug)]
pub struct Vitals(Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    subject: Subject,
    clock: Clock,
    events: Arc<Events>,
    /// What a healthy call needs to know of `signs`, in one load: see [`Word`].
    word: AtomicU64,
    /// From when on a call may be admitted, for pickers: a hint beside `word`, which decides.
    due: AtomicU64,
    tally: Tally,
    signs: Mutex<Signs>,
}

/// What changes only when something happens.
#[derive(Debug)]
struct Signs {
    detector: Detector,
    breaker: Breaker,
    /// Kept where statistics are at work.
    ledger: Option<Ledger>,
}

impl Vitals {
    /// A new record, born now, with nothing against it.
    #[must_use]
    pub fn new(subject: Subject, rules: &Rules, host: &Host) -> Self {
        let signs = Signs {
            detector: Detector::new(&rules.health),
            breaker: Breaker::new(rules.breaker, rules.parts.breaker, host.seed),
            ledger: rules.parts.stats.then(|| Ledger::new(host.clock.now())),
        };
        Self(Arc::new(Inner {
            subject,
            clock: host.clock,
            events: Arc::clone(&host.events),
            word: AtomicU64::new(signs.word().0),
            due: AtomicU64::new(0),
            tally: Tally::new(),
            signs: Mutex::new(signs),
        }))
    }

    /// Asks for one attempt, now.
    ///
    /// # Errors
    ///
    /// Refused while the breaker is open.
    pub fn admit(&self) -> Result<Attempt, Refusal> {
        self.admit_at(self.clock().now())
    }

    /// Asks for one attempt at a time that was just read.
    ///
    /// # Errors
    ///
    /// Refused while the breaker is open.
    pub fn admit_at(&self, now: Nanos) -> Result<Attempt, Refusal> {
        self.permit(now)
            .map(|permit| Attempt::new(self.clone(), permit))
    }

    /// May an attempt begin at `now`? Whoever takes a permit owes its [`record`](Self::record).
    ///
    /// # Errors
    ///
    /// Refused while the breaker is open.
    pub fn permit(&self, now: Nanos) -> Result<Permit, Refusal> {
        let word = self.0.word();
        if word.flows() {
            self.0.tally.started();
            return Ok(Permit {
                started: now,
                generation: word.generation(),
                probe: false,
            });
        }
        let (permit, change) = self.0.update(|signs| signs.permit(now));
        self.0.tell(now, change);
        match permit {
            Ok(permit) => {
                self.0.tally.started();
                Ok(permit)
            }
            Err(retry_after) => {
                self.0.tally.rejected();
                Err(Refusal::Open { retry_after })
            }
        }
    }

    /// The whole life of a fact: count, judge, act, tell.
    pub fn record(&self, permit: Permit, now: Nanos, outcome: Outcome) {
        self.0.tally.finished(outcome);
        let sign = outcome.sign();
        if self.0.word().unmoved_by(sign, permit) {
            return;
        }
        let change = self.0.update(|signs| signs.take(permit, now, outcome));
        self.0.tell(now, change);
    }

    /// Might a call be admitted at some `now`? One load; [`permit`](Self::permit) decides.
    #[must_use]
    pub fn state(&self) -> State {
        self.0.word().state()
    }

    /// From when on a call may be admitted; [`Nanos::ZERO`] while calls flow.
    #[must_use]
    pub fn due(&self) -> Nanos {
        Nanos::new(self.0.due.load(Ordering::Relaxed))
    }

    /// Everything known, as plain data.
    #[must_use]
    pub fn snapshot(&self, now: Nanos) -> Snapshot {
        let counts = self.0.tally.read();
        let signs = lock(&self.0.signs);
        Snapshot {
            policy: Arc::clone(&self.0.subject.policy),
            endpoint: self
                .0
                .subject
                .endpoint
                .as_ref()
                .map(|endpoint| Arc::clone(endpoint.shared_address())),
            health: match (signs.breaker.is_down(), signs.detector.calm()) {
                (true, _) => Health::Down,
                (false, false) => Health::Suspect,
                (false, true) => Health::Healthy,
            },
            state: signs.breaker.state(),
            counts,
            reliability: signs.ledger.as_ref().map(|ledger| ledger.reliability(now)),
            episodes: signs
                .ledger
                .as_ref()
                .map_or_else(Vec::new, Ledger::episodes),
        }
    }

    pub(crate) fn clock(&self) -> Clock {
        self.0.clock
    }

    pub(crate) fn downgrade(&self) -> Weak<Inner> {
        Arc::downgrade(&self.0)
    }

    pub(crate) fn upgrade(weak: &Weak<Inner>) -> Option<Self> {
        weak.upgrade().map(Self)
    }
}

impl Inner {
    fn word(&self) -> Word {
        // Acquire: pairs with the Release in `update`; whoever sees a generation sees what made it.
        Word(self.word.load(Ordering::Acquire))
    }

    fn update<T>(&self, change: impl FnOnce(&mut Signs) -> T) -> T {
        let mut signs = lock(&self.signs);
        let result = change(&mut signs);
        // Release, and under the lock: words are published in the order of the changes they stand for.
        self.word.store(signs.word().0, Ordering::Release);
        // Relaxed: a picker that reads an old hint asks in vain, or one call later.
        self.due
            .store(signs.breaker.due().as_u64(), Ordering::Relaxed);
        result
    }

    fn tell(&self, at: Nanos, change: Option<EventKind>) {
        let Some(kind) = change else { return };
        let endpoint = self
            .subject
            .endpoint
            .as_ref()
            .map(|endpoint| Arc::clone(endpoint.shared_address()));
        self.events.tell(Event {
            at,
            policy: Arc::clone(&self.subject.policy),
            endpoint,
            kind,
        });
    }
}

impl Signs {
    fn permit(&mut self, now: Nanos) -> (Result<Permit, std::time::Duration>, Option<EventKind>) {
        let (permit, change) = self.breaker.permit(now);
        (permit, change.map(|change| self.account(change, now, None)))
    }

    /// Judge, act, account.
    fn take(&mut self, permit: Permit, now: Nanos, outcome: Outcome) -> Option<EventKind> {
        let believed = permit.generation == self.breaker.generation();
        let judged = believed && !self.breaker.is_down();
        if let (Some(ledger), Outcome::Failure(cause)) = (&mut self.ledger, outcome)
            && (judged || self.breaker.is_down())
        {
            ledger.failure(cause);
        }
        let sign = outcome.sign();
        let alarm = if judged {
            self.detector.record(&Fact {
                started: permit.started,
                now,
                outcome,
            })
        } else {
            None
        };
        if let Some(ledger) = &mut self.ledger
            && judged
            && self.detector.calm()
        {
            ledger.calm();
        }
        let change = self.breaker.follow(permit, now, sign, alarm.is_some())?;
        Some(self.account(change, now, alarm))
    }

    /// Writes a change of the breaker into the book of outages.
    fn account(&mut self, change: Change, now: Nanos, alarm: Option<Alarm>) -> EventKind {
        let (kind, entry): (_, fn(&mut Ledger, Nanos, Nanos)) = match (change, alarm) {
            (Change::Opened(wait), Some(Alarm { since })) => {
                self.detector.reset();
                (EventKind::Opened { wait, since }, |ledger, since, now| {
                    ledger.broke(since, now)
                })
            }
            (Change::Opened(wait), None) => (EventKind::Reopened { wait }, |ledger, _, _| {
                ledger.relapsed()
            }),
            (Change::Probing, _) => (EventKind::Probing, |_, _, _| ()),
            (Change::FirstGood, _) => (EventKind::FirstGood, |ledger, _, now| ledger.repaired(now)),
            (Change::Closed, _) => (EventKind::Closed, |ledger, _, now| ledger.restored(now)),
        };
        if let Some(ledger) = &mut self.ledger {
            entry(ledger, alarm.map_or(now, |alarm| alarm.since), now);
        }
        kind
    }

    const fn word(&self) -> Word {
        let state = self.breaker.state() as u64;
        let flows = if self.breaker.flows() { Word::FLOWS } else { 0 };
        let calm = if self.detector.calm() && !self.breaker.is_down() {
            Word::CALM
        } else {
            0
        };
        Word((self.breaker.generation() as u64) << 32 | calm | flows | state)
    }
}

/// The published part of [`Signs`]: generation in the upper half; state, and whether calls flow and nothing is
/// remembered, in the lower.
#[derive(Clone, Copy)]
struct Word(u64);

impl Word {
    const FLOWS: u64 = 1 << 2;
    const CALM: u64 = 1 << 3;

    const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    const fn flows(self) -> bool {
        self.0 & Self::FLOWS != 0
    }

    const fn state(self) -> State {
        match self.0 & 3 {
            0 => State::Closed,
            1 => State::Open,
            _ => State::HalfOpen,
        }
    }

    /// Would an outcome change nothing? Then it needs no lock.
    const fn unmoved_by(self, sign: Sign, permit: Permit) -> bool {
        match sign {
            Sign::Bad => false,
            _ if permit.generation != self.generation() => true,
            Sign::Good => self.0 & Self::CALM != 0,
            Sign::Silent => !permit.probe,
        }
    }
}

#[cfg(test)]
mod tests;
