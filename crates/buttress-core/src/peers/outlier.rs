//! The peer test: does one endpoint fail more often than the others explain?
//!
//! A leave-one-out binomial test. The others are pooled without their worst, so that two sick endpoints cannot hide
//! each other; what they show is taken at its upper bound, so that few calls accuse nobody.

use super::Tally;
use crate::math::{at_least, rate_at_most};

/// At most one sweep in so many may call any endpoint of a healthy set an outlier; shared among its endpoints.
const FALSE_ALARM: f64 = 1e-4;

/// How sure the others' rate is at most what is held against an endpoint.
const REFERENCE: f64 = 0.95;

/// Evidence this rare when all is well counts as trouble, where an alarm has already been raised and only its
/// address is in question.
const TROUBLE: f64 = 0.01;

/// An endpoint whose failures are this rare at its peers' rate stands out, once its own detector has spoken.
/// Stricter than [`TROUBLE`], for the stretch since a change-point is picked for its failures.
const STANDS_OUT: f64 = 1e-3;

/// What the peers say about one endpoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Judgement {
    /// The rate its failures were held against: what is tolerable, or more if the others fail more often.
    pub(crate) reference: f64,
    /// The chance of so many failures at that rate.
    pub(crate) p_value: f64,
    /// Too small a chance?
    pub(crate) outlier: bool,
}

/// Judges every endpoint of a set by the others, over one stretch of time. Works from two endpoints up.
pub(crate) fn outliers(set: &[Tally], tolerable: f64) -> Vec<Judgement> {
    let heard = set.iter().filter(|tally| tally.calls > 0).count();
    let threshold = FALSE_ALARM / heard.max(1) as f64;
    let pool = Pool::of(set);
    set.iter()
        .enumerate()
        .map(|(index, own)| {
            let unremarkable = Judgement {
                reference: tolerable,
                p_value: at_least(own.failures, own.calls, tolerable),
                outlier: false,
            };
            // Whatever the others show, the reference is no lower: the costly part is for suspects only.
            if heard < 2 || unremarkable.p_value >= threshold {
                return unremarkable;
            }
            let reference = pool.without(index, *own).reference(tolerable);
            let p_value = at_least(own.failures, own.calls, reference);
            Judgement {
                reference,
                p_value,
                outlier: p_value < threshold,
            }
        })
        .collect()
}

/// Do the others fail as well, and as often, so that an endpoint's own alarm is no reason to eject it?
///
/// `own` counts since its change-point, `others` in the same time. Ejection is held back only on evidence: when few
/// calls tell nothing of the others, its own detector decides alone.
pub(crate) fn explained(own: Tally, others: &[Tally], tolerable: f64) -> bool {
    let others = Pool::of(others).others();
    others.exceeds(tolerable)
        && at_least(own.failures, own.calls, others.reference(tolerable)) >= STANDS_OUT
}

/// Do most of a set fail together, the rest showing nothing better? Then the cause is shared, or it is ourselves,
/// and nobody is ejected.
///
/// Where the rest is clearly well, the failing ones are to blame after all, and the cap bounds how many of them go.
pub(crate) fn common_cause(set: &[Tally], tolerable: f64) -> bool {
    let (mut ill, mut well) = (Tally::default(), Tally::default());
    let (mut failing, mut heard) = (0_usize, 0_usize);
    for tally in set.iter().filter(|tally| tally.calls > 0) {
        heard += 1;
        if exceeds(*tally, tolerable) {
            failing += 1;
            ill = ill.plus(*tally);
        } else {
            well = well.plus(*tally);
        }
    }
    // Few failures of many calls are rare in the same way as many successes of many calls: swap their parts.
    let could_share = || {
        let successes = well.calls - well.failures;
        let best = rate_at_most(ill.calls - ill.failures, ill.calls, REFERENCE);
        at_least(successes, well.calls, best) >= TROUBLE
    };
    failing > 1 && failing * 2 > heard && could_share()
}

