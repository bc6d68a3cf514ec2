use proptest::prelude::*;

use super::*;
use crate::{Ratio, random::Draws};

const MILLI: u64 = 1_000_000;
/// The draw that leaves an interval as long as it is.
const MIDDLE: u64 = 1 << 63;

fn at(millis: u64) -> Nanos {
    Nanos::new(millis * MILLI)
}

fn sign(letter: char) -> Sign {
    match letter {
        'S' => Sign::Good,
        'F' => Sign::Bad,
        _ => Sign::Silent,
    }
}

fn busy(policy: ProbePolicy) -> Schedule {
    Schedule::new(policy, true, at(0), 0)
}

/// Probes whenever it is due, each answered after 1 ms; what each result changed: `u`, `d` or `.`.
fn edges(schedule: &mut Schedule, results: &str) -> String {
    let probe = |letter| {
        let now = schedule.due();
        schedule.sent(now);
        match schedule.result(Nanos::new(now.as_u64() + MILLI), sign(letter), MIDDLE) {
            Some(Edge::Up) => 'u',
            Some(Edge::Down) => 'd',
            None => '.',
        }
    };
    results.chars().map(probe).collect()
}

/// Probes as long as it takes to settle on `results`, and then tells the wait from one sending to the next.
fn wait_after(schedule: &mut Schedule, results: &str) -> u64 {
    edges(schedule, results);
    schedule.due().since(schedule.sent).as_millis() as u64
}

#[test]
fn verdicts_change_as_haproxys_do() {
    for (results, expected) in [
        ("S", "u"),
        ("SFFSFFS", "u......"),
        ("SFFF", "u..d"),
        ("SFFFSS", "u..d.u"),
        ("SFFFSFSS", "u..d...u"),
        ("SFFFSSFFF", "u..d.u..d"),
        // The first success of all needs no second one, however late; until then three failures are a verdict.
        ("FFS", "..u"),
        ("FFFS", "..d."),
        ("FFFSS", "..d.u"),
        // Silence neither counts nor clears.
        ("S.F.F.F", "u.....d"),
        ("..S", "..u"),
    ] {
        assert_eq!(
            edges(&mut busy(ProbePolicy::new()), results),
            expected,
            "{results}"
        );
    }
}

#[test]
fn thresholds_of_one_change_at_once() {
    let policy = ProbePolicy::new().rise(1).fall(1);
    assert_eq!(edges(&mut busy(policy), "FSFFS"), "dud.u");
}

#[test]
fn the_pace_follows_the_doubt_and_the_traffic() {
    for (results, called, wait) in [
        ("SS", true, 2_000),
        ("SSF", true, 500),
        ("SSFF", true, 500),
        ("SSFFF", true, 2_000),
        ("SSFFFS", true, 500),
        ("SSFFFSS", true, 2_000),
        ("SS.", true, 2_000),
        ("SS", false, 60_000),
        ("SSF", false, 500),
        ("SSFFF", false, 60_000),
    ] {
        let mut schedule = Schedule::new(ProbePolicy::new(), called, at(0), 0);
        assert_eq!(
            wait_after(&mut schedule, results),
            wait,
            "{results}, called: {called}"
        );
    }
}

#[test]
fn failing_calls_bring_one_probe_forward() {
    let mut schedule = busy(ProbePolicy::new());
    edges(&mut schedule, "SS");
    let sent = schedule.sent;
    let next = schedule.due();
    // Soon after the last probe: within the fast interval. Later: at once.
    schedule.hint(sent.after(Duration::from_millis(100)));
    assert_eq!(schedule.due(), sent.after(Duration::from_millis(500)));
    schedule.hint(sent.after(Duration::from_millis(1_500)));
    assert_eq!(
        schedule.due(),
        sent.after(Duration::from_millis(500)),
        "earlier stays"
    );
    assert!(schedule.due() < next);
    assert_eq!(wait_after(&mut schedule, "S"), 2_000, "one, and no more");
}

#[test]
fn a_hint_never_puts_a_probe_off_nor_sends_a_second_one() {
    let mut schedule = busy(ProbePolicy::new());
    let first = schedule.due();
    schedule.hint(at(0));
    assert_eq!(schedule.due(), first);
    schedule.sent(first);
    schedule.hint(first);
    assert_eq!(schedule.due(), Nanos::MAX);
}

#[test]
fn the_first_call_after_silence_shortens_the_wait_in_proportion() {
    let mut schedule = Schedule::new(ProbePolicy::new(), false, at(0), 0);
    assert_eq!(wait_after(&mut schedule, "SS"), 60_000);
    let halfway = schedule.sent.after(Duration::from_secs(30));
    schedule.traffic(halfway, true);
    let left = schedule.due().since(halfway);
    assert!((left.as_secs_f64() - 1.0).abs() < 1e-6, "{left:?}");
    let due = schedule.due();
    schedule.traffic(halfway, false);
    schedule.traffic(halfway, true);
    assert_eq!(schedule.due(), due, "once");
}

#[test]
fn a_timeout_noticed_far_too_late_is_our_own_pause() {
    let mut schedule = busy(ProbePolicy::new().fall(1));
    assert_eq!(edges(&mut schedule, "S"), "u");
    let sent = schedule.due();
    schedule.sent(sent);
    let noticed = sent.after(Duration::from_millis(2_001));
    assert_eq!(schedule.result(noticed, Sign::Bad, MIDDLE), None);
    assert_eq!(schedule.due(), noticed, "and the probe is made up for");
    schedule.sent(noticed);
    let noticed = noticed.after(Duration::from_millis(1_999));
    assert_eq!(
        schedule.result(noticed, Sign::Bad, MIDDLE),
        Some(Edge::Down)
    );
}

