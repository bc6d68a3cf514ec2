use std::{
    future::poll_fn,
    task::{Context, Poll, Waker},
};

use tower_service::Service;

use super::{Case, Laws, PATIENCE};
use crate::{Answer, BoxError, Readiness, Scripted, UpTo, wake::settle};

/// What a wrapper has counted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Attempts begun: permits taken.
    pub started: u64,
    /// Attempts ended, one way or another: permits given back.
    pub finished: u64,
    /// Those of them that were held against the inner service.
    pub failed: u64,
}

impl Tally {
    fn since(self, before: Self) -> Self {
        Self {
            started: self.started.wrapping_sub(before.started),
            finished: self.finished.wrapping_sub(before.finished),
            failed: self.failed.wrapping_sub(before.failed),
        }
    }
}

/// Polls after which a future that would take more is dropped.
const DROPPED_AFTER: std::ops::RangeInclusive<usize> = 0..=4;

/// Each call of the inner service is one attempt, finished exactly once: by an answer, an error, or a drop at any poll.
///
/// `tally` reads the counts of the wrapper, which may be shared by all that `wrap` makes: only their growth is looked at. A failure to
/// become ready may be counted as an attempt, or not.
///
/// # Panics
///
/// If the law is broken.
///
/// # Examples
///
/// ```
/// use std::{
///     future::Future,
///     pin::Pin,
///     sync::{Arc, atomic::{AtomicU64, Ordering}},
///     task::{Context, Poll},
/// };
/// use buttress_test::{BoxError, Scripted, laws::{self, Tally}};
/// use tower_service::Service;
///
/// #[derive(Default)]
/// struct Counts { started: AtomicU64, finished: AtomicU64 }
///
/// /// Counts attempts.
/// #[derive(Clone)]
/// struct Counted(Scripted, Arc<Counts>);
///
/// /// Gives its permit back when it is dropped, and only then.
/// struct Permit(Arc<Counts>);
///
/// impl Drop for Permit {
///     fn drop(&mut self) { self.0.finished.fetch_add(1, Ordering::Relaxed); }
/// }
///
/// impl Service<u64> for Counted {
///     type Response = u64;
///     type Error = BoxError;
///     type Future = Pin<Box<dyn Future<Output = Result<u64, BoxError>>>>;
///
///     fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> { self.0.poll_ready(cx) }
///
///     fn call(&mut self, request: u64) -> Self::Future {
///         self.1.started.fetch_add(1, Ordering::Relaxed);
///         let (permit, future) = (Permit(Arc::clone(&self.1)), self.0.call(request));
///         Box::pin(async move {
///             let _permit = permit;
///             future.await
///         })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// laws::finishes_once(
///     |inner| Counted(inner, Arc::default()),
///     |Counted(_, counts)| Tally {
///         started: counts.started.load(Ordering::Relaxed),
///         finished: counts.finished.load(Ordering::Relaxed),
///         failed: 0,
///     },
/// )
/// .await;
/// # }
/// ```
pub async fn finishes_once<S, F, T>(wrap: F, tally: T)
where
    F: Fn(Scripted) -> S,
    S: Service<u64, Response = u64>,
    S::Error: Into<BoxError>,
    T: Fn(&S) -> Tally,
{
    for answer in [
        Answer::Ok { pending: 0 },
        Answer::Ok { pending: 2 },
        Answer::Err("the inner error".into()),
        Answer::Hang,
    ] {
        for polls in DROPPED_AFTER {
            ends_once(polls, &answer, &wrap, &tally).await;
        }
    }

    let (case, mut service) = Case::new(LAW, &wrap);
    let before = tally(&service);
    case.script.ready_always(Readiness::Err("not today".into()));
    let ready = case.within(poll_fn(|cx| service.poll_ready(cx))).await;
    if ready.is_ok() {
        // Its future finds out instead, if it takes the call at all.
        let _ = case.within(service.call(1)).await;
    }
    let now = tally(&service).since(before);
    case.hold(
        now.started == now.finished,
        format_args!("{now:?} after a failure to become ready"),
    );
}