/// All calls of a set, and its two worst members by failures beyond the common rate.
struct Pool {
    all: Tally,
    worst: [Option<(usize, Tally)>; 2],
}

impl Pool {
    fn of(set: &[Tally]) -> Self {
        let all = set
            .iter()
            .fold(Tally::default(), |sum, tally| sum.plus(*tally));
        let common = all.rate().unwrap_or(0.0);
        let excess = |tally: Tally| tally.failures as f64 - common * tally.calls as f64;
        let mut worst: [Option<(usize, Tally)>; 2] = [None, None];
        for (index, tally) in set.iter().enumerate().filter(|(_, tally)| tally.calls > 0) {
            let beats = |place: Option<(usize, Tally)>| {
                place.is_none_or(|(_, other)| excess(*tally) > excess(other))
            };
            if beats(worst[0]) {
                worst = [Some((index, *tally)), worst[0]];
            } else if beats(worst[1]) {
                worst[1] = Some((index, *tally));
            }
        }
        Self { all, worst }
    }

    /// The others of the member at `index`.
    fn without(&self, index: usize, own: Tally) -> Others {
        let worst = self.worst.iter().flatten().find(|(at, _)| *at != index);
        Others::of(self.all.minus(own), worst.map(|(_, tally)| *tally))
    }

    /// All members, as the others of somebody outside.
    fn others(&self) -> Others {
        Others::of(self.all, self.worst[0].map(|(_, tally)| tally))
    }
}

/// The others, with and without their worst.
struct Others {
    all: Tally,
    sound: Tally,
}

impl Others {
    fn of(all: Tally, worst: Option<Tally>) -> Self {
        let sound = worst.map_or(all, |worst| all.minus(worst));
        // A single other is both the worst and all there is.
        let sound = if sound.calls == 0 { all } else { sound };
        Self { all, sound }
    }

    /// What they excuse. Both pools bound the rate from above: the lower bound holds, and a worst member that has
    /// nearly all the calls is not missed too dearly.
    fn reference(&self, tolerable: f64) -> f64 {
        let bound = |tally: Tally| rate_at_most(tally.failures, tally.calls, REFERENCE);
        bound(self.sound).min(bound(self.all)).max(tolerable)
    }

    fn exceeds(&self, tolerable: f64) -> bool {
        exceeds(self.sound, tolerable)
    }
}

