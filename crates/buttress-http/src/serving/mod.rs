//! What this process says of itself to whoever sends it calls.

mod finding;
mod grpc;
mod heartbeat;
mod page;
mod wire;

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use buttress_core::{Clock, Registry};
use tokio::sync::watch;

use finding::{Finding, Findings};
pub use grpc::{GrpcHealth, HealthBody};
use heartbeat::Heart;
pub use heartbeat::Heartbeat;
pub use page::HealthPage;

type Check = Arc<dyn Fn() -> bool + Send + Sync>;

/// What this process says of itself to whoever sends it calls: whether it lives, and whether it is ready for more.
///
/// | page | asks | fails when |
/// |---|---|---|
/// | [`livez`](Self::livez) | is it to be killed and started again? | a [heartbeat](Self::heartbeat) is late, or something [local](Self::lives_while) is broken |
/// | [`readyz`](Self::readyz) | is it to be sent calls? | it [drains](Self::drain), something [local](Self::ready_while) is not ready, or a *required* dependency is out |
/// | [`grpc`](Self::grpc) | the same, as gRPC asks it | as `readyz`, and for services that are [withdrawn](Self::withdraw) |
///
/// Liveness never looks at what the process depends on, for nobody's database comes back when its clients are restarted. Readiness
/// shows all of it, and fails for none of it that was not required: when something fails that every replica depends on, all of
/// them would leave at once, and then nobody is left to answer, not even to say no. Require what this replica alone depends on.
///
/// A dependency is out when none of its endpoints takes calls, nor would take the next one as a probe. So whoever gets no calls
/// any more because of it becomes ready again in time, and finds out.
///
/// Clones are handles on the same.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use buttress_core::{Clock, Events, Nanos, Registry};
/// use buttress_http::Serving;
/// # use std::sync::Arc;
/// # let (clock, registry) = (Clock(|| Nanos::ZERO), Registry::new(Arc::new(Events::new(8, |_| {}))));
///
/// // `Buttress::serving` knows the clock and the registry.
/// let serving = Serving::new(clock, registry, ["db"]);
/// assert!(serving.is_ready());
/// serving.drain();
/// assert!(!serving.is_ready() && serving.is_live());
/// serving.draining().await;
/// # }
/// ```
#[derive(Clone)]
pub struct Serving(Arc<Shared>);

struct Shared {
    clock: Clock,
    registry: Registry,
    required: HashSet<Arc<str>>,
    draining: watch::Sender<bool>,
    /// Counts changes of `offered`, and of `draining`.
    changed: watch::Sender<u64>,
    hearts: Mutex<Vec<Arc<Heart>>>,
    live: Mutex<Vec<(Arc<str>, Check)>>,
    ready: Mutex<Vec<(Arc<str>, Check)>>,
    /// The services offered by name, and whether they are.
    offered: Mutex<BTreeMap<Box<str>, bool>>,
}

/// What gRPC calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Serving,
    NotServing,
    Unknown,
}

impl Serving {
    /// Of a process whose calls are seen in `registry`. It is ready only while what goes by one of the `required` names is not out.
    pub fn new<N: Into<Arc<str>>>(
        clock: Clock,
        registry: Registry,
        required: impl IntoIterator<Item = N>,
    ) -> Self {
        Self(Arc::new(Shared {
            clock,
            registry,
            required: required.into_iter().map(Into::into).collect(),
            draining: watch::Sender::new(false),
            changed: watch::Sender::new(0),
            hearts: Mutex::default(),
            live: Mutex::default(),
            ready: Mutex::default(),
            offered: Mutex::default(),
        }))
    }

    /// Liveness fails unless the heartbeat beats at least once `within` this time, from now on.
    pub fn heartbeat(&self, name: &str, within: Duration) -> Heartbeat {
        let (beat, heart) = Heartbeat::new(name, within, self.0.clock);
        let mut hearts = lock(&self.0.hearts);
        hearts.retain(|heart| !heart.is_retired());
        hearts.push(heart);
        beat
    }

