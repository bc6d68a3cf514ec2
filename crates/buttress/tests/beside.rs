//! Attempts beside each other, by scripted services and paused time.
#![expect(clippy::unwrap_used, reason = "what a test takes for granted")]

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use buttress::{
    BreakerState, Buttress, CLOCK, Call, Cause, Describe, Dispatch, Endpoint, Fault, Foreign,
    Idempotent, Labels, Outcome, Plain, Policy, Protocol, Ratio, Receipt, Redundancy, Refusal,
    Resend, fixed,
};
use buttress_test::{Answer, Script, Scripted};
use tokio::{sync::Mutex, task::JoinSet, time::advance};
use tower::{BoxError, Service, ServiceExt as _, service_fn};

const MS: Duration = Duration::from_millis(1);

/// An endpoint that answers as its name says: good at once, bad at once, hung, or slow in 30 ms.
fn replica(name: &str) -> Scripted {
    let service = Scripted::new();
    service.script().answer_always(match name.as_bytes()[0] {
        b'b' => Answer::Err(name.into()),
        b'h' => Answer::Hang,
        b's' => Answer::After(30 * MS),
        _ => Answer::Ok { pending: 0 },
    });
    service
}

struct Set<P = Idempotent<Plain>> {
    root: Buttress,
    service: Dispatch<Scripted, P>,
    scripts: HashMap<String, Script>,
}

impl Set {
    fn of(policy: Policy, names: &[&str]) -> Self {
        Self::with(policy, Idempotent(Plain), names)
    }
}

impl<P: Clone> Set<P> {
    fn with(policy: Policy, protocol: P, names: &[&str]) -> Self {
        let root = Buttress::new().policy("set", policy);
        let all: HashMap<String, Scripted> = names
            .iter()
            .map(|name| (name.to_string(), replica(name)))
            .collect();
        let scripts = all
            .iter()
            .map(|(name, one)| (name.clone(), one.script()))
            .collect();
        let connect = move |endpoint: &Endpoint| all[endpoint.address()].clone();
        let sets = fixed(names.iter().copied()).unwrap();
        let service = root.dispatch("set", protocol, sets, connect).unwrap();
        Self {
            root,
            service,
            scripts,
        }
    }

    fn calls(&self) -> usize {
        self.scripts
            .values()
            .map(|script| script.counts().calls)
            .sum()
    }

    fn live(&self) -> usize {
        self.scripts
            .values()
            .map(|script| script.counts().live)
            .sum()
    }
}

