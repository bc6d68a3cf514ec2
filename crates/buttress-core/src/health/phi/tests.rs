use proptest::prelude::*;

use super::*;
use crate::Cause;

fn at(millis: u64) -> Nanos {
    Nanos::ZERO.after(Duration::from_millis(millis))
}

fn fact(millis: u64, outcome: Outcome) -> Fact {
    Fact {
        started: at(millis),
        now: at(millis),
        outcome,
    }
}

/// The policy of Pekko's tests: no pause unless they say so.
fn pekko() -> PhiPolicy {
    PhiPolicy::new()
        .rhythm(Rhythm::Periodic)
        .pause(Duration::ZERO)
}

fn beat(rule: &mut Phi, millis: u64) {
    assert_eq!(rule.record(&fact(millis, Outcome::Success)), None);
}

fn down(rule: &mut Phi, millis: u64) -> bool {
    rule.look(at(millis)).is_some()
}

#[test]
fn phi_is_what_pekko_tabulates() {
    for (silence, phi) in [
        (0.0, 0.0),
        (500.0, 0.1),
        (1_000.0, 0.3),
        (1_200.0, 1.6),
        (1_400.0, 4.7),
        (1_600.0, 10.8),
        (1_700.0, 15.3),
    ] {
        let found = normal(silence, 1_000.0, 100.0);
        assert!((found - phi).abs() <= 0.1, "{silence}: {found}");
    }
    assert!((normal(10.0, 0.0, 1.0) - 38.0).abs() <= 1.0);
    assert!(normal(-25.0, 0.0, 1.0).abs() < 1e-12);
    for (silence, below) in [(0.0, 0.5), (6.0, 0.7257), (15.0, 0.9332), (20.0, 0.97725)] {
        let found = 1.0 - 10_f64.powf(-normal(silence, 0.0, 10.0));
        assert!((found - below).abs() < 0.001, "{silence}: {found}");
    }
}

#[test]
fn phi_stays_finite_and_never_falls_as_silence_grows() {
    for phi in [normal, exponential] {
        let mut last = 0.0;
        for exponent in 0..=300 {
            let silence = 1.1_f64.powi(exponent);
            let found = phi(silence, 1_000.0, 100.0);
            assert!(found.is_finite() && found >= last, "{silence}: {found}");
            last = found;
        }
        assert!((last - MOST).abs() < 1e-9);
        assert!((phi(1e9, 1_000.0, 100.0) - MOST).abs() < 1e-9);
    }

    fn exponential(silence: f64, mean: f64, _: f64) -> f64 {
        super::exponential(silence, mean)
    }
}

#[test]
fn missed_beats_are_noticed_as_in_pekko() {
    let mut rule = Phi::new(pekko().threshold(3.0));
    assert!(!down(&mut rule, 5_000), "nothing was heard yet");
    for millis in [0, 1_000, 1_100] {
        beat(&mut rule, millis);
    }
    assert!(!down(&mut rule, 1_200));
    assert_eq!(rule.look(at(8_200)), Some(Alarm { since: at(1_100) }));
    assert!(!rule.calm());
}

#[test]
fn the_first_beat_is_judged_by_a_guess() {
    let mut rule = Phi::new(pekko());
    beat(&mut rule, 0);
    assert!((rule.phi(at(1_000)) - 0.3).abs() <= 0.2);
    assert!((rule.phi(at(2_000)) - 4.5).abs() <= 0.3);
    assert!(rule.phi(at(3_000)) > 15.0);
}

#[test]
fn the_gap_that_ended_a_suspicion_is_not_learnt() {
    for forgets in [false, true] {
        let mut rule = Phi::new(pekko().pause(Duration::from_secs(3)));
        let beats = 999_000;
        (0..=beats)
            .step_by(1_000)
            .for_each(|millis| beat(&mut rule, millis));
        let back = beats + 300_000;
        assert!(down(&mut rule, back));
        if forgets {
            // As the breaker does when it opens.
            rule.reset();
        }
        beat(&mut rule, back + 100);
        assert!(!down(&mut rule, back + 1_000));
        beat(&mut rule, back + 1_100);
        assert!(
            down(&mut rule, back + 1_100 + 7_000),
            "7 s are too long again"
        );
        beat(&mut rule, back + 1_100 + 7_100);
        assert!(!down(&mut rule, back + 1_100 + 8_000) && rule.calm());
    }
}

#[test]
fn a_dead_peer_that_beat_every_second_is_noticed_after_4523_ms() {
    let mut rule = Phi::new(pekko().pause(Duration::from_secs(3)));
    (0..2_000).for_each(|beats| beat(&mut rule, beats * 1_000));
    let dead = 1_999_000;
    // The guess has left the 1 000 samples: σ is the floor, 100 ms.
    assert!(!down(&mut rule, dead + 4_522));
    assert!(down(&mut rule, dead + 4_523));
}