    /// Liveness fails unless `holds`. Only for what a restart of this process repairs. Asked each time the page is, so it must be quick.
    pub fn lives_while(&self, name: &str, holds: impl Fn() -> bool + Send + Sync + 'static) {
        lock(&self.0.live).push((name.into(), Arc::new(holds)));
    }

    /// Readiness fails unless `holds`: a cache that has to be filled first, say. Asked each time the page is, so it must be quick.
    pub fn ready_while(&self, name: &str, holds: impl Fn() -> bool + Send + Sync + 'static) {
        lock(&self.0.ready).push((name.into(), Arc::new(holds)));
    }

    /// Offers a gRPC service by its full name. Before it was offered it is unknown; the empty name is the whole process, and always known.
    pub fn offer(&self, service: &str) {
        self.set(service, true);
    }

    /// Offers a gRPC service no longer: it is known, and does not serve.
    pub fn withdraw(&self, service: &str) {
        self.set(service, false);
    }

    /// It is to stop: from now on it is not ready. It lives, and serves whoever comes all the same, for it takes time until that is
    /// known everywhere; see [the page on servers](https://docs.rs/buttress/latest/buttress/docs/servers/index.html).
    pub fn drain(&self) {
        self.0.draining.send_replace(true);
        self.touch();
    }

    /// Is it to stop?
    #[must_use]
    pub fn is_draining(&self) -> bool {
        *self.0.draining.borrow()
    }

