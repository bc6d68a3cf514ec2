//! Cancellation at every await.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use pin_project_lite::pin_project;

/// Runs what `make` makes to its end once, then once more for each place where it can be dropped; `check(k)` runs after each drop.
///
/// The first run counts the polls, *n*. Then for each *k* from 0 to *n* a new future is polled at most *k* times, as its wakes come, and
/// is dropped: at 0 it was never polled, at *n* it has finished. Returns *n*.
///
/// Run it under paused tokio time, so that timers cost nothing and the polls are the same at each run. What draws at random is to be
/// seeded by `make`.
///
/// # Panics
///
/// If the first run does not end within a day or ten thousand polls: there would be no end to the places where it can be dropped.
///
/// # Cancel safety
///
/// Dropping it drops the future in hand; `check` is not called for that one.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// struct Held<'a>(&'a Cell<usize>);
/// impl Drop for Held<'_> {
///     fn drop(&mut self) { self.0.set(self.0.get() - 1) }
/// }
///
/// let held = Cell::new(0);
/// let polls = buttress_test::cancel_everywhere(
///     || async {
///         held.set(held.get() + 1);
///         let _held = Held(&held);
///         tokio::task::yield_now().await;
///     },
///     |k| assert_eq!(held.get(), 0, "leaked when dropped after {k} polls"),
/// )
/// .await;
/// assert_eq!(polls, 2);
/// # }
/// ```
pub async fn cancel_everywhere<Fut, M, C>(mut make: M, mut check: C) -> usize
where
    M: FnMut() -> Fut,
    Fut: Future,
    C: FnMut(usize),
{
    let polls = count_polls(make()).await;
    for limit in 0..=polls {
        // The future is a temporary of this statement: it is gone before `check`.
        let _ = UpTo::new(make(), limit).await;
        check(limit);
    }
    polls
}

/// More than any call should take; a future that wakes itself for ever must not hang its test.
const MOST: usize = 10_000;
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

#[expect(clippy::panic, reason = "fails the test that it is called by")]
async fn count_polls(future: impl Future) -> usize {
    let mut whole = std::pin::pin!(UpTo::new(future, MOST));
    match tokio::time::timeout(PATIENCE, whole.as_mut()).await {
        Ok(Some(_)) => whole.polls(),
        Ok(None) => panic!("the future did not end within {MOST} polls"),
        Err(_) => panic!("the future did not end within {PATIENCE:?}"),
    }
}

pin_project! {
    /// Polls a future up to a number of times: `Some` of its output, or `None` as soon as the last poll allowed was pending.
    ///
    /// # Examples
    ///
    /// ```
    /// use buttress_test::UpTo;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// assert_eq!(UpTo::new(async { 7 }, 1).await, Some(7));
    /// assert_eq!(UpTo::new(async { 7 }, 0).await, None);
    /// # }
    /// ```
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct UpTo<F> {
        #[pin]
        future: F,
        limit: usize,
        polls: usize,
    }
}

impl<F> UpTo<F> {
    /// Polls `future` at most `limit` times.
    pub const fn new(future: F, limit: usize) -> Self {
        Self {
            future,
            limit,
            polls: 0,
        }
    }

    /// How often the future was polled so far.
    #[must_use]
    pub const fn polls(&self) -> usize {
        self.polls
    }
}

impl<F: Future> Future for UpTo<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if *this.polls >= *this.limit {
            return Poll::Ready(None);
        }
        *this.polls += 1;
        match this.future.poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if *this.polls == *this.limit => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::{Answer, Scripted};
    use tower_service::Service;

    #[tokio::test(start_paused = true)]
    async fn counts_the_polls_of_three_awaits() {
        let reached = RefCell::new(Vec::new());
        let checked = RefCell::new(Vec::new());
        let polls = cancel_everywhere(
            || async {
                reached.borrow_mut().push(0);
                for step in 1..=3 {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                    reached.borrow_mut().push(step);
                }
            },
            |k| {
                checked.borrow_mut().push(k);
                reached.borrow_mut().push(9);
            },
        )
        .await;
        assert_eq!(polls, 4);
        assert_eq!(checked.into_inner(), [0, 1, 2, 3, 4]);
        assert_eq!(
            reached.into_inner(),
            [0, 1, 2, 3, 9, 0, 9, 0, 1, 9, 0, 1, 2, 9, 0, 1, 2, 3, 9]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn drops_the_future_before_the_check() {
        let service = Scripted::new();
        let script = service.script();
        script.answer_always(Answer::Ok { pending: 5 });
        let polls = cancel_everywhere(
            || {
                let mut service = service.clone();
                async move {
                    std::future::poll_fn(|cx| service.poll_ready(cx)).await?;
                    service.call(1).await
                }
            },
            |_| assert_eq!((script.counts().live, script.counts().reservations), (0, 0)),
        )
        .await;
        assert_eq!(polls, 6);
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "leaked when dropped after 1 polls")]
    async fn catches_what_is_leaked_at_one_await_alone() {
        let service = Scripted::new();
        let script = service.script();
        cancel_everywhere(
            || {
                let mut service = service.clone();
                async move {
                    std::future::poll_fn(|cx| service.poll_ready(cx)).await?;
                    let held = std::mem::ManuallyDrop::new(service.clone().call(1));
                    tokio::task::yield_now().await;
                    std::mem::ManuallyDrop::into_inner(held).await
                }
            },
            |k| {
                assert_eq!(
                    script.counts().live,
                    0,
                    "leaked when dropped after {k} polls"
                )
            },
        )
        .await;
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "did not end within 10000 polls")]
    async fn ends_although_the_future_spins() {
        let spin = || {
            std::future::poll_fn(|cx| {
                cx.waker().wake_by_ref();
                Poll::<()>::Pending
            })
        };
        cancel_everywhere(spin, |_| ()).await;
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "did not end within 86400s")]
    async fn ends_although_the_future_hangs() {
        cancel_everywhere(std::future::pending::<()>, |_| ()).await;
    }
}
