//! How long a counter runs before it trips, solved exactly, and the threshold that makes it run long enough.
//!
//! A counter is a walk on 0, 1, 2, …: a failure takes it up, a success down but not below zero, and it trips when it
//! reaches its threshold. The mean number of calls until then, from zero, is its *average run length* (ARL): the time
//! between false alarms if calls fail at the tolerable rate, the delay of the alarm if they fail at a worse one.
//!
//! Either way down or the way up is by single steps. The linear system of the walk then falls apart into one short
//! equation a state, and all its terms are positive: no subtraction costs digits, however long the run.

/// No threshold is higher. Reached only by designs that make no sense; it bounds the work of solving them.
const HIGHEST: u32 = 1 << 20;

/// No step is longer: the weight of a failure at a tolerable rate of about one in 10 000 is 4 000.
const LONGEST: f64 = 65_536.0;

/// How far one call moves a counter. One of the two is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Steps {
    /// A failure, upwards.
    pub(crate) up: u32,
    /// A success, downwards.
    pub(crate) down: u32,
}

impl Steps {
    /// The steps that tell a failure rate of `p1` from one of `p0`: in proportion to the log-likelihood ratios of a
    /// failure and of a success (Page 1954), rounded so that the smaller is 1.
    pub(crate) fn between(p0: f64, p1: f64) -> Self {
        if !(0.0 < p0 && p0 < p1 && p1 < 1.0) {
            return Self { up: 1, down: 1 };
        }
        let ratio = (p1 / p0).ln() / ((1.0 - p0) / (1.0 - p1)).ln();
        let steps = if ratio >= 1.0 {
            Self::of(ratio.round(), 1.0)
        } else {
            Self::of(1.0, ratio.recip().round())
        };
        // Rounding must not turn the drift at p0 upwards, as it may when the rates are close.
        if steps.sinks(p0) {
            steps
        } else {
            Self::of(ratio.floor(), ratio.recip().ceil())
        }
    }

    fn of(up: f64, down: f64) -> Self {
        // In 1..=LONGEST, so the casts lose nothing; NaN cannot come here.
        Self {
            up: up.clamp(1.0, LONGEST) as u32,
            down: down.clamp(1.0, LONGEST) as u32,
        }
    }

    /// Does the counter go down on average, at a failure rate of `p`?
    pub(crate) fn sinks(self, p: f64) -> bool {
        p * f64::from(self.up) < (1.0 - p) * f64::from(self.down)
    }
}

/// The average run length, in calls, of a counter that starts at zero, if calls fail at the rate `p`.
pub(crate) fn arl(steps: Steps, threshold: u32, p: f64) -> f64 {
    if threshold == 0 || p.is_nan() {
        return 0.0;
    }
    if p <= 0.0 {
        return f64::INFINITY;
    }
    let (p, threshold) = (p.min(1.0), threshold.min(HIGHEST));
    let run = if steps.down <= 1 {
        arl_sinking_by_one(steps.up, threshold, p)
    } else {
        rising_by_one(steps.down, p)
            .nth(threshold as usize - 1)
            .unwrap_or(0.0)
    };
    // Beyond the largest double, infinities cancel.
    if run.is_nan() { f64::INFINITY } else { run }
}

/// The lowest thresholds at which the counter runs for at least `targets` calls at the failure rate `p0`. The targets
/// ascend; all of them together cost one pass.
pub(crate) fn thresholds<const N: usize>(steps: Steps, p0: f64, targets: [f64; N]) -> [u32; N] {
    let mut found = [HIGHEST; N];
    if !(0.0 < p0 && p0 < 1.0 && steps.sinks(p0)) {
        return found;
    }
    let mut open = found.iter_mut().zip(targets).peekable();
    let mut settle = |threshold: u32, arl: f64| {
        // A target that is no number is met at once.
        while let Some((slot, _)) = open.next_if(|(_, target)| arl >= *target || target.is_nan()) {
            *slot = threshold;
        }
        open.peek().is_none()
    };
    let runs: &mut dyn Iterator<Item = f64> = if steps.down <= 1 {
        &mut sinking_by_one(steps.up, p0)
    } else {
        &mut rising_by_one(steps.down, p0)
    };
    (1..HIGHEST)
        .zip(runs)
        .find(|(threshold, arl)| *threshold >= steps.up && settle(*threshold, *arl));
    found
}

/// The walk from one state down to the next lower one, or out.
#[derive(Clone, Copy)]
struct Descent {
    /// Mean calls until either.
    time: f64,
    /// Probability of arriving below.
    arrive: f64,
    /// Probability of tripping first; kept apart from `arrive`, for 1 − `arrive` would lose its digits.
    trip: f64,
}

impl Descent {
    const NONE: Self = Self {
        time: 0.0,
        arrive: 1.0,
        trip: 0.0,
    };
    const TRIPPED: Self = Self {
        time: 0.0,
        arrive: 0.0,
        trip: 1.0,
    };

