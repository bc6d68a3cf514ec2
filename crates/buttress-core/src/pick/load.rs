//! What calls to one endpoint are like now, in one word that a picker reads at a glance.

use std::time::Duration;

use crate::{
    Nanos, Outcome, Sign,
    sync::{AtomicU64, Ordering},
};

/// From low to high: calls under way, failures in a row, answers learned from, latency, when it was last heard of.
const UNDER_WAY: Field = Field { at: 0, bits: 17 };
const FAILED: Field = Field { at: 17, bits: 4 };
const LEARNED: Field = Field { at: 21, bits: 3 };
const LATENCY: Field = Field { at: 24, bits: 18 };
const HEARD: Field = Field { at: 42, bits: 22 };

/// The exponent and ten bits of the mantissa of a single-precision number: its logarithm, near enough, times 1024.
const MANTISSA: u32 = 13;

/// One doubling, as latencies are kept.
pub(super) const DOUBLING: u32 = 1 << 10;

/// Time since it was heard of is told apart by 2²⁰ ns, about a millisecond; it wraps after 73 minutes, and what is longer ago than half of that
/// looks like new.
const TICK: u32 = 20;

/// What was once slow is believed to be half as slow after 2¹³ ticks, 8.6 s, in which it was not called: near the 10 s over
/// which Finagle's and tower's peak EWMA forget. One that is ten times as slow is tried twice a minute.
const FADES: u32 = 13;

/// An answer weighs 1/32 once there were that many. With less memory chance is taken for news, and choices that heed it
/// are worse than by calls under way alone (20 servers at load 0.9: p99 +15 % at 1/8, +1 % at 1/32).
const GAIN: u32 = 5;

/// Silence says that an endpoint is up to four times as slow as it was, and no more: a stream may rightly last for hours.
const LOUDEST: u32 = 2 * DOUBLING;

/// So many failures in a row are a detector's to judge, which must not be starved of them. Where it does not act, each one
/// more counts for twice as much, twice as long.
const PATIENT: u32 = 7;

/// For so many ticks at least, then.
const SHORTEST: u64 = 8;

/// The word of one endpoint, written when a call begins and when it ends.
#[derive(Debug, Default)]
pub(crate) struct Load(AtomicU64);

impl Load {
    pub(crate) fn begin(&self, now: Nanos) {
        self.change(|glance| glance.begun(now));
    }

    pub(crate) fn end(&self, now: Nanos, took: Duration, outcome: Outcome) {
        self.change(|glance| glance.ended(now, took, outcome));
    }

    /// What was known of it is of another time.
    pub(crate) fn forget(&self) {
        self.change(|glance| glance.with(FAILED, 0).with(LEARNED, 0).with(LATENCY, 0));
    }

    pub(crate) fn glance(&self) -> Glance {
        // Relaxed, here and below: the word stands for itself.
        Glance(self.0.load(Ordering::Relaxed))
    }

    fn change(&self, change: impl Fn(Glance) -> Glance) {
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
                Some(change(Glance(word)).0)
            });
    }
}

/// What a picker knows of one endpoint's calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Glance(u64);

impl Glance {
    fn begun(self, now: Nanos) -> Self {
        let more = self.with(UNDER_WAY, self.of(UNDER_WAY).saturating_add(1));
        // It is listened for from now on; whoever has calls under way is listened for already.
        match self.of(UNDER_WAY) {
            0 => more.with(HEARD, tick(now)),
            _ => more,
        }
    }

    /// Judged by outcome: only an answer tells how fast it is, and a failure how fast it is not.
    fn ended(self, now: Nanos, took: Duration, outcome: Outcome) -> Self {
        let left = self.with(UNDER_WAY, self.of(UNDER_WAY).saturating_sub(1));
        // Given up by us, nothing was heard of it.
        let left = match outcome {
            Outcome::Late => left,
            _ => left.with(HEARD, tick(now)),
        };
        match outcome {
            Outcome::Success => left.learned(took).with(FAILED, 0),
            Outcome::Failure(_) | Outcome::Overload(_) | Outcome::Late => left
                .not_before(took)
                .with(FAILED, self.of(FAILED).saturating_add(1)),
            _ if outcome.sign() == Sign::Silent => left.not_before(took),
            _ => left,
        }
    }

