use std::{
    future::pending,
    hint::spin_loop,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use buttress_core::{Cause, Edge, Endpoint, Nanos, Outcome, ProbePolicy};
use tokio::{runtime::Builder, time::sleep};

use super::{Target, Targets, probe};
use crate::CLOCK;

/// What was told: of whom, how it went, the edge, and after how long.
type Told = (String, Outcome, Option<Edge>, Duration);

/// A set that tests change, and that keeps what it is told.
#[derive(Default)]
struct Set {
    state: Mutex<(u64, Vec<String>)>,
    told: Arc<Mutex<Vec<Told>>>,
    suspect: Arc<AtomicUsize>,
}

struct Member {
    address: String,
    told: Arc<Mutex<Vec<Told>>>,
    suspect: Arc<AtomicUsize>,
}

impl Target for Member {
    fn suspect(&self) -> bool {
        self.suspect.load(Ordering::SeqCst) > 0
    }

    fn calls(&self) -> u64 {
        // Always called: never idle.
        CLOCK.now().as_u64()
    }

    fn told(&self, sent: Nanos, now: Nanos, outcome: Outcome, edge: Option<Edge>) {
        let told = (self.address.clone(), outcome, edge, now.since(sent));
        self.told.lock().unwrap().push(told);
    }
}

impl Targets for Set {
    type Target = Member;

    fn version(&self) -> u64 {
        self.state.lock().unwrap().0
    }

    fn targets(&self) -> Vec<(Endpoint, Member)> {
        let (_, addresses) = &*self.state.lock().unwrap();
        let member = |address: &String| {
            let member = Member {
                address: address.clone(),
                told: Arc::clone(&self.told),
                suspect: Arc::clone(&self.suspect),
            };
            (Endpoint::new(address).unwrap(), member)
        };
        addresses.iter().map(member).collect()
    }

    fn unprobed(&self, _: ProbePolicy, _: Arc<dyn crate::Probe>) {}
}

impl Set {
    fn of(addresses: &[&str]) -> Arc<Self> {
        let set = Self::default();
        set.change(addresses);
        Arc::new(set)
    }

    fn change(&self, addresses: &[&str]) {
        let mut state = self.state.lock().unwrap();
        *state = (
            state.0 + 1,
            addresses.iter().map(|one| (*one).to_owned()).collect(),
        );
    }

    fn told(&self) -> Vec<Told> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }
}

fn well(_: &Endpoint) -> impl Future<Output = Result<(), ()>> + Send + use<> {
    async { Ok(()) }
}

