//! The probes of a classic half-open breaker, several at once.

use std::time::Duration;

use super::{policy::TrialPolicy, sequential::Answer};
use crate::Nanos;

/// Which probes are under way, and what those that ended have shown.
///
/// A probe is known by when it was sent. Two sent at the same time are the same to us: leases are equally long.
#[derive(Debug, Default)]
pub(super) struct Probes {
    /// In the order they were sent. Empty but for a trial.
    out: Vec<Nanos>,
    good: u32,
    bad: u32,
}

impl Probes {
    /// A new trial begins. Probes of an older one are of another generation.
    pub(super) fn begin(&mut self) {
        self.out.clear();
        (self.good, self.bad) = (0, 0);
    }

    /// May one more be sent? Never more than it takes to decide.
    pub(super) fn may(&self, trial: TrialPolicy) -> bool {
        let out = u32::try_from(self.out.len()).unwrap_or(u32::MAX);
        let all = out.saturating_add(self.good).saturating_add(self.bad);
        all < trial.most()
    }

    pub(super) fn send(&mut self, now: Nanos) {
        self.out.push(now);
    }

    /// When the oldest was sent.
    pub(super) fn oldest(&self) -> Option<Nanos> {
        self.out.iter().min().copied()
    }

    /// Those whose lease has ended have failed.
    pub(super) fn expire(&mut self, now: Nanos, lease: Duration) {
        let before = self.out.len();
        self.out.retain(|sent| sent.after(lease) > now);
        let lost = u32::try_from(before - self.out.len()).unwrap_or(u32::MAX);
        self.bad = self.bad.saturating_add(lost);
    }

    /// The clock was set back: what was sent later than now was sent now.
    pub(super) fn set_right(&mut self, now: Nanos) {
        for sent in &mut self.out {
            *sent = (*sent).min(now);
        }
    }

    /// The one sent at this time is back. False if its lease had ended: it has failed already.
    pub(super) fn back(&mut self, sent: Nanos) -> bool {
        let place = self.out.iter().position(|other| *other == sent);
        place.map(|place| self.out.remove(place)).is_some()
    }

    /// One has shown something.
    pub(super) const fn observe(&mut self, good: bool) {
        if good {
            self.good = self.good.saturating_add(1);
        } else {
            self.bad = self.bad.saturating_add(1);
        }
    }

    /// Has one good one, and no more, been seen?
    pub(super) const fn first_good(&self) -> bool {
        self.good == 1
    }

    /// What they come to. No answer yet, if none.
    pub(super) fn answer(&self, trial: TrialPolicy) -> Option<Answer> {
        match trial {
            TrialPolicy::KOfN { good, .. } if self.good >= good => Some(Answer::Well),
            TrialPolicy::KOfN { good, of } => {
                (self.bad > of.saturating_sub(good)).then_some(Answer::Ill)
            }
            TrialPolicy::Rate { failures, of } => {
                let ended = self.good.saturating_add(self.bad);
                let share = f64::from(self.bad) / f64::from(ended.max(1));
                (ended >= of).then_some(if share >= failures.as_f64() {
                    Answer::Ill
                } else {
                    Answer::Well
                })
            }
            TrialPolicy::Untried => None,
        }
    }
}
