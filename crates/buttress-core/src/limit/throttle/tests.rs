use proptest::prelude::*;

use super::*;

fn at(seconds: f64) -> Nanos {
    Nanos::ZERO.after(Duration::from_secs_f64(seconds))
}

#[test]
fn refuses_as_the_book_says_up_to_the_cap() {
    let policy = ThrottlePolicy::new();
    for (wanted, accepted, refused) in [
        (100.0, 40.0, 0.198),
        (100.0, 50.0, 0.0),
        (100.0, 0.0, 0.9),
        (9.0, 0.0, 0.0),
    ] {
        let share = policy.refused(wanted, accepted);
        assert!(
            (share - refused).abs() < 5e-4,
            "{wanted}/{accepted}: {share}"
        );
    }
    let uncapped = policy.at_most(Ratio::percent(100)).refused(100.0, 0.0);
    assert!((uncapped - 0.990).abs() < 5e-4, "{uncapped}");
}

/// Calls to a service that accepts so many a second and turns the others down, for so many seconds. Gives the shares of
/// wanted calls that were accepted, and of sent calls that were turned down, in the last of them.
struct Played {
    throttle: Throttle,
    totals: Totals,
    now: f64,
    share: f64,
}

impl Played {
    fn new() -> Self {
        Self {
            throttle: Throttle::new(ThrottlePolicy::new(), Nanos::ZERO),
            totals: Totals::default(),
            now: 0.0,
            share: 0.0,
        }
    }

    fn run(&mut self, seconds: u32, wanted: u64, bears: u64) -> (f64, f64) {
        let mut last = (0.0, 0.0);
        for _ in 0..seconds {
            self.now += 1.0;
            let throttled = (wanted as f64 * self.share) as u64;
            let sent = wanted - throttled;
            let turned_down = sent.saturating_sub(bears);
            self.totals.sent += sent;
            self.totals.throttled += throttled;
            self.totals.turned_down += turned_down;
            self.share = self.throttle.look(self.totals, at(self.now));
            let accepted = (sent - turned_down) as f64;
            last = (accepted / wanted as f64, turned_down as f64 / sent as f64);
        }
        last
    }
}

#[test]
fn a_service_that_bears_a_fifth_is_sent_about_twice_that_and_gives_all_it_can() {
    let mut played = Played::new();
    played.run(600, 100, 1_000);
    let (accepted, turned_down) = played.run(600, 100, 20);
    assert!((accepted - 0.2).abs() < 0.01, "{accepted}");
    assert!((0.4..0.6).contains(&turned_down), "{turned_down}");
}

#[test]
fn ten_bad_seconds_after_good_minutes_change_nothing() {
    let mut played = Played::new();
    played.run(600, 100, 1_000);
    played.run(10, 100, 30);
    assert_eq!(played.run(1, 100, 1_000), (1.0, 0.0));
}

#[test]
fn once_nothing_is_turned_down_calls_flow_again_within_ten_seconds() {
    let mut played = Played::new();
    played.run(600, 100, 1_000);
    let (accepted, _) = played.run(600, 100, 0);
    assert!(accepted < 0.01 && played.share > 0.85);
    let (accepted, _) = played.run(10, 100, 1_000);
    assert!(accepted > 0.99, "{accepted}");
}

#[test]
fn a_seldom_refusal_is_nothing_and_an_hour_ago_is_forgotten() {
    let mut played = Played::new();
    played.run(600, 100, 95);
    assert_eq!(played.share, 0.0);
    played.run(300, 100, 0);
    played
        .throttle
        .look(played.totals, at(played.now + 3_600.0));
    played.totals.sent += 20;
    assert_eq!(
        played
            .throttle
            .look(played.totals, at(played.now + 3_601.0)),
        0.0
    );
}

proptest! {
    #[test]
    fn it_never_refuses_more_than_it_may_nor_anything_before_one_was_turned_down(
        steps in prop::collection::vec((0_u64..1_000, 0.0..1.0_f64, 0_u64..1_000, 0.0..1e3_f64), 1..100),
        ill in any::<bool>(),
    ) {
        let mut throttle = Throttle::new(ThrottlePolicy::new(), Nanos::ZERO);
        let (mut totals, mut now) = (Totals::default(), 0.0);
        for (sent, share, throttled, pause) in steps {
            now += pause;
            totals.sent += sent;
            if ill {
                totals.turned_down += (sent as f64 * share) as u64;
                totals.throttled += throttled;
            }
            let refused = throttle.look(totals, at(now));
            prop_assert!((0.0..=0.9).contains(&refused));
            prop_assert!(ill || refused == 0.0);
        }
    }
}