fn hedged() -> Policy {
    Policy::new()
        .deadline(Duration::from_secs(1))
        .redundancy(Redundancy::hedge_after(2, 10 * MS))
        .extra_load(Ratio::percent(100))
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_is_answered_by_another_after_the_delay() {
    let set = Set::of(hedged(), &["hung", "good"]);
    for n in 0..20 {
        let began = CLOCK.now();
        assert_eq!(set.service.clone().oneshot(n).await.unwrap(), n);
        assert!(
            CLOCK.now().since(began) <= 11 * MS,
            "{:?}",
            CLOCK.now().since(began)
        );
        assert_eq!(
            set.live(),
            0,
            "the loser was dropped before the winner was heard of"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_never_goes_where_the_call_has_been() {
    let set = Set::of(hedged(), &["slow1", "slow2"]);
    for n in 0..20 {
        set.service.clone().oneshot(n).await.unwrap();
        let calls: Vec<usize> = set.scripts.values().map(|one| one.counts().calls).collect();
        assert_eq!(calls, [n as usize + 1; 2]);
    }
    let alone = Set::of(hedged(), &["slow"]);
    alone.service.clone().oneshot(1).await.unwrap();
    assert_eq!(alone.calls(), 1, "there is no other");
}

#[tokio::test(start_paused = true)]
async fn a_failure_before_the_delay_goes_on_at_once() {
    let set = Set::of(hedged(), &["bad", "good"]);
    for n in 0..10 {
        let began = CLOCK.now();
        assert_eq!(set.service.clone().oneshot(n).await.unwrap(), n);
        assert_eq!(CLOCK.now().since(began), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_one_is_no_end_while_another_is_under_way() {
    // The slow one is overtaken by the bad one, whose failure ends nothing.
    let set = Set::of(hedged(), &["slow", "bad"]);
    for n in 0..10 {
        assert_eq!(set.service.clone().oneshot(n).await.unwrap(), n);
    }
}

#[tokio::test(start_paused = true)]
async fn copies_stop_when_the_budget_is_spent() {
    let policy = hedged().extra_load(Ratio::percent(0));
    let set = Set::of(policy, &["slow1", "slow2"]);
    for n in 0..30 {
        set.service.clone().oneshot(n).await.unwrap();
    }
    assert_eq!(set.calls(), 30 + 10, "the reserve, and no more");
    assert_eq!(set.service.destination().calls().counts().extra, 10);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nobody_vouches_for_is_sent_once() {
    for redundancy in [
        Redundancy::hedge_after(3, MS),
        Redundancy::race(3),
        Redundancy::quorum(2, 3),
    ] {
        let policy = hedged()
            .redundancy(redundancy)
            .extra_load(Ratio::new(2.0_f64.min(if redundancy.always_extra() > 0 {
                2.0
            } else {
                1.0
            })));
        let set = Set::with(policy, Plain, &["slow1", "slow2", "bad"]);
        for n in 0..40 {
            let before = set.calls();
            let _ = set.service.clone().oneshot(n).await;
            assert!(set.calls() <= before + 1, "{redundancy}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_delay_is_learned_and_costs_what_is_allowed() {
    let policy = Policy::new()
        .deadline(Duration::from_secs(1))
        .redundancy(Redundancy::hedge(2))
        .extra_load(Ratio::percent(6));
    let root = Buttress::new().policy("set", policy);
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    // One call in fifty takes 200 ms, the others 5 to 9 ms.
    let connect = move |_: &Endpoint| {
        let sent = Arc::clone(&counted);
        service_fn(move |n: u64| {
            let nth = sent.fetch_add(1, Ordering::Relaxed) as u64;
            async move {
                let span = if nth % 50 == 49 {
                    200 * MS
                } else {
                    MS * (5 + (nth % 5) as u32)
                };
                tokio::time::sleep(span).await;
                Ok::<_, BoxError>(n)
            }
        })
    };
    let sets = fixed(["a", "b", "c"]).unwrap();
    let service = root
        .dispatch("set", Idempotent(Plain), sets, connect)
        .unwrap();
    let mut slowest = Duration::ZERO;
    let mut before = 0;
    for n in 0..6_000_u64 {
        if n == 4_000 {
            before = sent.load(Ordering::Relaxed);
        }
        let began = CLOCK.now();
        assert_eq!(service.clone().oneshot(n).await.unwrap(), n);
        if n >= 4_000 {
            slowest = slowest.max(CLOCK.now().since(began));
        }
    }
    let after = service.destination().hedge_after().unwrap();
    assert!((9 * MS..=12 * MS).contains(&after.delay), "{after:?}");
    assert!(slowest <= 30 * MS, "{slowest:?}");
    let extra = sent.load(Ordering::Relaxed) - before - 2_000;
    assert!((30..=120).contains(&extra), "{extra}");
}

#[tokio::test(start_paused = true)]
async fn a_set_whose_calls_no_copy_would_shorten_is_prepared_for_stalls_all_the_same() {
    let policy = Policy::new()
        .deadline(Duration::from_secs(1))
        .redundancy(Redundancy::hedge(2))
        .extra_load(Ratio::percent(3));
    let root = Buttress::new().policy("set", policy);
    // All take 5 to 9 ms, but one; from the 4000th on one in 200 stalls, and its copy does not.
    let last = Arc::new(AtomicU64::new(u64::MAX));
    let connect = move |_: &Endpoint| {
        let last = Arc::clone(&last);
        service_fn(move |n: u64| {
            let copy = last.swap(n, Ordering::Relaxed) == n;
            let span = match n {
                100 => 60 * MS,
                4_000.. if n.is_multiple_of(200) && !copy => 500 * MS,
                _ => MS * (5 + (n % 5) as u32),
            };
            async move {
                tokio::time::sleep(span).await;
                Ok::<_, BoxError>(n)
            }
        })
    };
    let sets = fixed(["a", "b", "c"]).unwrap();
    let service = root
        .dispatch("set", Idempotent(Plain), sets, connect)
        .unwrap();
    let mut slowest = Duration::ZERO;
    for n in 0..8_000_u64 {
        let began = CLOCK.now();
        assert_eq!(service.clone().oneshot(n).await.unwrap(), n);
        if n >= 4_000 {
            slowest = slowest.max(CLOCK.now().since(began));
        }
    }
    assert!(slowest <= 25 * MS, "{slowest:?}");
}

/// Two endpoints that each serve one call after another in 10 ms, and stall now and then until the delay of hedges is learned. Then twelve
/// calls come at once; `stuck`, the first of the two serves nobody any more. How many copies are sent?
async fn copies_beside_a_queue(stuck: bool) -> usize {
    let policy = Policy::new()
        .deadline(Duration::from_secs(1))
        .redundancy(Redundancy::hedge(2))
        .extra_load(Ratio::percent(20));
    let root = Buttress::new().policy("set", policy);
    let sends = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sends);
    let connect = move |endpoint: &Endpoint| {
        let (one, sends) = (Arc::new(Mutex::new(())), Arc::clone(&counted));
        let stuck = stuck && endpoint.address() == "a";
        service_fn(move |n: u64| {
            let (one, sends) = (Arc::clone(&one), Arc::clone(&sends));
            async move {
                sends.fetch_add(1, Ordering::Relaxed);
                let _first = one.lock().await;
                let span = match n {
                    0..3_000 if n % 50 == 49 => 200 * MS,
                    4_000.. if stuck => 900 * MS,
                    _ => 10 * MS,
                };
                tokio::time::sleep(span).await;
                Ok::<_, BoxError>(n)
            }
        })
    };
    let sets = fixed(["a", "b"]).unwrap();
    let service = (root.dispatch("set", Idempotent(Plain), sets, connect)).unwrap();
    // Two at a time, one for each.
    for n in (0..4_000).step_by(2) {
        let (one, other) = (service.clone(), service.clone());
        let (one, other) = tokio::join!(one.oneshot(n), other.oneshot(n + 1));
        assert!(one.is_ok() && other.is_ok());
    }
    let after = service.destination().hedge_after().unwrap();
    assert!((10 * MS..15 * MS).contains(&after.delay), "{after:?}");
    let before = sends.load(Ordering::Relaxed);
    let mut calls = JoinSet::new();
    (4_000..4_012).for_each(|n| {
        calls.spawn(service.clone().oneshot(n));
    });
    assert!(calls.join_all().await.iter().all(Result::is_ok));
    sends.load(Ordering::Relaxed) - before - 12
}

#[tokio::test(start_paused = true)]
async fn no_copy_is_sent_beside_a_call_that_waits_for_its_turn() {
    assert_eq!(copies_beside_a_queue(false).await, 0);
}

#[tokio::test(start_paused = true)]
async fn copies_are_sent_beside_calls_that_wait_for_one_who_is_stuck() {
    assert_eq!(copies_beside_a_queue(true).await, 6);
}

#[tokio::test(start_paused = true)]
async fn where_no_call_may_be_dropped_no_two_are_raced_and_a_quorum_is_all_the_same() {
    for (redundancy, sends) in [(Redundancy::race(2), 1), (Redundancy::quorum(2, 3), 3)] {
        let policy = Policy::new()
            .redundancy(redundancy)
            .extra_load(Ratio::percent(200))
            .resets(0);
        let set = Set::of(policy, &["slow1", "slow2", "slow3"]);
        set.service.clone().oneshot(1).await.unwrap();
        assert_eq!(set.calls(), sends, "{redundancy}");
        let withheld = set.service.destination().calls().counts().withheld;
        assert_eq!(withheld > 0, sends == 1, "{redundancy}");
    }
}

#[tokio::test(start_paused = true)]
async fn hedging_does_not_hide_an_endpoint_that_hangs() {
    let policy = Policy::new()
        .deadline(40 * MS)
        .redundancy(Redundancy::hedge_after(2, 15 * MS))
        .extra_load(Ratio::percent(100));
    // Half the timeout is late: each of its calls is overtaken after 15 ms and given up at 21.
    let root = Buttress::new().policy("set", policy);
    let connect = move |endpoint: &Endpoint| {
        let hangs = endpoint.address() == "hung";
        service_fn(move |n: u64| async move {
            tokio::time::sleep(if hangs { 3_600_000 * MS } else { 6 * MS }).await;
            Ok::<_, BoxError>(n)
        })
    };
    let sets = fixed(["hung", "a", "b"]).unwrap();
    let service = root
        .dispatch("set", Idempotent(Plain), sets, connect)
        .unwrap();
    for n in 0..60 {
        assert_eq!(service.clone().oneshot(n).await.unwrap(), n);
        advance(MS).await;
    }
    let hung = service.handles().find("hung").unwrap();
    assert_ne!(hung.state(), BreakerState::Closed);
    let counts = hung.snapshot().counts;
    assert!(counts.late >= 5, "{counts:?}");
    for well in ["a", "b"] {
        assert_eq!(
            service.handles().find(well).unwrap().state(),
            BreakerState::Closed
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_younger_loser_says_nothing() {
    let set = Set::of(hedged(), &["slow1", "slow2", "slow3"]);
    for n in 0..50 {
        set.service.clone().oneshot(n).await.unwrap();
    }
    for shot in set.root.registry().snapshot(CLOCK.now()) {
        assert_eq!(
            (shot.counts.late, shot.counts.failures.total()),
            (0, 0),
            "{shot:?}"
        );
        assert!(shot.counts.cancelled > 0, "{:?}", shot.counts);
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_race_the_first_good_answer_stands() {
    let policy = Policy::new()
        .redundancy(Redundancy::race(3))
        .extra_load(Ratio::new(2.0));
    for names in [["hung", "slow", "good"], ["bad", "slow", "hung"]] {
        let set = Set::of(policy, &names);
        for n in 0..10 {
            let before = set.calls();
            assert_eq!(set.service.clone().oneshot(n).await.unwrap(), n);
            assert!(set.calls() <= before + 3);
            assert_eq!(set.live(), 0);
        }
    }
    let set = Set::of(policy, &["bad1", "bad2", "bad3"]);
    let error = set.service.clone().oneshot(1).await.unwrap_err();
    assert!(error.to_string().starts_with("bad"), "{error}");
    assert_eq!(set.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_race_that_nobody_pays_for_is_refused_by_name() {
    let error = Policy::new()
        .redundancy(Redundancy::race(3))
        .check()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "extra_load = 0.1: needs 2 to 9: redundancy = { race = 3 } sends each call 3 times"
    );
}

/// Answers with what its endpoint thinks: the last letter of its address.
#[derive(Clone)]
struct Votes;

impl Protocol<char, &'static str> for Votes {
    type Response = char;
    type Error = Fault<&'static str>;

    fn classify(&self, result: Result<&char, &&'static str>) -> Outcome {
        match result {
            Ok(_) => Outcome::Success,
            Err(_) => Outcome::Failure(Cause::Error),
        }
    }

    fn agree(&self, one: &char, other: &char) -> bool {
        one == other
    }

    fn respond(&self, vote: char, receipt: Receipt) -> char {
        Protocol::<char, &'static str>::respond(&Foreign, vote, receipt)
    }

    fn fail(&self, error: &'static str) -> Self::Error {
        Fault::Inner(error)
    }

    fn refuse(&self, refusal: Refusal) -> Result<char, Self::Error> {
        Err(Fault::Refused(refusal))
    }
}

impl Describe<u64> for Votes {
    fn labels<'a>(&self, _: &'a u64) -> Labels<'a> {
        Labels::none()
    }

    fn call(&self, _: &u64) -> Call {
        Call::new()
    }
}

impl Resend<u64> for Votes {
    fn idempotent(&self, _: &u64) -> bool {
        true
    }

    fn copy(&self, request: &mut u64) -> Option<u64> {
        Some(*request)
    }
}

/// What endpoints with these names decide: they fail, hang, or answer after as many milliseconds as their first letters say.
async fn vote(
    agree: u32,
    names: &[&str],
) -> (Result<char, Fault<&'static str>>, Buttress, Duration) {
    let of = names.len() as u32;
    let policy = Policy::new()
        .deadline(Duration::from_secs(1))
        .redundancy(Redundancy::quorum(agree, of))
        .extra_load(Ratio::new(f64::from(of - 1)));
    let root = Buttress::new().policy("votes", policy);
    let connect = |endpoint: &Endpoint| {
        let name = endpoint.address().to_owned();
        service_fn(move |_: u64| {
            let (delay, vote) = name
                .split_once('-')
                .map(|(a, b)| (a.to_owned(), b.chars().next()))
                .unwrap();
            async move {
                match delay.parse() {
                    Ok(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
                    Err(_) if delay == "fails" => return Err("broken"),
                    Err(_) => std::future::pending().await,
                }
                Ok(vote.unwrap())
            }
        })
    };
    let sets = fixed(names.iter().copied()).unwrap();
    let mut service = root.dispatch("votes", Votes, sets, connect).unwrap();
    let began = CLOCK.now();
    let answer = service.ready().await.unwrap().call(7).await;
    (answer, root, CLOCK.now().since(began))
}

#[tokio::test(start_paused = true)]
async fn a_quorum_answers_as_soon_as_enough_agree() {
    let (answer, root, took) = vote(2, &["10-x", "20-y", "30-x", "hangs-x"]).await;
    assert_eq!((answer.unwrap(), took), ('x', 30 * MS));
    let shots = root.registry().snapshot(CLOCK.now());
    for shot in shots {
        let dissent = u64::from(shot.endpoint.as_deref() == Some("20-y"));
        assert_eq!(shot.counts.failures.of(Cause::Dissent), dissent, "{shot:?}");
        assert_eq!(shot.counts.in_flight(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_failure_that_makes_a_quorum_impossible_ends_it() {
    let (answer, root, took) = vote(3, &["10-x", "fails-x", "fails-y"]).await;
    assert_eq!(took, Duration::ZERO);
    assert_eq!(
        answer.unwrap_err(),
        Fault::Inner("broken"),
        "nobody has answered"
    );
    let (answer, _, took) = vote(2, &["5-x", "10-y", "fails-x"]).await;
    let refusal = Refusal::Quorum {
        agreed: 1,
        needed: 2,
    };
    assert_eq!(
        (answer.unwrap_err(), took),
        (Fault::Refused(refusal), 10 * MS)
    );
    drop(root);
}

#[tokio::test(start_paused = true)]
async fn a_quorum_that_is_not_reached_blames_nobody_for_its_vote() {
    let (answer, root, _) = vote(2, &["5-x", "10-y", "15-z"]).await;
    assert!(answer.is_err());
    for shot in root.registry().snapshot(CLOCK.now()) {
        assert_eq!(
            (shot.counts.successes, shot.counts.failures.total()),
            (1, 0),
            "{shot:?}"
        );
    }
}
