//! What the calls of a task are a part of.

use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use buttress_core::{Call, Nanos, Priority};

use crate::CLOCK;

thread_local! {
    // Constant and without a destructor: reading it is a load.
    static AROUND: Cell<Around> = const { Cell::new(Around::NOTHING) };
}

/// What is being polled around us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Around {
    /// When the call that this is a part of must be over; [`Nanos::MAX`] for never.
    pub(crate) deadline: Nanos,
    /// When it is given up by whoever polls us, with all its parts; [`Nanos::MAX`] for never.
    pub(crate) given_up: Nanos,
    pub(crate) priority: Option<Priority>,
}

impl Around {
    pub(crate) const NOTHING: Self = Self {
        deadline: Nanos::MAX,
        given_up: Nanos::MAX,
        priority: None,
    };

    pub(crate) fn here() -> Self {
        AROUND.get()
    }

    /// What is polled until the scope is dropped is a part of a call that we give up at `at`.
    pub(crate) fn given_up_at(at: Nanos, priority: Option<Priority>) -> Option<Scope> {
        (at < Nanos::MAX || priority.is_some()).then(|| {
            Scope::enter(|around| Self {
                deadline: around.deadline.min(at),
                given_up: around.given_up.min(at),
                priority: lower(around.priority, priority),
            })
        })
    }
}

/// Puts back what was there, come what may: a panic, too.
#[derive(Debug)]
pub(crate) struct Scope(Around);

impl Scope {
    fn enter(change: impl FnOnce(Around) -> Around) -> Self {
        let before = AROUND.get();
        AROUND.set(change(before));
        Self(before)
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        AROUND.set(self.0);
    }
}

/// What the code that is running is a part of: the deadline and the priority of the call whose future is being polled
/// on this thread, by a layer of this crate or by [`carry`].
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
    call.priority = around.priority;
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
    }
}

impl<F: Future> Future for Carried<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _scope = Scope::enter(|around| Around {
            deadline: around.deadline.min(*this.deadline),
            priority: lower(around.priority, *this.priority),
            ..around
        });
        this.future.poll(cx)
    }
}

/// A part of what matters little does not matter more; where nothing is said, it matters as much.
pub(crate) fn lower(around: Option<Priority>, own: Option<Priority>) -> Option<Priority> {
    match (around, own) {
        (Some(around), Some(own)) => Some(around.min(own)),
        (around, own) => around.or(own),
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn scopes_nest_only_tighten_and_end_in_a_panic_too() {
        let deadline = || Around::here().deadline.as_u64();
        let outer = Around::given_up_at(Nanos::new(10), Some(Priority::Low));
        let inner = Around::given_up_at(Nanos::new(20), None);
        assert_eq!((deadline(), Around::here().given_up.as_u64()), (10, 10));
        assert_eq!(current_call().priority, Some(Priority::Low));
        drop(inner);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _tighter = Around::given_up_at(Nanos::new(5), Some(Priority::High));
            assert_eq!(deadline(), 5);
            panic!("as planned");
        }));
        assert!(panicked.is_err());
        assert_eq!(deadline(), 10);
        drop(outer);
        assert_eq!(Around::here(), Around::NOTHING);
        assert!(Around::given_up_at(Nanos::MAX, None).is_none());
    }
}