#[tokio::test(start_paused = true)]
async fn each_is_asked_every_interval_and_the_first_good_answer_brings_it_up() {
    let set = Set::of(&["a:1", "b:1"]);
    let _probing = probe(&set, ProbePolicy::new(), Arc::new(well));
    sleep(Duration::from_secs(21)).await;
    let told = set.told();
    for address in ["a:1", "b:1"] {
        let of_it: Vec<&Told> = told.iter().filter(|told| told.0 == address).collect();
        assert!((9..=12).contains(&of_it.len()), "{}", of_it.len());
        assert_eq!(of_it[0].2, Some(Edge::Up));
        assert!(
            of_it[1..]
                .iter()
                .all(|told| told.1 == Outcome::Success && told.2.is_none())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn no_answer_in_time_is_a_failure_and_three_of_them_are_down() {
    let set = Set::of(&["a:1"]);
    let _probing = probe(
        &set,
        ProbePolicy::new(),
        Arc::new(|_: &Endpoint| pending::<Result<(), ()>>()),
    );
    sleep(Duration::from_secs(6)).await;
    let told = set.told();
    let edges: Vec<Option<Edge>> = told.iter().map(|told| told.2).collect();
    assert_eq!(edges[..3], [None, None, Some(Edge::Down)]);
    for (_, outcome, _, took) in told {
        assert_eq!(outcome, Outcome::Failure(Cause::Timeout));
        assert!((1_000..1_010).contains(&took.as_millis()), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn so_many_are_on_their_way_at_once_and_no_more() {
    static NOW: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let addresses: Vec<String> = (1..=40).map(|n| format!("10.0.0.{n}:80")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let set = Set::of(&addresses);
    let slow = |_: &Endpoint| async {
        MOST.fetch_max(NOW.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        sleep(Duration::from_millis(300)).await;
        NOW.fetch_sub(1, Ordering::SeqCst);
        Ok::<(), ()>(())
    };
    let _probing = probe(&set, ProbePolicy::new().at_once(8), Arc::new(slow));
    sleep(Duration::from_secs(10)).await;
    assert_eq!(MOST.load(Ordering::SeqCst), 8);
    assert!(
        set.told().iter().any(|told| told.0 == "10.0.0.40:80"),
        "nobody is left out"
    );
}

#[tokio::test(start_paused = true)]
async fn who_leaves_the_set_is_asked_no_more_and_who_comes_is() {
    let set = Set::of(&["a:1", "b:1"]);
    let _probing = probe(&set, ProbePolicy::new(), Arc::new(well));
    sleep(Duration::from_secs(5)).await;
    set.change(&["b:1", "c:1"]);
    sleep(Duration::from_secs(1)).await;
    set.told();
    sleep(Duration::from_secs(10)).await;
    let told = set.told();
    let of = |address: &str| told.iter().filter(|told| told.0 == address).count();
    assert_eq!(of("a:1"), 0);
    assert!(
        of("b:1") >= 4 && of("c:1") >= 4,
        "{} {}",
        of("b:1"),
        of("c:1")
    );
}

#[tokio::test(start_paused = true)]
async fn suspicion_brings_the_next_probe_forward_once() {
    let set = Set::of(&["a:1"]);
    let policy = ProbePolicy::new().interval(Duration::from_secs(30));
    let _probing = probe(&set, policy, Arc::new(well));
    sleep(Duration::from_secs(5)).await;
    set.told();
    set.suspect.store(1, Ordering::SeqCst);
    sleep(Duration::from_millis(1_100)).await;
    assert_eq!(set.told().len(), 1);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(
        set.told().len(),
        0,
        "it is still suspect, and that is no news"
    );
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_its_owner_or_its_handle() {
    let set = Set::of(&["a:1"]);
    let told = Arc::clone(&set.told);
    let probing = probe(&set, ProbePolicy::new(), Arc::new(well));
    sleep(Duration::from_secs(5)).await;
    drop(set);
    sleep(Duration::from_secs(1)).await;
    told.lock().unwrap().clear();
    sleep(Duration::from_secs(30)).await;
    assert!(told.lock().unwrap().is_empty());
    drop(probing);

    let set = Set::of(&["a:1"]);
    drop(probe(&set, ProbePolicy::new(), Arc::new(well)));
    sleep(Duration::from_secs(30)).await;
    assert!(set.told().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_panics_has_failed_and_the_others_go_on() {
    let set = Set::of(&["a:1", "b:1"]);
    let shaky = |endpoint: &Endpoint| {
        let panics = endpoint.address() == "a:1";
        async move {
            assert!(!panics, "on purpose");
            Ok::<(), ()>(())
        }
    };
    let _probing = probe(&set, ProbePolicy::new(), Arc::new(shaky));
    sleep(Duration::from_secs(8)).await;
    let told = set.told();
    let of = |address: &str| {
        told.iter()
            .filter(|told| told.0 == address)
            .map(|told| told.1)
            .collect::<Vec<_>>()
    };
    assert!(
        of("a:1")
            .iter()
            .all(|outcome| *outcome == Outcome::Failure(Cause::Panic))
    );
    assert!(of("b:1").len() >= 3 && of("b:1").iter().all(|outcome| *outcome == Outcome::Success));
}

/// A set of nobody, that tells when it is looked at, and counts how often it is said not to be probed any more.
#[derive(Default)]
struct Nobody {
    looked_at: AtomicBool,
    unprobed: AtomicUsize,
}

impl Targets for Nobody {
    type Target = Member;

    fn version(&self) -> u64 {
        self.looked_at.store(true, Ordering::SeqCst);
        // The prober is at work for a while, in another thread.
        (0..200).for_each(|_| spin_loop());
        0
    }

    fn targets(&self) -> Vec<(Endpoint, Member)> {
        Vec::new()
    }

    fn unprobed(&self, _: ProbePolicy, _: Arc<dyn crate::Probe>) {
        self.unprobed.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn whoever_is_no_longer_wanted_does_not_ask_to_be_begun_anew() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let sets: Vec<Arc<Nobody>> = (0..20_000).map(|_| Arc::default()).collect();
    {
        let _here = runtime.enter();
        for (turn, set) in sets.iter().enumerate() {
            let probing = probe(set, ProbePolicy::new(), Arc::new(well));
            while !set.looked_at.load(Ordering::SeqCst) {
                spin_loop();
            }
            (0..turn % 400).for_each(|_| spin_loop());
            drop(probing);
        }
    }
    drop(runtime);
    let again = sets
        .iter()
        .filter(|set| set.unprobed.load(Ordering::SeqCst) > 0);
    assert_eq!(again.count(), 0, "of {}", sets.len());
}