    fn then(self, next: Self) -> Self {
        Self {
            time: self.time + self.arrive * next.time,
            arrive: self.arrive * next.arrive,
            trip: self.trip + self.arrive * next.trip,
        }
    }
}

/// From the top state down. Down is by single steps, so the mean run from state s is E(s) = time + arrive·E(s−1), with
/// the descent from s given by those of the `up` states above it. Of these, `older` holds the descents from each state
/// of the block above to that block's foot, and `newer` the descent from there to here: a sliding product without a
/// division.
fn arl_sinking_by_one(up: u32, threshold: u32, p: f64) -> f64 {
    let q = 1.0 - p;
    let block = up.clamp(1, threshold) as usize;
    let mut older = vec![Descent::TRIPPED; block];
    let mut singles = Vec::with_capacity(block);
    let mut newer = Descent::NONE;
    let mut above = Descent::TRIPPED;
    for _ in 0..threshold {
        if singles.len() == block {
            std::mem::swap(&mut older, &mut singles);
            singles.clear();
            newer = Descent::NONE;
            for index in (0..block - 1).rev() {
                older[index] = older[index].then(older[index + 1]);
            }
        }
        above = older[singles.len()].then(newer);
        let leave = q + p * above.trip;
        let single = Descent {
            time: (1.0 + p * above.time) / leave,
            arrive: q / leave,
            trip: p * above.trip / leave,
        };
        singles.push(single);
        newer = newer.then(single);
    }
    // State 0 stays where it is on success: E(0) = 1 + q·E(0) + p·(time + arrive·E(0)).
    (1.0 + p * above.time) / (p * above.trip)
}

/// Average run lengths at thresholds 1, 2, 3, …, at a rate where the counter sinks: from the visits N(s) to each state.
///
/// Across the cut below any state s the walk goes up once more than down: p·(N(s−1) + … + N(s−up)) − q·N(s) = 1. Hence
/// N = N(0)·u − v with u and v that do not depend on the threshold, and N(0) from N = 0 at the threshold.
fn sinking_by_one(up: u32, p: f64) -> impl Iterator<Item = f64> {
    let q = 1.0 - p;
    let mut u = Window::new(up);
    let mut v = Window::new(up);
    u.push(1.0);
    v.push(0.0);
    std::iter::from_fn(move || {
        let (next_u, next_v) = (p * u.sum / q, (1.0 + p * v.sum) / q);
        let arl = next_v / next_u * u.total - v.total;
        u.push(next_u);
        v.push(next_v);
        Some(arl)
    })
}

/// Average run lengths at thresholds 1, 2, 3, …: the climb from s to s + 1 takes one call, and with a success also the
/// climbs from `down` states below.
fn rising_by_one(down: u32, p: f64) -> impl Iterator<Item = f64> {
    let q = 1.0 - p;
    let mut climbs = Window::new(down);
    std::iter::from_fn(move || {
        climbs.push((1.0 + q * climbs.sum) / p);
        Some(climbs.total)
    })
}

/// The sum of the last so many values, and of all.
struct Window {
    last: Box<[f64]>,
    next: usize,
    sum: f64,
    total: f64,
}

impl Window {
    fn new(len: u32) -> Self {
        Self {
            last: vec![0.0; len.clamp(1, HIGHEST) as usize].into(),
            next: 0,
            sum: 0.0,
            total: 0.0,
        }
    }