#[test]
fn only_the_last_gaps_leave_a_trace() {
    let mut rule = Phi::new(pekko().samples(3));
    for millis in [0, 100, 200, 300] {
        beat(&mut rule, millis);
    }
    let short = rule.phi(at(400));
    for millis in [1_000, 1_500, 2_000, 2_500] {
        beat(&mut rule, millis);
    }
    assert!((rule.phi(at(3_000)) - short).abs() < 0.001);
}

#[test]
fn traffic_at_a_hundred_a_second_may_be_silent_for_184_ms() {
    let policy = PhiPolicy::new()
        .pause(Duration::ZERO)
        .min_sigma(Duration::from_millis(1));
    let mut rule = Phi::new(policy);
    (0..2_000).for_each(|beats| beat(&mut rule, beats * 10));
    // 8 · ln 10 · 10 ms
    assert!(!down(&mut rule, 19_990 + 184));
    assert!(down(&mut rule, 19_990 + 185));
}

#[test]
fn a_pause_is_let_pass_beside_the_rhythm_of_traffic() {
    let policy = PhiPolicy::new().pause(Duration::from_secs(3));
    let mut rule = Phi::new(policy);
    (0..2_000).for_each(|beats| beat(&mut rule, beats * 1_000));
    // 3 s + 8 · ln 10 · 1 s
    assert!(!down(&mut rule, 1_999_000 + 21_420));
    assert!(down(&mut rule, 1_999_000 + 21_421));
}

#[test]
fn an_answer_told_late_changes_nothing() {
    let mut rules = [Phi::new(pekko()), Phi::new(pekko())];
    for rule in &mut rules {
        beat(rule, 0);
        beat(rule, 1_000);
    }
    let [told, untold] = &mut rules;
    beat(told, 400);
    for millis in [1_100, 2_000, 2_500] {
        let (told, untold) = (told.phi(at(millis)), untold.phi(at(millis)));
        assert!((told - untold).abs() < 1e-12, "{told} {untold}");
    }
}

#[test]
fn failures_are_silence_and_overload_is_a_sign_of_life() {
    let mut rule = Phi::new(pekko());
    beat(&mut rule, 0);
    let failed = Outcome::Failure(Cause::Error);
    assert_eq!(rule.record(&fact(1_000, failed)), None);
    assert_eq!(rule.record(&fact(60_000, Outcome::Cancelled)), None);
    let alarm = Some(Alarm { since: at(0) });
    assert_eq!(rule.record(&fact(60_000, failed)), alarm);
    assert_eq!(rule.record(&fact(60_000, Outcome::Overload(None))), None);
    assert_eq!(rule.record(&fact(61_000, failed)), None);
}

proptest! {
    #[test]
    fn it_never_panics_and_phi_is_a_number_that_does_not_fall(
        beats: Vec<u64>, threshold: f64, samples: u32, spans: [u64; 3], look: [u64; 2], periodic: bool,
    ) {
        let [min_sigma, pause, first_gap] = spans.map(Duration::from_nanos);
        let rhythm = if periodic { Rhythm::Periodic } else { Rhythm::Traffic };
        let mut rule = Phi::new(PhiPolicy { rhythm, threshold, samples, min_sigma, pause, first_gap });
        for now in beats {
            rule.record(&Fact { now: Nanos::new(now), ..fact(0, Outcome::Success) });
        }
        let [early, late] = [look[0].min(look[1]), look[0].max(look[1])].map(|now| rule.phi(Nanos::new(now)));
        prop_assert!(early >= 0.0 && early <= late && late <= MOST);
    }
}

/// A probe sent at `sent` that took so many milliseconds.
fn probe(rule: &mut Phi, sent: u64, took: u64, outcome: Outcome) -> bool {
    let fact = Fact {
        started: at(sent),
        now: at(sent + took),
        outcome,
    };
    rule.probed(&fact).is_some()
}

#[test]
fn by_probes_silence_is_measured_from_when_they_were_sent_however_they_are_spaced() {
    const LOST: Outcome = Outcome::Failure(Cause::Timeout);
    let mut rule = Phi::new(pekko());
    let mut sent = 0;
    // Every two seconds, then once a minute while nobody calls, then every half second.
    for interval in [[2_000; 20], [60_000; 20], [500; 20]].concat() {
        assert!(!probe(&mut rule, sent, 40 + sent % 7, Outcome::Success));
        sent += interval;
    }
    // Calls are no part of its rhythm.
    assert!(
        rule.record(&fact(sent, Outcome::Failure(Cause::Error)))
            .is_none()
    );
    // Half a second is five deviations of 100 ms beyond the mean: φ of 6.9; the next one is beyond doubt.
    assert!(!probe(&mut rule, sent, 500, LOST));
    assert!(probe(&mut rule, sent + 500, 500, LOST));
    assert!(!probe(&mut rule, sent + 1_000, 40, Outcome::Success));
    assert!(rule.calm());
}

#[test]
fn the_rhythm_of_traffic_is_none_of_probes() {
    let mut rule = Phi::new(PhiPolicy::new());
    beat(&mut rule, 0);
    assert!(!probe(
        &mut rule,
        0,
        3_600_000,
        Outcome::Failure(Cause::Timeout)
    ));
    assert!(rule.phi(at(0)) < 1.0 && rule.calm());
}
