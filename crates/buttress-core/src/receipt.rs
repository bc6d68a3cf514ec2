//! What is open of a call whose answer has begun.

use std::time::Duration;

use crate::{Attempt, Cause, Clock, Nanos, Outcome, Refusal};

/// What is open of a call whose answer has begun: its attempt, and how long the rest is waited for.
///
/// Whoever knows when the answer is over [finishes](Self::finish) it. Dropped, it ends as it is [expected](Self::expect) to: as the head
/// of the answer was judged, unless a protocol says otherwise. Where the service's code runs for the rest, [`Blame`](crate::Blame) tells its
/// panic from others'.
#[derive(Debug)]
#[must_use = "a receipt that is dropped ends the call"]
pub struct Receipt {
    outcome: Outcome,
    attempt: Option<Attempt>,
    due: Option<Due>,
    took: Option<Duration>,
}

/// When what is left of a call must be over.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    /// When.
    pub at: Nanos,
    /// What is over then.
    pub end: End,
    /// When it began.
    pub began: Nanos,
    /// Whose time that is.
    pub clock: Clock,
}

impl Due {
    /// A failure that comes when the time of the call is over is no evidence: whoever was asked had no time to do better.
    #[inline]
    #[must_use]
    pub fn excuse(&self, outcome: Outcome) -> Outcome {
        if self.end == End::Call && matches!(outcome, Outcome::Failure(_)) && self.is_over() {
            Outcome::Cancelled
        } else {
            outcome
        }
    }

    #[cold]
    fn is_over(&self) -> bool {
        self.at <= self.clock.now()
    }
}

/// What is over when a time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The time of the attempt: its endpoint has failed.
    Attempt,
    /// That of the attempt and that of the call: its endpoint has failed, and nothing else can be done.
    Both,
    /// The time of the call, before that of the attempt: no evidence against the endpoint.
    Call,
}

impl Receipt {
    /// Of an answer that was judged so. `attempt` is absent when it has already been finished: a failure that nothing could better.
    #[inline]
    pub const fn new(outcome: Outcome, attempt: Option<Attempt>) -> Self {
        Self {
            outcome,
            attempt,
            due: None,
            took: None,
        }
    }

    /// Sets when the rest must be over. [`Nanos::MAX`] is never.
    #[inline]
    pub fn due(mut self, due: Due) -> Self {
        self.due = (due.at < Nanos::MAX).then_some(due);
        self
    }

    /// How it ends if nothing more is heard.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Sets how it ends if nothing more is heard.
    pub const fn expect(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// The answer has begun: how long that took is how long the call took, and the rest of it takes as long as it takes. For answers of
    /// many parts, which would else be taken for slow, or for such as hang. Only the first time counts; reads the clock then.
    pub fn answered(&mut self) {
        if let (None, Some(attempt)) = (self.took, &mut self.attempt) {
            self.took = Some(attempt.answered());
        }
    }

    /// It is over, and went so. Only the first time counts. Reads the clock, for a failure again: one that comes after the
    /// [time of the call](End::Call) is no evidence.
    #[inline]
    pub fn finish(&mut self, outcome: Outcome) {
        // What the head said is of its time.
        if outcome == self.outcome {
            self.end(outcome);
        } else {
            self.end(self.due.map_or(outcome, |due| due.excuse(outcome)));
        }
    }

    #[inline]
    pub(crate) fn end(&mut self, outcome: Outcome) {
        if let Some(attempt) = self.attempt.take() {
            match self.took {
                None => attempt.finish(outcome),
                Some(took) => attempt.finish_as(outcome, took),
            };
        }
    }

    /// How long the rest is waited for from now on, if there is an end to it. Reads the clock.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        self.due.map(|due| due.at.since(due.clock.now()))
    }

    /// Its time is over: how that is said.
    pub fn give_up(&mut self) -> Refusal {
        let after = self
            .due
            .map_or(Duration::ZERO, |due| due.at.since(due.began));
        let end = self.due.map_or(End::Call, |due| due.end);
        let Some(attempt) = self.attempt.take() else {
            return Refusal::Deadline { after };
        };
        if end != End::Attempt {
            attempt.calls().overdue();
        }
        if end == End::Call {
            drop(attempt);
        } else {
            attempt.finish(Outcome::Failure(Cause::Timeout));
        }
        match end {
            End::Attempt => Refusal::Timeout { after },
            End::Both | End::Call => Refusal::Deadline { after },
        }
    }
}