    fn push(&mut self, value: f64) {
        self.total += value;
        self.sum += value - self.last[self.next];
        self.last[self.next] = value;
        self.next += 1;
        if self.next == self.last.len() {
            self.next = 0;
            // The values may fall by orders of magnitude: summed anew, lest the rounding of the large ones remain.
            self.sum = self.last.iter().sum();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `want` to so many significant digits.
    fn close(got: f64, want: f64, digits: i32) -> bool {
        (got / want - 1.0).abs() < 10_f64.powi(-digits)
    }

    /// The walk by brute force: E ← 1 + q·E(down) + p·E(up) until nothing moves.
    fn iterated(steps: Steps, threshold: u32, p: f64) -> f64 {
        let height = threshold as usize;
        let mut runs = vec![0.0; height];
        for _ in 0..50_000 {
            let mut moved = 0.0_f64;
            for state in 0..height {
                let below = runs[state.saturating_sub(steps.down as usize)];
                let above = runs.get(state + steps.up as usize).copied().unwrap_or(0.0);
                let run = 1.0 + (1.0 - p) * below + p * above;
                moved = moved.max((run - runs[state]) / run);
                runs[state] = run;
            }
            if moved < 1e-15 {
                break;
            }
        }
        runs[0]
    }

    #[test]
    fn runs_as_long_as_known() {
        let arl = |up, threshold, p| arl(Steps { up, down: 1 }, threshold, p);
        assert!(close(arl(2, 5, 0.1), 377.142_857_142_9, 9));
        assert!(close(arl(3, 10, 0.05), 14_928.005_300_267_6, 9));
        assert!(close(arl(24, 157, 0.01), 1.089_28e8, 5));
        assert!(close(arl(39, 361, 0.01), 2.047e8, 3));
        assert!(close(arl(6, 27, 0.01), 2.012e8, 3));
        assert!(close(arl(6, 27, 1.0), 5.0, 12));
        assert!(close(arl(6, 6, 0.25), 4.0, 12));
        assert!(close(arl(6, 1, 0.25), 4.0, 12));
    }

    #[test]
    fn runs_as_long_as_brute_force_says() {
        for (up, down) in [(1, 1), (2, 1), (7, 1), (1, 2), (1, 5)] {
            for threshold in [1, 2, 7, 15] {
                for p in [0.2, 0.5, 1.0] {
                    let steps = Steps { up, down };
                    let (got, want) = (arl(steps, threshold, p), iterated(steps, threshold, p));
                    // The iteration stops short of long runs.
                    if want < 3e3 {
                        assert!(
                            close(got, want, 6),
                            "{steps:?} {threshold} {p}: {got} {want}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn designs_as_the_tables_say() {
        for (p0, p1, target, up, threshold, run, delay) in [
            (0.01, 0.1, 1e6, 24, 109, 1.068_24e6, 71.983_3),
            (0.01, 0.1, 1e8, 24, 157, 1.089_28e8, 103.975_0),
            (0.01, 0.5, 1e8, 6, 26, 1.143_73e8, 10.851_7),
            (0.001, 0.1, 1e8, 44, 140, 1.019_02e8, 42.627_2),
            (0.001, 0.05, 1e9, 78, 330, 1.029_04e9, 115.614_9),
            (0.02, 0.2, 1e7, 11, 64, 1.114_77e7, 45.323_5),
            (0.005, 0.5, 1e6, 7, 19, 1.225_75e6, 6.659_3),
        ] {
            let steps = Steps::between(p0, p1);
            assert_eq!(steps, Steps { up, down: 1 }, "{p0} {p1}");
            assert_eq!(thresholds(steps, p0, [target]), [threshold], "{p0} {p1}");
            assert!(close(arl(steps, threshold, p0), run, 5), "{p0} {p1}");
            assert!(close(arl(steps, threshold, p1), delay, 5), "{p0} {p1}");
        }
    }

    #[test]
    fn a_threshold_is_the_lowest_that_does() {
        for (p0, p1) in [
            (1e-4, 5e-3),
            (0.01, 0.05),
            (0.2, 0.5),
            (0.3, 0.97),
            (0.5, 0.85),
        ] {
            let steps = Steps::between(p0, p1);
            let targets = [1e3, 1e5, 1e8, 1e12, 1e15];
            for (target, threshold) in targets.into_iter().zip(thresholds(steps, p0, targets)) {
                // The two ways to solve the walk agree to the last step.
                assert!(arl(steps, threshold, p0) >= target, "{p0} {target}");
                assert!(
                    threshold == steps.up || arl(steps, threshold - 1, p0) < target,
                    "{p0} {target}"
                );
            }
        }
    }

    #[test]
    fn nonsense_neither_hangs_nor_panics() {
        let odd = [
            f64::NAN,
            -1.0,
            0.0,
            1e-300,
            1e-9,
            0.5,
            1.0 - 1e-16,
            1.0,
            2.0,
            f64::INFINITY,
        ];
        for p0 in odd {
            for p1 in odd {
                let steps = Steps::between(p0, p1);
                assert!(steps.up.min(steps.down) == 1);
            }
            for (up, down) in [(0, 0), (1, 0), (0, 1), (1, 1), (6, 1), (1, 6)] {
                let steps = Steps { up, down };
                for target in odd {
                    let [threshold] = thresholds(steps, p0, [target]);
                    assert!(threshold >= 1);
                }
                assert!(!arl(steps, 40, p0).is_nan());
            }
        }
        let steps = Steps { up: 6, down: 1 };
        let [low, high, highest] = thresholds(steps, 0.01, [0.0, 1e300, f64::INFINITY]);
        assert!(low == 6 && high < 1100 && highest <= HIGHEST);
        // Rising at this rate, no threshold keeps it quiet.
        assert_eq!(thresholds(steps, 0.2, [1e8]), [HIGHEST]);
    }

    #[test]
    fn rounding_never_lets_a_counter_rise_at_the_tolerable_rate() {
        for p0 in [0.01, 0.07, 0.1, 0.21, 0.3, 0.45, 0.5, 0.6] {
            for closer in [1.0001, 1.01, 1.05, 1.1, 1.3, 1.6] {
                let steps = Steps::between(p0, p0 * closer);
                assert!(steps.sinks(p0), "{p0} {closer} {steps:?}");
            }
        }
    }
}