    /// Waits until it is to stop.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn draining(&self) {
        // The sender is here: it cannot be gone.
        let _ = self.0.draining.subscribe().wait_for(|yes| *yes).await;
    }

    /// Does it live?
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.liveness().pass()
    }

    /// Is it ready for calls?
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.readiness().pass()
    }

    /// The page that says whether it lives.
    #[must_use]
    pub fn livez(&self) -> HealthPage {
        HealthPage::new(self.clone(), Self::liveness)
    }

    /// The page that says whether it is ready.
    #[must_use]
    pub fn readyz(&self) -> HealthPage {
        HealthPage::new(self.clone(), Self::readiness)
    }

    /// The service `grpc.health.v1.Health`.
    #[must_use]
    pub fn grpc(&self) -> GrpcHealth {
        GrpcHealth::new(self.clone())
    }

    fn liveness(&self) -> Findings {
        let now = self.0.clock.now();
        let beating: Vec<_> = lock(&self.0.hearts).clone();
        let beating = beating.iter().filter(|heart| !heart.is_retired());
        let mut all: Vec<_> = beating.map(|heart| heart.find(now)).collect();
        all.extend(asked(&self.0.live));
        Findings { page: "livez", all }
    }

    fn readiness(&self) -> Findings {
        let now = self.0.clock.now();
        let mut all = vec![Finding::shutdown(self.is_draining())];
        all.extend(asked(&self.0.ready));
        let destinations = self.0.registry.destinations();
        all.extend(destinations.iter().map(|one| {
            let required = self.0.required.contains(one.name());
            Finding::of(one, required, now)
        }));
        Findings {
            page: "readyz",
            all,
        }
    }

    fn status(&self, service: &str) -> Status {
        let offered = match service {
            "" => Some(true),
            _ => lock(&self.0.offered).get(service).copied(),
        };
        match offered {
            None => Status::Unknown,
            Some(true) if self.is_ready() => Status::Serving,
            Some(_) => Status::NotServing,
        }
    }

    fn set(&self, service: &str, offered: bool) {
        lock(&self.0.offered).insert(service.into(), offered);
        self.touch();
    }

    fn touch(&self) {
        self.0
            .changed
            .send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Asked outside of the lock: a check may take its time, or register another.
fn asked(checks: &Mutex<Vec<(Arc<str>, Check)>>) -> Vec<Finding> {
    let checks = lock(checks).clone();
    let ask = |(name, holds): (Arc<str>, Check)| Finding::local(name, holds(), None);
    checks.into_iter().map(ask).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving")
            .field("required", &self.0.required)
            .field("draining", &self.is_draining())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use buttress_core::{Cause, Destination, Events, HealthPolicy, Host, Nanos, Outcome, Rules};

    use super::*;

    static NOW: AtomicU64 = AtomicU64::new(0);

    fn serving(registry: Registry) -> Serving {
        let clock = Clock(|| Nanos::new(NOW.load(Ordering::SeqCst)));
        Serving::new(clock, registry, ["db"])
    }

    fn registry() -> Registry {
        Registry::new(Arc::new(Events::new(8, |_| {})))
    }

    fn down(name: &str, registry: &Registry) -> (Destination, buttress_core::Vitals) {
        let rules = Rules {
            health: HealthPolicy::consecutive(1),
            ..Rules::default()
        };
        let host = Host {
            registry: registry.clone(),
            ..Host::new(Clock(|| Nanos::ZERO))
        };
        let destination = Destination::new(name, &rules, &host);
        let vitals = destination.alone();
        let attempt = vitals.admit().unwrap();
        attempt.finish(Outcome::Failure(Cause::Error));
        (destination, vitals)
    }

    #[test]
    fn what_it_depends_on_fails_readiness_where_it_is_required_and_liveness_never() {
        for (name, ready) in [("mail", true), ("db", false)] {
            let registry = registry();
            let serving = serving(registry.clone());
            assert!(serving.is_ready(), "nothing is known yet");
            let _down = down(name, &registry);
            assert_eq!((serving.is_ready(), serving.is_live()), (ready, true));
            let text = serving.readiness().text(true);
            let said = format!("[-]{name} failed: 0 of 1 take calls");
            assert!(text.contains(&said), "{text}");
        }
    }

    #[test]
    fn local_things_fail_the_page_they_belong_to() {
        let serving = serving(registry());
        let (full, sane) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicBool::new(true)),
        );
        let read = |flag: &Arc<AtomicBool>| {
            let flag = Arc::clone(flag);
            move || flag.load(Ordering::SeqCst)
        };
        serving.ready_while("cache", read(&full));
        serving.lives_while("sane", read(&sane));
        assert_eq!((serving.is_ready(), serving.is_live()), (false, true));
        full.store(true, Ordering::SeqCst);
        sane.store(false, Ordering::SeqCst);
        assert_eq!((serving.is_ready(), serving.is_live()), (true, false));
    }

    #[test]
    fn a_heart_that_stops_fails_liveness_until_it_beats_or_is_retired() {
        let serving = serving(registry());
        let heart = serving.heartbeat("poller", Duration::from_nanos(10));
        assert!(serving.is_live());
        NOW.fetch_add(11, Ordering::SeqCst);
        assert!(!serving.is_live() && serving.is_ready());
        heart.beat();
        assert!(serving.is_live());
        NOW.fetch_add(11, Ordering::SeqCst);
        assert!(!serving.is_live());
        heart.retire();
        assert!(serving.is_live());
        drop(serving.heartbeat("worker", Duration::from_nanos(10)));
        NOW.fetch_add(11, Ordering::SeqCst);
        assert!(!serving.is_live(), "dropped is not retired");
    }

    #[test]
    fn services_by_name() {
        let serving = serving(registry());
        let is = |name| serving.status(name);
        assert_eq!((is(""), is("a.A")), (Status::Serving, Status::Unknown));
        serving.offer("a.A");
        serving.withdraw("b.B");
        assert_eq!(
            (is("a.A"), is("b.B")),
            (Status::Serving, Status::NotServing)
        );
        serving.offer("b.B");
        assert_eq!(is("b.B"), Status::Serving);
        serving.drain();
        assert_eq!(
            (is(""), is("a.A")),
            (Status::NotServing, Status::NotServing)
        );
        assert_eq!(is("c.C"), Status::Unknown);
    }
}
