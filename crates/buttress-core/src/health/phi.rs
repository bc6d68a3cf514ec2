//! Silence that has grown too long for the rhythm heard so far.

mod gaps;

use std::{f64::consts::LN_10, time::Duration};

use super::{Alarm, Fact, PhiPolicy, Rhythm};
use crate::{Nanos, Outcome, Sign};
use gaps::Gaps;

/// φ is never more than this: a chance of 10⁻¹⁰⁰⁰ says nothing more, and infinity breaks whatever averages it.
const MOST: f64 = 1_000.0;

/// From here on the endpoint is suspect: a silence as long as this one happens in one of ten gaps.
const SUSPECT: f64 = 1.0;

/// The φ accrual failure detector (Hayashibara, Défago, Yared, Katayama, SRDS 2004), with the constants of Akka and
/// Pekko: φ = −log₁₀ of the chance that a healthy endpoint is silent for so long.
///
/// Good answers and overload are signs of life; failures are silence, and make it look. It is about endpoints that are
/// asked all the time: of one that nobody asks, silence says nothing.
#[derive(Debug)]
pub(crate) struct Phi {
    policy: PhiPolicy,
    /// The last sign of life, once there was one.
    last: Option<Nanos>,
    /// When the first call began that was not answered well since then: silence counts from here, for of one that
    /// nobody asked it says nothing.
    asked: Option<Nanos>,
    gaps: Gaps,
    suspect: bool,
    /// Does it hear our own probes, and calls no more?
    by_probes: bool,
}

impl Phi {
    pub(crate) fn new(policy: PhiPolicy) -> Self {
        let mut gaps = Gaps::new(policy.samples);
        // The first rhythm is a guess, and a wide one: σ is a quarter of μ.
        let quarter = policy.first_gap / 4;
        gaps.learn(policy.first_gap.saturating_sub(quarter));
        gaps.learn(policy.first_gap.saturating_add(quarter));
        Self {
            policy,
            last: None,
            asked: None,
            gaps,
            suspect: false,
            by_probes: false,
        }
    }

    /// A probe of our own came back, or was given up. The periodic rhythm is theirs from then on, and calls are no part of it.
    ///
    /// Heartbeats are due when they are sent, and not one interval after the last: what is learnt is how long they take,
    /// for we probe now and then faster or more slowly.
    pub(crate) fn probed(&mut self, fact: &Fact) -> Option<Alarm> {
        if self.policy.rhythm != Rhythm::Periodic {
            return None;
        }
        if !std::mem::replace(&mut self.by_probes, true) {
            self.gaps = Gaps::new(self.policy.samples);
            self.reset();
        }
        match fact.sign() {
            Sign::Good => {
                let took = fact.now.since(fact.started);
                if self.last.is_none() || self.phi(fact.now) < self.policy.threshold {
                    self.gaps.learn(took);
                }
                self.last = self.last.max(Some(fact.now));
                self.asked = None;
                self.suspect = false;
                None
            }
            Sign::Bad => {
                self.asked = Some(
                    self.asked
                        .map_or(fact.started, |first| first.min(fact.started)),
                );
                self.look(fact.now)
            }
            Sign::Silent => None,
        }
    }

    pub(crate) fn record(&mut self, fact: &Fact) -> Option<Alarm> {
        if self.by_probes {
            return None;
        }
        match (fact.sign(), fact.outcome) {
            (Sign::Good, _) | (_, Outcome::Overload(_)) => {
                self.alive(fact.now);
                None
            }
            (Sign::Bad, _) => self.wait(fact.started, fact.now),
            (Sign::Silent, _) => None,
        }
    }

    /// A call begun at `asked` is not answered well by `now`. Has the silence grown too long?
    pub(crate) fn wait(&mut self, asked: Nanos, now: Nanos) -> Option<Alarm> {
        if self.by_probes {
            return None;
        }
        self.asked = Some(self.asked.map_or(asked, |first| first.min(asked)));
        self.look(now)
    }

    /// Has the silence grown too long by `now`?
    pub(crate) fn look(&mut self, now: Nanos) -> Option<Alarm> {
        let phi = self.phi(now);
        self.suspect = phi >= SUSPECT;
        let since = self.last?;
        (phi >= self.policy.threshold).then_some(Alarm { since })
    }

    /// How suspicious the silence is at `now`: zero before the first sign of life, finite always, never falling while
    /// it lasts.
    pub(crate) fn phi(&self, now: Nanos) -> f64 {
        let Some(last) = self.last else { return 0.0 };
        let from = self.asked.map_or(last, |asked| asked.max(last));
        let silence = nanos(now.since(from));
        let pause = nanos(self.policy.pause);
        let floor = nanos(self.policy.min_sigma).max(1.0);
        match self.policy.rhythm {
            Rhythm::Periodic => normal(
                silence,
                self.gaps.mean() + pause,
                self.gaps.sigma().max(floor),
            ),
            // σ of an exponential distribution is its mean: the same floor holds for it.
            Rhythm::Traffic => exponential(silence - pause, self.gaps.mean().max(floor)),
        }
    }

    pub(crate) const fn calm(&self) -> bool {
        !self.suspect
    }

    /// Forgets the silence, which is accounted for now and is not to be learnt. What was learnt of the rhythm stays.
    pub(crate) const fn reset(&mut self) {
        self.last = None;
        self.asked = None;
        self.suspect = false;
    }

    fn alive(&mut self, now: Nanos) {
        if let Some(last) = self.last {
            // A gap that ended a suspicion was no healthy one: learnt, it would hide the next.
            if self.phi(now) < self.policy.threshold && now >= last {
                self.gaps.learn(now.since(last));
            }
        }
        self.last = self.last.max(Some(now));
        self.asked = None;
        self.suspect = false;
    }
}

/// −log₁₀(1 − F) of a normal distribution, by the logistic approximation 1/(1 + e^−t), t = y·(1.5976 + 0.070566·y²),
/// whose error is below 0.00014 (Råde, Westergren, β Mathematics Handbook), as in Akka. There it is computed by
/// way of e^−t, which underflows to φ = ∞; as log₁₀(1 + e^t) it is one formula on both sides of the mean, and finite.
fn normal(silence: f64, mean: f64, sigma: f64) -> f64 {
    let y = (silence - mean) / sigma;
    let t = y * (1.5976 + 0.070_566 * y * y);
    ((t.max(0.0) + (-t.abs()).exp().ln_1p()) / LN_10).min(MOST)
}

/// −log₁₀(1 − F) of an exponential distribution: silence between calls that arrive independently of each other. The
/// normal form, fed with those, is mistaken every few seconds.
fn exponential(silence: f64, mean: f64) -> f64 {
    (silence.max(0.0) / (mean * LN_10)).min(MOST)
}

fn nanos(span: Duration) -> f64 {
    span.as_nanos() as f64
}

#[cfg(test)]
mod tests;
