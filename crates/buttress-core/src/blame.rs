//! Whose panic it is.

use crate::{Attempt, Cause, Outcome, Receipt};

/// What ends as a failure where its service panics.
pub trait Blamed {
    /// The service has panicked.
    fn panicked(&mut self);
}

impl Blamed for Option<Attempt> {
    fn panicked(&mut self) {
        if let Some(attempt) = self.take() {
            attempt.finish(Outcome::Failure(Cause::Panic));
        }
    }
}

impl Blamed for Receipt {
    fn panicked(&mut self) {
        self.end(Outcome::Failure(Cause::Panic));
    }
}

/// Held while the service runs, and no longer: a panic that unwinds through it is the service's.
///
/// Any other is not. What is only dropped in somebody's panic, as a call that a handler still waits for, says nothing of whom it was sent
/// to: an [`Attempt`] that is dropped counts as cancelled, and a [`Receipt`] as the head of its answer was judged.
///
/// # Examples
///
/// ```
/// use std::panic::{AssertUnwindSafe, catch_unwind};
/// use buttress_core::{Blame, Cause, Clock, Host, Nanos, Rules, Vitals};
///
/// let vitals = Vitals::new("job", &Rules::default(), &Host::new(Clock(|| Nanos::ZERO)));
/// let mut attempt = vitals.admit().ok();
/// let job = AssertUnwindSafe(|| {
///     let blame = Blame::on(&mut attempt);
///     "many".parse::<u32>().unwrap(); // what is guarded
///     blame.over();
/// });
/// assert!(catch_unwind(job).is_err());
/// assert_eq!(vitals.snapshot(Nanos::ZERO).counts.failures.of(Cause::Panic), 1);
/// ```
#[derive(Debug)]
#[must_use = "over at once"]
pub struct Blame<'a, T: Blamed>(Option<&'a mut T>);

impl<'a, T: Blamed> Blame<'a, T> {
    /// From now on a panic is the service's.
    #[inline]
    pub const fn on(of: &'a mut T) -> Self {
        Self(Some(of))
    }

    /// The service runs no longer.
    #[inline]
    pub fn over(mut self) {
        self.0 = None;
    }
}

impl<T: Blamed> Drop for Blame<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(of) = self.0.take() {
            of.panicked();
        }
    }
}
