//! What the endpoints of one destination share.

mod jury;
mod learn;
mod names;
mod norm;
mod panic;
mod scene;
mod vigilance;

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::OnceLock,
    time::Duration,
};

use crate::{
    Endpoint, Event, EventKind, HealthPolicy, Host, Nanos, Ratio, Registry, Rules, Tally, Verdict,
    Vitals,
    health::Bank,
    sync::{Arc, AtomicBool, AtomicU64, Mutex, Ordering, Weak, lock},
    vitals::VitalState,
};
pub use jury::Hold;
pub(crate) use jury::Ruling;
pub(crate) use learn::Census;
use learn::Learn;
use names::Names;
pub(crate) use norm::Norm;
pub use panic::Panic;
use scene::Scene;
use vigilance::Vigilance;

/// A rate is suggested once an hour.
const SUGGEST_AGAIN: Duration = Duration::from_secs(3600);

/// A common cause that has not been seen for so long is over.
const COMMON_CAUSE_OVER: Duration = Duration::from_secs(10);

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
    pub(crate) host: Host,
    pub(crate) born: Nanos,
    pub(crate) norm: Norm,
    hasher: RandomState,
    /// Made for the first call that has a label.
    names: OnceLock<Names>,
    members: Mutex<Vec<Weak<VitalState>>>,
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
}

