//! What the endpoints of one destination share.

mod callers;
mod calls;
mod jury;
mod keys;
mod learn;
mod names;
mod norm;
mod observe;
mod panic;
mod scene;
mod vigilance;

use std::{sync::OnceLock, time::Duration};

use crate::{
    BreakerPolicy, Endpoint, Event, EventKind, HealthPolicy, HedgeAfter, Host, Nanos, Registry,
    Rules, Verdict, Vitals,
    health::Bank,
    pick::Groups,
    sync::{Arc, AtomicBool, AtomicU64, AtomicUsize, Mutex, Ordering, Weak, lock},
    vitals::VitalState,
};
use callers::Callers;
pub use calls::{CallCounts, Calls};
pub use jury::Hold;
pub(crate) use jury::Ruling;
use keys::Lost;
pub(crate) use learn::Census;
use learn::Learn;
use names::Names;
pub(crate) use norm::Norm;
pub use panic::PanicMode;
use scene::Scene;
use vigilance::Vigilance;

/// Of more endpoints, less is kept of each: 10 000 of them would take 640 MB.
const MANY: usize = 256;

/// How long it is looked after with nothing under way: between two calls that wait, nobody has to come and go.
const LINGER: Duration = Duration::from_secs(1);

/// The endpoints of one set, or one service alone: their rules, and what is learned from all of them together.
///
/// Clones share it. It holds its endpoints weakly: they live as long as their [`Vitals`] do.
#[derive(Clone, Debug)]
pub struct Destination(Arc<Shared>);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) name: Arc<str>,
    pub(crate) rules: Rules,
    /// That of the rules, held by each breaker.
    pub(crate) breaker: Arc<BreakerPolicy>,
    /// How long it may stop calls, in nanoseconds: of one in a set, and of one alone.
    pub(crate) longest_wait: [u64; 2],
    pub(crate) host: Host,
    pub(crate) born: Nanos,
    pub(crate) calls: Calls,
    pub(crate) norm: Norm,
    /// Who calls, where it is looked at.
    pub(crate) callers: Callers,
    /// Made for the first call that has a label.
    names: OnceLock<Names>,
    members: Mutex<Vec<Weak<VitalState>>>,
    /// How many there will be; zero where nobody said.
    expected: AtomicUsize,
    /// What pickers read of its priorities and zones.
    pub(crate) groups: Groups,
    /// When a rate to declare was last suggested; zero for never.
    suggested: AtomicU64,
    /// Was it in panic when last looked at?
    panicking: AtomicBool,
    /// When a common cause was last seen; zero for never.
    common_cause: AtomicU64,
    /// The priorities of those that are out.
    out: Mutex<Vec<u32>>,
    learn: Mutex<Learn>,
    /// When there is something to learn again: a hint beside `learn`, which decides.
    learn_at: AtomicU64,
    /// Where thresholds are derived.
    vigilance: Option<Mutex<Vigilance>>,
    /// Keys that were forgotten.
    lost: Lost,
}

impl Shared {
    /// A caller as a byte; zero where nobody looks who calls.
    pub(crate) fn caller(&self, name: &str) -> u8 {
        match self.rules.caller_share {
            Some(_) => self.callers.number(name),
            None => 0,
        }
    }

    /// A number for whoever calls, the same for all calls of his; of one that nobody named, another one each time.
    ///
    /// Hashed with a key of this process, and dealt anew each ten minutes: nobody can aim at another's number, or is
    /// turned away first for ever.
    pub(crate) fn dealt(&self, caller: Option<&str>, now: Nanos) -> u64 {
        let deal = now.as_u64() / 600_000_000_000;
        match caller {
            Some(name) => self.callers.hash_one((name, deal)),
            None => self.callers.hash_one((now.as_u64(), deal)),
        }
    }

    /// What calls are labelled with, by number.
    pub(crate) fn names(&self) -> &Names {
        self.names.get_or_init(Names::new)
    }

    /// The thresholds in force.
    pub(crate) fn bank(&self) -> Bank {
        match &self.vigilance {
            Some(vigilance) => lock(vigilance).bank(),
            None => Bank::design(self.rules.tolerable.as_f64(), 1e8),
        }
    }

    pub(crate) fn say(&self, at: Nanos, kind: EventKind) {
        self.host.registry.events().tell(Event {
            at,
            policy: Arc::clone(&self.name),
            endpoint: None,
            kind,
        });
    }

    fn members(&self) -> Vec<Arc<VitalState>> {
        lock(&self.members)
            .iter()
            .filter_map(Weak::upgrade)
            .collect()
    }
}