    /// It was not answered within this time.
    fn not_before(self, took: Duration) -> Self {
        match self.of(LATENCY) {
            known if known > 0 && scaled(took) > known => self.learned(took),
            _ => self,
        }
    }

    fn learned(self, took: Duration) -> Self {
        let (known, answers) = (self.of(LATENCY), self.of(LEARNED));
        let took = nanos(took);
        let latency = match known {
            0 => took,
            known => {
                let known = f32::from_bits(known << MANTISSA);
                known + (took - known) / (1_u32 << answers.min(GAIN)) as f32
            }
        };
        // Never zero, which is not known.
        self.with(LATENCY, (latency.to_bits() >> MANTISSA).max(1))
            .with(LEARNED, (answers + 1).min(GAIN))
    }

    /// Are there fewer calls under way and lost in a row than a detector needs?
    pub(crate) fn tells_little(self) -> bool {
        self.of(UNDER_WAY) + self.of(FAILED) < PATIENT
    }

    /// Did the last that ended fail?
    pub(crate) const fn has_failed(self) -> bool {
        self.of(FAILED) > 0
    }

    /// Calls under way. One that failed counts for as long as an answer takes: a fast failure is not fast.
    pub(super) fn under_way(self, now: Nanos) -> u32 {
        let (under_way, failed) = (self.of(UNDER_WAY), self.of(FAILED));
        if failed == 0 {
            return under_way;
        }
        let more = failed.saturating_sub(PATIENT);
        let usual = f32::from_bits(self.of(LATENCY) << MANTISSA) as u64 >> TICK;
        let least = if more > 0 { SHORTEST } else { 0 };
        let lasts = u64::from(self.silent(now)) < usual.max(least) << more;
        under_way + (u32::from(lasts) << more)
    }

    /// The logarithm of how long it takes; zero until that is known.
    pub(super) fn latency(self, now: Nanos) -> u32 {
        let known = self.of(LATENCY);
        if known == 0 {
            return 0;
        }
        let silent = self.silent(now);
        if self.of(UNDER_WAY) == 0 {
            return known
                .saturating_sub(silent >> (FADES - DOUBLING.ilog2()))
                .max(1);
        }
        let silence = ((i64::from(silent) << TICK) as f32).to_bits() >> MANTISSA;
        silence.clamp(known, known + LOUDEST)
    }

    /// For how many ticks nothing was heard of it.
    const fn silent(self, now: Nanos) -> u32 {
        let silent = tick(now).wrapping_sub(self.of(HEARD)) & HEARD.mask();
        // Half of all time away it lies ahead: threads read the clock one after another, and it may be set back.
        if silent > HEARD.mask() / 2 { 0 } else { silent }
    }

    const fn of(self, field: Field) -> u32 {
        (self.0 >> field.at) as u32 & field.mask()
    }

    /// Too much is as much as there is room for.
    fn with(self, field: Field, value: u32) -> Self {
        let value = u64::from(value.min(field.mask()));
        Self(self.0 & !(u64::from(field.mask()) << field.at) | value << field.at)
    }
}

/// Some bits of the word.
#[derive(Clone, Copy)]
struct Field {
    at: u32,
    bits: u32,
}

impl Field {
    const fn mask(self) -> u32 {
        (1 << self.bits) - 1
    }
}

const fn tick(now: Nanos) -> u32 {
    (now.as_u64() >> TICK) as u32 & HEARD.mask()
}

fn scaled(span: Duration) -> u32 {
    nanos(span).to_bits() >> MANTISSA
}