#[test]
fn a_result_that_nobody_asked_for_changes_nothing() {
    let mut schedule = busy(ProbePolicy::new());
    let due = schedule.due();
    assert_eq!(schedule.result(at(5), Sign::Good, MIDDLE), None);
    assert_eq!(schedule.due(), due);
}

/// The fullest of the 10 ms buckets of some `seconds`, over their mean, when 100 stacks that start at the same instant
/// probe 100 endpoints each.
fn crowding(seconds: std::ops::Range<u64>, mut draw: impl FnMut() -> u64) -> f64 {
    const BUCKET: u64 = 10 * MILLI;
    let policy = ProbePolicy::new();
    let (from, to) = (at(seconds.start * 1_000), at(seconds.end * 1_000));
    let mut buckets = vec![0_u32; (to.since(from).as_nanos() / u128::from(BUCKET)) as usize];
    for _ in 0..100 * 100 {
        let mut schedule = Schedule::new(policy, true, at(0), draw());
        while schedule.due() < to {
            let now = schedule.due();
            if now >= from {
                buckets[((now.as_u64() - from.as_u64()) / BUCKET) as usize] += 1;
            }
            schedule.sent(now);
            schedule.result(Nanos::new(now.as_u64() + MILLI), Sign::Good, draw());
        }
    }
    let mean = f64::from(buckets.iter().sum::<u32>()) / buckets.len() as f64;
    f64::from(buckets.into_iter().max().unwrap_or(0)) / mean
}

#[test]
fn ten_thousand_probes_never_crowd() {
    for (seed, seconds) in [(1, 60..120), (2, 60..120), (3, 3..10)] {
        let mut draws = Draws::seeded(seed);
        let crowd = crowding(seconds, || draws.next());
        assert!(crowd < 3.0, "seed {seed}: {crowd}");
    }
    // The control: without chance they all come at once.
    assert!(crowding(60..120, || MIDDLE) > 100.0);
}

/// What a reader of the definition would write: all results so far, looked at afresh each time.
#[derive(Default)]
struct Twin {
    found: Option<Edge>,
    /// Since `found` last changed.
    results: Vec<bool>,
}

impl Twin {
    fn result(&mut self, policy: &ProbePolicy, good: bool) -> Option<Edge> {
        self.results.push(good);
        let in_a_row = |wanted: bool| {
            self.results
                .iter()
                .rev()
                .take_while(|good| **good == wanted)
                .count() as u32
        };
        let edge = match self.found {
            None if good => Edge::Up,
            None | Some(Edge::Up) if in_a_row(false) >= policy.fall => Edge::Down,
            Some(Edge::Down) if in_a_row(true) >= policy.rise => Edge::Up,
            _ => return None,
        };
        self.found = Some(edge);
        self.results.clear();
        Some(edge)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Probe(bool),
    Hint,
    Traffic(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3_000_u64).prop_map(Step::Wait),
        any::<bool>().prop_map(Step::Probe),
        any::<bool>().prop_map(Step::Probe),
        Just(Step::Hint),
        any::<bool>().prop_map(Step::Traffic),
    ]
}

proptest! {
    #[test]
    fn finds_what_its_naive_twin_finds_and_keeps_its_distance(
        steps in prop::collection::vec(step(), 0..60),
        rise in 1..5_u32, fall in 1..5_u32, seed: u64,
    ) {
        let policy = ProbePolicy::new().rise(rise).fall(fall);
        let mut draws = Draws::seeded(seed);
        let mut schedule = Schedule::new(policy, false, at(0), draws.next());
        let (mut twin, mut now, mut last) = (Twin::default(), at(0), None);
        for step in steps {
            match step {
                Step::Wait(millis) => now = now.after(Duration::from_millis(millis)),
                Step::Hint => schedule.hint(now),
                Step::Traffic(busy) => schedule.traffic(now, busy),
                Step::Probe(good) => {
                    now = now.max(schedule.due());
                    // The first plain interval alone may be shorter: it spreads clients that start together.
                    if let Some((last, spread)) = last {
                        let least = policy.fast_interval.mul_f64(0.9);
                        prop_assert!(spread || now.since(last) >= least, "{:?}", now.since(last));
                    }
                    let settled = schedule.settled;
                    schedule.sent(now);
                    prop_assert_eq!(schedule.due(), Nanos::MAX);
                    now = now.after(Duration::from_millis(1));
                    let sign = if good { Sign::Good } else { Sign::Bad };
                    prop_assert_eq!(schedule.result(now, sign, draws.next()), twin.result(&policy, good));
                    last = Some((schedule.sent, schedule.settled && !settled));
                    let wait = schedule.due().since(schedule.sent);
                    prop_assert!(wait <= policy.idle_interval.mul_f64(1.1));
                }
            }
        }
    }

    #[test]
    fn no_policy_makes_it_panic(
        spans in prop::array::uniform4(any::<Duration>()), jitter in any::<f64>(), now: u64, draws: [u64; 3],
    ) {
        let [interval, timeout, fast_interval, idle_interval] = spans;
        let policy = ProbePolicy {
            interval, timeout, fast_interval, idle_interval, jitter: Ratio::new(jitter), rise: 0, fall: 0, at_once: 0,
        };
        let now = Nanos::new(now);
        let mut schedule = Schedule::new(policy, false, now, draws[0]);
        for draw in draws {
            schedule.sent(now);
            schedule.result(now, Sign::Bad, draw);
            schedule.hint(now);
            schedule.traffic(now, draw & 1 == 0);
            prop_assert!(schedule.due() >= now);
        }
    }
}