const LAW: &str = "an attempt is finished once";

async fn ends_once<S, F, T>(polls: usize, answer: &Answer, wrap: &F, tally: &T)
where
    F: Fn(Scripted) -> S,
    S: Service<u64, Response = u64>,
    S::Error: Into<BoxError>,
    T: Fn(&S) -> Tally,
{
    let (case, mut service) = Case::new(LAW, wrap);
    let before = tally(&service);
    case.script.answer_always(answer.clone());
    case.ready(&mut service).await;
    {
        let mut future = std::pin::pin!(UpTo::new(service.call(1), polls));
        // A call that hangs waits for a second poll which never comes: then time runs out, and it is dropped all the same.
        let _ = tokio::time::timeout(PATIENCE, future.as_mut()).await;
    }
    settle().await;
    let now = tally(&service).since(before);
    let calls = case.script.counts().calls as u64;
    case.hold(
        now.started == calls && now.finished == calls,
        format_args!(
            "{calls} inner calls, dropped after {polls} polls by {answer:?}, became {now:?}"
        ),
    );
}

/// While the inner service is not ready no permit is held, and however long that takes, nothing is held against it: it is hot, not sick.
///
/// `tally` reads the counts of the wrapper, as for [`finishes_once`].
///
/// # Panics
///
/// If the law is broken.
///
/// # Examples
///
/// ```
/// use buttress_test::laws::{self, Laws, Tally};
/// use tower_layer::{Identity, Layer};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let layer = Identity::new(); // your layer here
/// let tally = |_: &_| Tally::default(); // and its counts
/// laws::waits_without_permit(Laws::default(), |inner| layer.layer(inner), tally).await;
/// # }
/// ```
pub async fn waits_without_permit<S, F, T>(laws: Laws, wrap: F, tally: T)
where
    F: Fn(Scripted) -> S,
    S: Service<u64, Response = u64>,
    S::Error: Into<BoxError>,
    T: Fn(&S) -> Tally,
{
    let (case, mut service) = Case::new("an inner `Pending` holds no permit", &wrap);
    let before = tally(&service);
    case.script.ready_always(Readiness::Never);
    // Nothing wakes it here: only what one poll leaves behind is looked at.
    let mut cx = Context::from_waker(Waker::noop());
    if laws.forwards_readiness {
        let pending = service.poll_ready(&mut cx).is_pending();
        case.hold(pending, "it was ready while the inner service was held");
        case.waited(tally(&service).since(before), "not ready yet");
        let ready = poll_fn(|cx| service.poll_ready(cx));
        let _ = tokio::time::timeout(PATIENCE, UpTo::new(ready, super::POLLS)).await;
    } else {
        let ready = service.poll_ready(&mut cx);
        case.hold(
            matches!(ready, Poll::Ready(Ok(()))),
            "it was to be always ready, and is not",
        );
        let mut future = Box::pin(service.call(1));
        let pending = future.as_mut().poll(&mut cx).is_pending();
        case.hold(pending, "it was ready while the inner service was held");
        case.waited(tally(&service).since(before), "not ready yet");
        let _ = tokio::time::timeout(PATIENCE, UpTo::new(future, super::POLLS)).await;
    }
    let now = tally(&service).since(before);
    case.waited(now, "not ready for a day");
    let calls = case.script.counts().calls;
    case.hold(calls == 0, "it was called all the same");
    drop(service);
    case.nothing_held("a service that was never ready was dropped")
        .await;
}

impl Case {
    fn waited(&self, now: Tally, while_: &str) {
        self.hold(
            now.started == now.finished,
            format_args!("{now:?} while {while_}"),
        );
        self.hold(
            now.failed == 0,
            format_args!("held against it while {while_}: {now:?}"),
        );
    }
}
