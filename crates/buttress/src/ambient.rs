//! What the calls of a task are a part of.

mod marks;

use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use buttress_core::{Call, Nanos, Priority};

pub(crate) use marks::Marks;

use crate::CLOCK;

thread_local! {
    // Constant and without a destructor: reading it is a load.
    static AROUND: Cell<Around> = const { Cell::new(Around::NOTHING) };
}

/// What is being polled around us. Two words, for it is looked at and put in place in every call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Around {
    /// When the call that this is a part of must be over; [`Nanos::MAX`] for never.
    pub(crate) deadline: Nanos,
    pub(crate) marks: Marks,
}

impl Around {
    pub(crate) const NOTHING: Self = Self {
        deadline: Nanos::MAX,
        marks: Marks::NONE,
    };

    #[inline]
    pub(crate) fn here() -> Self {
        AROUND.get()
    }

    /// Is there anything to be a part of?
    #[inline]
    const fn is_something(self) -> bool {
        self.deadline.as_u64() < Nanos::MAX.as_u64() || self.marks.say_more_than_kept()
    }

    /// What is polled from here on is a part of this, if it is something, until what is given back is dropped.
    #[inline]
    pub(crate) fn enter(self) -> Entered {
        let before = Self::here();
        if self.is_something() {
            AROUND.with(|around| around.set(self));
        }
        Entered(before)
    }
}

/// Puts back what was there, come what may: a panic, too.
///
/// A value, for what a closure gives back is moved, and answers are large.
#[must_use = "left at once"]
pub(crate) struct Entered(Around);

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        AROUND.with(|around| around.set(self.0));
    }
}

/// What the code that is running is a part of: the deadline and the priority of the call whose future is being polled
/// on this thread, and whether it is an extra send, by a layer of this crate or by [`carry`].
///
/// Calls made from here are held to it without further ado. A task that is spawned is a part of nothing, unless it is
/// [carried](carry).
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tower::BoxError> {
/// use std::time::Duration;
/// use buttress::{CLOCK, GuardLayer, Plain, Policy, current_call};
/// use tower::{BoxError, Layer as _, ServiceExt as _, service_fn};
///
/// let policy = Policy::new().deadline(Duration::from_secs(1));
/// let handler = service_fn(async |_: ()| Ok::<_, BoxError>(current_call().deadline));
/// let service = GuardLayer::with_policy("orders", Plain, &policy)?.layer(handler);
/// let deadline = service.oneshot(()).await?.expect("the policy has one");
/// assert!(deadline.since(CLOCK.now()) <= Duration::from_secs(1));
/// assert_eq!(current_call().deadline, None);
/// # Ok(()) }
/// ```
#[must_use]
pub fn current_call() -> Call {
    let around = Around::here();
    let mut call = Call::new();
    call.deadline = Some(around.deadline).filter(|at| *at < Nanos::MAX);
    call.priority = around.marks.priority();
    call.extra = around.marks.is_extra();
    call
}

/// Makes the calls of `future` part of `call`: they keep its deadline and have its priority. A time `within` which it is
/// to be over begins here.
///
/// For what the task does not know by itself: in a task that was spawned, [`current_call`] of the one that spawned it; in a worker, what
/// the job says. The future itself is not given up at the deadline, only the calls it makes.
///
/// # Examples
///
/// ```
/// # async fn audit() {}
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use buttress::{carry, current_call};
///
/// tokio::spawn(carry(current_call(), async {
///     audit().await; // calls a service, by the same deadline
/// }));
/// # }
/// ```
pub fn carry<F>(call: Call, future: F) -> Carried<F> {
    Carried {
        future,
        deadline: if call.within.is_some() {
            call.due(CLOCK.now())
        } else {
            call.due(Nanos::ZERO)
        },
        priority: call.priority,
        extra: call.extra,
    }
}

pin_project_lite::pin_project! {
    /// The future of [`carry`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Carried<F> {
        #[pin]
        future: F,
        deadline: Nanos,
        priority: Option<Priority>,
        extra: bool,
    }
}

impl<F: Future> Future for Carried<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let around = Around::here();
        let tighter = *this.deadline < around.deadline;
        let marks = around.marks.tightened(*this.priority, *this.extra);
        let around = Around {
            deadline: around.deadline.min(*this.deadline),
            marks: marks.kept(marks.is_kept() && !tighter),
        };
        let _part = around.enter();
        this.future.poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        pin::pin,
        task::Waker,
    };

    use super::*;

    #[test]
    fn scopes_nest_and_end_in_a_panic_too() {
        let part = |at, priority| Around {
            deadline: Nanos::new(at),
            marks: Marks::NONE.tightened(priority, false).kept(true),
        };
        let (outer, inner) = (part(10, Some(Priority::Low)), part(5, None));
        let entered = outer.enter();
        assert_eq!(current_call().priority, Some(Priority::Low));
        for (around, seen) in [(inner, inner), (Around::NOTHING, outer)] {
            let _entered = around.enter();
            assert_eq!(Around::here(), seen);
        }
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _entered = inner.enter();
            panic!("as planned")
        }));
        assert!(panicked.is_err());
        assert_eq!(Around::here(), outer);
        drop(entered);
        assert_eq!(Around::here(), Around::NOTHING);
    }

    #[test]
    fn what_is_carried_only_tightens_and_only_what_is_kept_around_it_is_kept() {
        let kept = Around {
            deadline: Nanos::new(10),
            marks: Marks::NONE.kept(true),
        };
        for (at, deadline, still) in [(5, 5, false), (10, 10, true), (20, 10, true)] {
            let _entered = kept.enter();
            let mut carried = pin!(carry(Call::new().deadline(Nanos::new(at)), async {
                Around::here()
            }));
            let seen = carried
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            let Poll::Ready(seen) = seen else {
                panic!("it waits for nothing")
            };
            assert_eq!(
                (seen.deadline, seen.marks.is_kept()),
                (Nanos::new(deadline), still)
            );
        }
    }
}