/// Nanoseconds, to seven digits. Signed: processors convert those in one step.
fn nanos(span: Duration) -> f32 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX) as f32
}

#[cfg(all(test, not(loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Cause;

    const FAILURE: Outcome = Outcome::Failure(Cause::Error);

    fn at(millis: u64) -> Nanos {
        Nanos::ZERO.after(Duration::from_millis(millis))
    }

    fn of(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// One that has answered so often in so many milliseconds, the last time at `now`.
    fn answered(times: u32, millis: u64, now: Nanos) -> Glance {
        (0..times).fold(Glance::default(), |glance, _| {
            glance.begun(now).ended(now, of(millis), Outcome::Success)
        })
    }

    #[test]
    fn nothing_was_heard_of_whoever_was_given_up() {
        let load = Load::default();
        load.begin(at(0));
        load.begin(at(0));
        load.end(at(500), of(500), Outcome::Late);
        let silent = |now| (load.glance().silent(at(now)) << TICK) / 1_000_000;
        assert!(silent(1_000) > 990, "{}", silent(1_000));
        load.end(at(1_000), of(1_000), Outcome::Success);
        assert!(silent(1_010) < 12);
    }

    #[test]
    fn knows_nothing_until_it_is_answered() {
        let glance = Glance::default().begun(at(1));
        assert_eq!((glance.under_way(at(1)), glance.latency(at(900))), (1, 0));
        let failed = glance.ended(at(2), of(1), FAILURE);
        assert_eq!(failed.latency(at(2)), 0);
        assert!(answered(1, 5, at(2)).latency(at(2)) > 0);
    }

    #[test]
    fn a_fast_failure_counts_for_as_long_as_an_answer_takes() {
        let known = answered(40, 50, at(100));
        let failed = known.begun(at(100)).ended(at(100), of(0), FAILURE);
        assert_eq!(failed.latency(at(100)), known.latency(at(100)));
        let counts = [100, 140, 160].map(|now| failed.under_way(at(now)));
        assert_eq!((known.under_way(at(100)), counts), (0, [1, 1, 0]));
        let slow = known.begun(at(100)).ended(at(100), of(900), FAILURE);
        assert!(slow.latency(at(100)) > known.latency(at(100)));
    }

    #[test]
    fn failures_in_a_row_weigh_more_once_no_detector_has_acted() {
        let mut glance = answered(40, 50, at(100));
        let mut weights = Vec::new();
        for _ in 0..20 {
            glance = glance.begun(at(100)).ended(at(100), of(1), FAILURE);
            weights.push(glance.under_way(at(100)));
        }
        assert_eq!(weights[..9], [1, 1, 1, 1, 1, 1, 1, 2, 4]);
        assert_eq!(weights[19], 256);
        // 50 ms, doubled eight times.
        assert_eq!(
            [10_000, 14_000].map(|now| glance.under_way(at(now))),
            [256, 0]
        );
        let well = glance
            .begun(at(100))
            .ended(at(100), of(1), Outcome::Success);
        assert_eq!(well.under_way(at(100)), 0);
    }

    #[test]
    fn silence_is_slow_while_a_call_waits_up_to_four_times() {
        let asked = answered(40, 5, at(1_000)).begun(at(1_000));
        let usual = asked.latency(at(1_000));
        assert_eq!(asked.latency(at(1_003)), usual);
        assert!(asked.latency(at(1_010)) >= usual + DOUBLING / 2);
        assert_eq!(asked.latency(at(60_000)), usual + LOUDEST);
        // A call that begins later does not make it any less silent; an answer does.
        let again = asked.begun(at(1_009));
        assert_eq!(again.latency(at(1_010)), asked.latency(at(1_010)));
        let heard = again.ended(at(1_010), of(5), Outcome::Success);
        assert_eq!(heard.latency(at(1_011)), usual);
    }

    #[test]
    fn what_was_slow_is_tried_again_after_a_while() {
        let (slow, fast) = (answered(40, 50, at(0)), answered(40, 5, at(0)));
        let gap = slow.latency(at(0)) - fast.latency(at(0));
        assert!((3 * DOUBLING..4 * DOUBLING).contains(&gap));
        assert!(
            slow.latency(at(8_590))
                .abs_diff(slow.latency(at(0)) - DOUBLING)
                < 4
        );
        assert!(slow.latency(at(40_000)) < fast.latency(at(0)));
    }

    #[test]
    fn whoever_gives_up_early_says_nothing_of_it() {
        let known = answered(40, 50, at(1)).begun(at(1));
        let early = known.ended(at(1), of(1), Outcome::Cancelled);
        assert_eq!(early.latency(at(1)), answered(40, 50, at(1)).latency(at(1)));
        let late = known.ended(at(1), of(500), Outcome::Cancelled);
        assert!(late.latency(at(1)) > early.latency(at(1)));
        let fault = known.ended(at(1), of(1), Outcome::CallerFault);
        assert_eq!(fault.latency(at(1)), early.latency(at(1)));
    }

    proptest! {
        /// Against counts that are kept apart.
        #[test]
        fn counts_and_bounds_hold_whatever_happens(
            events in prop::collection::vec((0_u8..6, 0_u64..5_000, 0_u64..1 << 40), 0..300),
        ) {
            let (mut glance, mut under_way, mut now) = (Glance::default(), 0_u32, Nanos::ZERO);
            let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
            for (event, gap, took) in events {
                now = now.after(of(gap));
                let took = Duration::from_nanos(took);
                if event == 0 {
                    glance = glance.begun(now);
                    under_way += 1;
                    continue;
                }
                let outcome = [Outcome::Success, FAILURE, Outcome::Cancelled, Outcome::Refused, Outcome::CallerFault]
                    [usize::from(event) - 1];
                glance = glance.ended(now, took, outcome);
                under_way = under_way.saturating_sub(1);
                if outcome != Outcome::CallerFault && (outcome == Outcome::Success || most > 0.0) {
                    least = if outcome == Outcome::Success { least.min(took.as_nanos() as f64) } else { least };
                    most = most.max(took.as_nanos() as f64);
                }
                prop_assert_eq!(glance.of(UNDER_WAY), under_way);
                let known = f64::from(f32::from_bits(glance.of(LATENCY) << MANTISSA));
                if most > 0.0 {
                    // Within what was seen, but for what ten bits cut off, again and again.
                    prop_assert!(known <= most * 1.001 && known >= least * 0.95 - 1.0, "{known} {least} {most}");
                }
            }
        }

        #[test]
        fn too_many_calls_are_as_many_as_there_is_room_for(spare in 0_u32..4) {
            let full = Glance::default().with(UNDER_WAY, UNDER_WAY.mask() - spare);
            let more = (0..8).fold(full, |glance, _| glance.begun(at(1)));
            prop_assert_eq!(more.of(UNDER_WAY), UNDER_WAY.mask());
            prop_assert_eq!(more.of(FAILED), 0);
        }
    }
}

#[cfg(all(test, loom))]
mod loom {
    use ::loom::thread::spawn;

    use super::*;
    use crate::sync::Arc;

    #[test]
    fn no_call_is_lost_or_left_over() {
        ::loom::model(|| {
            let load = Arc::new(Load::default());
            let call = || {
                let load = Arc::clone(&load);
                spawn(move || {
                    load.begin(Nanos::new(1));
                    load.end(Nanos::new(2), Duration::from_nanos(1), Outcome::Success);
                })
            };
            let calls = [call(), call()];
            calls.into_iter().for_each(|call| call.join().unwrap());
            assert_eq!(load.glance().under_way(Nanos::new(2)), 0);
        });
    }
}