/// Is this more than the tolerable rate would bring about?
fn exceeds(tally: Tally, tolerable: f64) -> bool {
    at_least(tally.failures, tally.calls, tolerable) < TROUBLE
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLERABLE: f64 = 0.01;

    /// Failures of 100 calls each.
    fn of_a_hundred(failures: &[u64]) -> Vec<Tally> {
        failures
            .iter()
            .map(|failures| Tally::new(*failures, 100))
            .collect()
    }

    fn found(set: &[Tally]) -> Vec<usize> {
        let judged = outliers(set, TOLERABLE);
        (0..set.len())
            .filter(|index| judged[*index].outlier)
            .collect()
    }

    #[test]
    fn one_sick_endpoint_stands_out_of_any_set_from_two_up() {
        for members in [2, 3, 4, 5, 10, 50] {
            let mut failures = vec![1; members];
            failures[1] = 30;
            assert_eq!(found(&of_a_hundred(&failures)), [1], "{members}");
        }
    }

    #[test]
    fn two_sick_ones_do_not_hide_each_other() {
        assert_eq!(found(&of_a_hundred(&[50, 0, 0, 50, 1])), [0, 3]);
        assert_eq!(found(&of_a_hundred(&[100, 100, 0, 1])), [0, 1]);
        // Pooled with its fellow, the healthy third would excuse a rate of a half.
        assert_eq!(found(&of_a_hundred(&[40, 90, 0])), [0, 1]);
    }

    #[test]
    fn accuses_nobody_without_evidence() {
        for failures in [
            &[0, 0][..],
            &[3, 0, 1],
            &[5, 1],
            &[40, 42],
            &[100, 100, 100],
            &[100],
        ] {
            assert_eq!(found(&of_a_hundred(failures)), [0_usize; 0], "{failures:?}");
        }
        assert!(outliers(&[], TOLERABLE).is_empty());
        // One call says nothing, and a peer without calls is no peer.
        assert_eq!(found(&[Tally::new(1, 1), Tally::new(0, 100)]), [0_usize; 0]);
        assert_eq!(
            found(&[Tally::new(90, 100), Tally::default()]),
            [0_usize; 0]
        );
    }

    #[test]
    fn others_that_have_nearly_all_the_calls_are_not_left_out() {
        let set = [
            Tally::new(30, 100),
            Tally::new(10, 10_000),
            Tally::new(0, 1),
        ];
        assert_eq!(found(&set), [0]);
    }

    #[test]
    fn the_reference_is_the_others_upper_bound_but_never_below_what_is_tolerable() {
        let judged = outliers(&of_a_hundred(&[60, 0, 0]), TOLERABLE);
        // 1 − 0.05^(1/200): nothing failed in 200 calls.
        assert!((judged[0].reference - 0.014_867).abs() < 1e-6, "{judged:?}");
        let strict = outliers(&of_a_hundred(&[60, 0, 0]), 0.2);
        assert!((strict[0].reference - 0.2).abs() < 1e-12);
        assert!(strict[0].p_value > judged[0].p_value);
    }

    #[test]
    fn an_alarm_is_explained_by_others_that_fail_as_well() {
        for (own, others, expected) in [
            // Others fail alike.
            ((6, 11), &[(2, 12), (4, 11)][..], true),
            ((40, 100), &[(35, 100)], true),
            ((5, 5), &[(5, 5), (4, 5)], true),
            // Others are well, or nothing is known of them.
            ((6, 11), &[(0, 12), (0, 11)], false),
            ((6, 11), &[(0, 0), (0, 0)], false),
            ((6, 11), &[], false),
            ((6, 11), &[(0, 1), (1, 3)], false),
            // One other fails too: that explains nothing while a third is well.
            ((50, 100), &[(50, 100), (0, 100), (1, 100)], false),
            // Others fail, but far less.
            ((90, 100), &[(10, 100), (11, 100), (9, 100)], false),
        ] {
            let others: Vec<Tally> = others.iter().map(|(f, n)| Tally::new(*f, *n)).collect();
            let own = Tally::new(own.0, own.1);
            assert_eq!(
                explained(own, &others, TOLERABLE),
                expected,
                "{own:?} {others:?}"
            );
        }
    }

    #[test]
    fn a_cause_is_common_if_most_fail_and_none_is_clearly_well() {
        for (failures, expected) in [
            (&[50, 60, 55][..], true),
            (&[100, 100], true),
            (&[50, 60, 0], false),
            (&[20, 30, 25, 22, 2, 1], false),
            (&[5, 6, 5, 4, 3], true),
            (&[0, 1, 0, 2], false),
            (&[50, 0, 0], false),
            (&[100], false),
            (&[], false),
        ] {
            assert_eq!(
                common_cause(&of_a_hundred(failures), TOLERABLE),
                expected,
                "{failures:?}"
            );
        }
        // The third had two calls: who knows?
        let set = [Tally::new(9, 12), Tally::new(8, 11), Tally::new(0, 2)];
        assert!(common_cause(&set, TOLERABLE));
    }

    #[test]
    fn no_count_makes_it_panic() {
        let huge = Tally::new(u64::MAX, u64::MAX);
        let set = [huge, huge, Tally::default(), Tally::new(0, u64::MAX)];
        for tolerable in [0.0, 1.0, f64::NAN, -1.0] {
            assert_eq!(outliers(&set, tolerable).len(), 4);
            let _ = (
                explained(huge, &set, tolerable),
                common_cause(&set, tolerable),
            );
        }
    }
}