impl Shared {
    /// A caller as a byte, never zero: a hash with a key of this process, so that nobody outside can aim at another's.
    pub(crate) fn caller(&self, name: &str) -> u8 {
        (self.hasher.hash_one(name) % 255) as u8 + 1
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

    /// Learns what there is to learn. One load, most of the time. Nobody may hold an endpoint's lock meanwhile.
    pub(crate) fn observe(&self, now: Nanos) {
        // Relaxed: a hint. Beyond a day it was set by a clock that was set back.
        let at = Nanos::new(self.learn_at.load(Ordering::Relaxed));
        if now < at && at.since(now) < Duration::from_secs(86_400) {
            return;
        }
        let members = self.members();
        let Some(learned) = lock(&self.learn).observe(&members, now, &self.rules) else {
            return;
        };
        self.learn_at
            .store(now.after(learn::PERIOD).as_u64(), Ordering::Relaxed);
        if let (Some(age), true) = (learned.age, self.rules.parts.health) {
            self.norm.set_age(age);
        }
        if let Some(median) = learned.median {
            self.norm.set_median(median);
        }
        if let Some(failing) = learned.failing {
            self.suggest(failing, now);
        }
        if let Some(base) = learned.base {
            self.norm.set_base(base);
        }
        members.iter().for_each(|member| member.look_again(now));
        if learned.sweep {
            self.compare(&members, learned.late, now);
        }
        let (Some(vigilance), Some(rate)) = (&self.vigilance, learned.rate) else {
            return;
        };
        let count = members.len().max(1);
        let bank = lock(vigilance).adapt(rate / count as f64, count, learned.late);
        if let Some(bank) = bank {
            members.iter().for_each(|member| member.retarget(bank));
        }
    }

    /// Where the fault is that was noticed at `detected`, on all that is known by now.
    pub(crate) fn look_at(
        &self,
        accused: &VitalState,
        since: Nanos,
        detected: Nanos,
        now: Nanos,
    ) -> Option<Verdict> {
        let members = self.members();
        let scene = Scene::of(self, Some(accused), &members, since, now);
        scene.noticed(detected).verdict()
    }

    /// Were we asleep? Said once, of us and not of every endpoint.
    pub(crate) fn notice(&self, now: Nanos) {
        if let Some(pause) = self.norm.notice(now) {
            self.say(now, EventKind::Asleep(pause));
        }
    }

    /// A common cause is said once, and again when it has not been seen for a while.
    pub(crate) fn first_to_say_common_cause(&self, now: Nanos) -> bool {
        // Relaxed: two that say it at the same instant may both be first.
        let last = self
            .common_cause
            .swap(now.as_u64().max(1), Ordering::Relaxed);
        last == 0 || now.since(Nanos::new(last)) > COMMON_CAUSE_OVER
    }

    pub(crate) fn say(&self, at: Nanos, kind: EventKind) {
        self.host.registry.events().tell(Event {
            at,
            policy: Arc::clone(&self.name),
            endpoint: None,
            kind,
        });
    }

    /// Where a whole set lives above the tolerable rate, nobody is ejected for it, and nothing is detected either: says
    /// which rate to declare.
    fn suggest(&self, failing: f64, now: Nanos) {
        let common = self.common_cause.load(Ordering::Relaxed);
        let lasts = common > 0 && now.since(Nanos::new(common)) <= COMMON_CAUSE_OVER;
        let tolerable = self.rules.tolerable.as_f64();
        // Above a half it is an outage, and no rate to live with.
        if !lasts || failing <= tolerable || failing > 0.5 {
            return;
        }
        let last = self.suggested.load(Ordering::Relaxed);
        if last == 0 || now.since(Nanos::new(last)) > SUGGEST_AGAIN {
            self.suggested.store(now.as_u64().max(1), Ordering::Relaxed);
            // Half as much again, in tenths of a per cent: at the rate itself every other hour would be an alarm.
            let declare = Ratio::new(((failing * 1_500.0).ceil() / 1_000.0).min(0.5));
            let failing = Ratio::new(failing);
            self.say(now, EventKind::Intolerable { failing, declare });
        }
    }

    /// Compares its endpoints, and accuses those that stand out.
    fn compare(&self, members: &[Arc<VitalState>], late: f64, now: Nanos) {
        let tallies: Vec<Tally> = members.iter().map(|member| member.sweep()).collect();
        let since = Nanos::new(now.as_u64().saturating_sub(learn::SWEEP.as_nanos() as u64));
        let tolerable = self.rules.tolerable.as_f64() + late;
        for index in self.rules.peers.outliers(&tallies, tolerable) {
            members[index].nominate(since, now);
        }
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
        Self(Arc::new(Shared {
            name: name.into(),
            rules: *rules,
            host: host.clone(),
            born: host.clock.now(),
            norm: Norm::new(rules),
            hasher: RandomState::new(),
            names: OnceLock::new(),
            members: Mutex::default(),
            suggested: AtomicU64::new(0),
            panicking: AtomicBool::new(false),
            common_cause: AtomicU64::new(0),
            out: Mutex::default(),
            learn: Mutex::new(Learn::new()),
            learn_at: AtomicU64::new(0),
            vigilance: (rules.health == HealthPolicy::Cusum)
                .then(|| Mutex::new(Vigilance::new(rules))),
        }))
    }

    /// The record of one of its endpoints, born now, with nothing against it.
    #[must_use]
    pub fn endpoint(&self, endpoint: Endpoint) -> Vitals {
        self.born(Some(endpoint))
    }

    /// The record of an endpoint that comes to others that were there before it: it gets its share of calls by degrees,
    /// for it has yet to warm up.
    #[must_use]
    pub fn newcomer(&self, endpoint: Endpoint) -> Vitals {
        let vitals = self.born(Some(endpoint));
        vitals.join(self.0.host.clock.now());
        vitals
    }

    /// The record of the one service that it is.
    #[must_use]
    pub fn alone(&self) -> Vitals {
        self.born(None)
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
    pub fn panic(&self) -> Option<Panic> {
        self.0.panic()
    }

    /// Where it is seen, and who is told of changes.
    #[must_use]
    pub fn registry(&self) -> Registry {
        self.0.host.registry.clone()
    }

    pub(crate) fn of(shared: &Arc<Shared>) -> Self {
        Self(Arc::clone(shared))
    }

    fn born(&self, endpoint: Option<Endpoint>) -> Vitals {
        let shared = Arc::clone(&self.0);
        let mut members = lock(&self.0.members);
        let seed = self.0.host.seed.wrapping_add(members.len() as u64);
        let vitals = Vitals::of(VitalState::new(shared, endpoint, seed));
        // Pruned only when full: a set of n endpoints costs O(n) in all, not O(n²).
        if members.len() == members.capacity() {
            members.retain(|member| member.strong_count() > 0);
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