impl Drop for Receipt {
    #[inline]
    fn drop(&mut self) {
        self.end(self.outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Blame, Host, Rules, Vitals};

    fn vitals() -> Vitals {
        Vitals::new("x", &Rules::default(), &Host::new(Clock(|| Nanos::new(7))))
    }

    fn due(end: End) -> Due {
        Due {
            at: Nanos::new(10),
            end,
            began: Nanos::new(2),
            clock: Clock(|| Nanos::new(7)),
        }
    }

    #[test]
    fn dropped_it_ends_as_expected() {
        let vitals = vitals();
        drop(Receipt::new(Outcome::Success, vitals.admit().ok()));
        let mut receipt = Receipt::new(Outcome::Success, vitals.admit().ok());
        receipt.expect(Outcome::Cancelled);
        drop(receipt);
        let counts = vitals.snapshot(Nanos::ZERO).counts;
        assert_eq!((counts.successes, counts.cancelled), (1, 1));
    }

    #[test]
    fn whoever_panics_while_the_rest_is_read_has_failed_and_nobody_who_is_dropped_in_it() {
        for (runs, panics) in [(true, 1), (false, 0)] {
            let vitals = vitals();
            let mut receipt = Receipt::new(Outcome::Success, vitals.admit().ok());
            let reading = std::panic::AssertUnwindSafe(|| {
                let blame = Blame::on(&mut receipt);
                if !runs {
                    blame.over();
                    drop(receipt);
                }
                panic!("as planned");
            });
            assert!(std::panic::catch_unwind(reading).is_err());
            let counts = vitals.snapshot(Nanos::ZERO).counts;
            let ended = (counts.failures.of(Cause::Panic), counts.successes);
            assert_eq!(ended, (panics, 1 - panics));
        }
    }

    #[test]
    fn a_failure_after_the_time_of_the_call_is_no_evidence() {
        for (end, head, cancelled) in [
            (End::Call, Outcome::Success, 1),
            (End::Attempt, Outcome::Success, 0),
            // It was judged in time.
            (End::Call, Outcome::Failure(Cause::Reset), 0),
        ] {
            let vitals = vitals();
            let over = Due {
                at: Nanos::new(7),
                ..due(end)
            };
            let mut receipt = Receipt::new(head, vitals.admit().ok()).due(over);
            receipt.finish(Outcome::Failure(Cause::Reset));
            let counts = vitals.snapshot(Nanos::ZERO).counts;
            let ended = (counts.cancelled, counts.failures.of(Cause::Reset));
            assert_eq!(ended, (cancelled, 1 - cancelled), "{end:?}");
        }
    }

    #[test]
    fn it_is_finished_once() {
        let vitals = vitals();
        let mut receipt = Receipt::new(Outcome::Success, vitals.admit().ok());
        receipt.finish(Outcome::Failure(Cause::Reset));
        receipt.finish(Outcome::Success);
        drop(receipt);
        let counts = vitals.snapshot(Nanos::ZERO).counts;
        assert_eq!(
            (counts.failures.of(Cause::Reset), counts.finished()),
            (1, 1)
        );
    }

    #[test]
    fn whose_time_is_over_decides_who_has_failed() {
        let after = Duration::from_nanos(8);
        for (end, refusal, timeouts) in [
            (End::Attempt, Refusal::Timeout { after }, 1),
            (End::Both, Refusal::Deadline { after }, 1),
            (End::Call, Refusal::Deadline { after }, 0),
        ] {
            let vitals = vitals();
            let mut receipt = Receipt::new(Outcome::Success, vitals.admit().ok()).due(due(end));
            assert_eq!(receipt.left(), Some(Duration::from_nanos(3)));
            assert_eq!(receipt.give_up(), refusal);
            drop(receipt);
            let counts = vitals.snapshot(Nanos::ZERO).counts;
            assert_eq!(
                (
                    counts.failures.of(Cause::Timeout),
                    counts.cancelled,
                    counts.successes
                ),
                (timeouts, 1 - timeouts, 0),
                "{end:?}"
            );
        }
    }
}