impl Destination {
    /// A destination under the policy `name`, with no endpoints yet.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, rules: &Rules, host: &Host) -> Self {
        let name = name.into();
        Self(Arc::new(Shared {
            calls: host.registry.calls(&name),
            name,
            rules: *rules,
            breaker: Arc::new(rules.breaker),
            longest_wait: [false, true].map(|alone| {
                Nanos::ZERO
                    .after(rules.breaker.longest_wait(alone))
                    .as_u64()
            }),
            host: host.clone(),
            born: host.clock.now(),
            norm: Norm::new(rules),
            callers: Callers::new(),
            names: OnceLock::new(),
            members: Mutex::default(),
            expected: AtomicUsize::new(0),
            groups: Groups::default(),
            suggested: AtomicU64::new(0),
            panicking: AtomicBool::new(false),
            common_cause: AtomicU64::new(0),
            out: Mutex::default(),
            learn: Mutex::new(Learn::new(rules)),
            learn_at: AtomicU64::new(0),
            vigilance: (rules.health == HealthPolicy::Cusum)
                .then(|| Mutex::new(Vigilance::new(rules))),
            lost: Lost::new(),
        }))
    }

    /// So many endpoints it has from now on, those included that are about to be born: of each of more than 256 less is kept,
    /// and in one place.
    pub fn expect(&self, endpoints: usize) {
        // Relaxed: said by whoever has them born.
        self.0.expected.store(endpoints, Ordering::Relaxed);
    }

    /// The record of one of its endpoints, born now, with nothing against it.
    #[must_use]
    pub fn endpoint(&self, endpoint: Endpoint) -> Vitals {
        self.born(Some(endpoint), None)
    }

    /// The record of an endpoint that comes to others that were there before it: it gets its share of calls by degrees,
    /// for it has yet to warm up.
    #[must_use]
    pub fn newcomer(&self, endpoint: Endpoint) -> Vitals {
        let vitals = self.born(Some(endpoint), None);
        vitals.join(self.0.host.clock.now());
        vitals
    }

    /// The record of the one service that it is.
    #[must_use]
    pub fn alone(&self) -> Vitals {
        self.born(None, None)
    }

    /// Looks after its endpoints: calls that have grown too old are evidence, and what healthy calls take is learned.
    ///
    /// To be called at the time it gave the last time. It gives none when nothing has been under way for a second:
    /// then the next call that has to wait starts it again. Whoever calls it late was asleep, and nobody is blamed for that time.
    #[must_use]
    pub fn tick(&self, now: Nanos) -> Option<Nanos> {
        let shared = &self.0;
        shared.notice(now);
        let members = shared.members();
        shared.observe(now);
        let next = now.after(shared.norm.interval());
        if look(&members, now) {
            shared.norm.stay_until(now.after(LINGER));
        }
        if now < shared.norm.staying() {
            shared.norm.expect(next);
            return Some(next);
        }
        shared.norm.release();
        // A call that has begun to wait meanwhile took us for still at work. Its place tells, for it was taken before;
        // when to look next does not, for another thread may be about to change it. Nor do the members of before, for
        // one may have been born.
        let waiting = shared.members().iter().any(|member| member.is_waiting(now));
        (waiting && shared.norm.claim(next)).then_some(next)
    }

    /// From which age on a call that is still under way counts as evidence; absent until it is learned, where no
    /// timeout says.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        Some(self.0.norm.age()).filter(|age| *age < Duration::MAX)
    }

    /// After how long a call is to be hedged; absent until it is learned, and where nothing is to be hedged.
    #[must_use]
    pub fn hedge_after(&self) -> Option<HedgeAfter> {
        self.0.norm.hedge()
    }

    /// Where the fault is that shows in the calls begun since `since`. Absent without calls.
    ///
    /// Reads the last few hundred calls of each of up to 64 endpoints: for alarms and pages, not for every call.
    #[must_use]
    pub fn diagnose(&self, since: Nanos, now: Nanos) -> Option<Verdict> {
        let members = self.0.members();
        Scene::of(&self.0, None, &members, since, now).verdict()
    }

    /// Are so few of it usable that its health no longer says whom to ask?
    ///
    /// Counts its endpoints: for refusals and pages, not for every call.
    #[must_use]
    pub fn panic(&self) -> Option<PanicMode> {
        self.0.panic()
    }

    /// The calls to it, together with those to other destinations under the same policy of the same registry.
    #[must_use]
    pub fn calls(&self) -> &Calls {
        &self.0.calls
    }

    /// Where it is seen, and who is told of changes.
    #[must_use]
    pub fn registry(&self) -> Registry {
        self.0.host.registry.clone()
    }

    pub(crate) fn of(shared: &Arc<Shared>) -> Self {
        Self(Arc::clone(shared))
    }

    /// Its name, which is that of its policy.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The records of its endpoints, as far as they are in use: one for a service alone.
    #[must_use]
    pub fn vitals(&self) -> Vec<Vitals> {
        let mut members = self.0.host.registry.members();
        members.retain(|vitals| vitals.is_of(&self.0));
        members
    }

    /// Tells it from any other.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    fn born(&self, endpoint: Option<Endpoint>, key: Option<Arc<str>>) -> Vitals {
        let shared = Arc::clone(&self.0);
        let mut members = lock(&self.0.members);
        let seed = self.0.host.seed.wrapping_add(members.len() as u64);
        let many = match self.0.expected.load(Ordering::Relaxed) {
            0 => members.len(),
            expected => expected,
        };
        let one_of_many = endpoint.is_some() && many > MANY;
        let state = VitalState::new(shared, endpoint, one_of_many, seed);
        let vitals = Vitals::of(match key {
            Some(key) => state.of_key(key),
            None => state,
        });
        // Pruned only when full: a set of n endpoints costs O(n) in all, not O(n²).
        if members.len() == members.capacity() {
            members.retain(|member| member.strong_count() > 0);
            let live = members.len();
            members.reserve(live + 1);
        }
        members.push(vitals.weak_state());
        drop(members);
        self.0.host.registry.add(&vitals);
        vitals
    }

    /// Nobody looks after it any more.
    pub fn release(&self) {
        self.0.norm.release();
    }
}

/// Looks at every member. Is there any call under way?
fn look(members: &[Arc<VitalState>], now: Nanos) -> bool {
    members
        .iter()
        .fold(false, |busy, member| member.look(now) | busy)
}

#[cfg(all(test, not(loom)))]
mod tests;
