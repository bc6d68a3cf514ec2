use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::{Context, Poll},
};

use tower_service::Service;

use super::{Case, Laws};
use crate::{
    Answer, BoxError, Readiness, Scripted,
    wake::{Wakes, settle},
};

/// Every `Pending` leaves the waker of the last poll to be woken by an event, and nothing wakes without one.
///
/// The inner service is held while a hundred turns go by with time standing still, and then released.
///
/// # Panics
///
/// If the law is broken.
///
/// # Examples
///
/// ```
/// use buttress_test::laws;
/// use tower_layer::{Identity, Layer};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let layer = Identity::new(); // your layer here
/// laws::wakes_only_on_events(laws::Laws::default(), |inner| layer.layer(inner)).await;
/// # }
/// ```
pub async fn wakes_only_on_events<S, F>(laws: Laws, wrap: F)
where
    F: Fn(Scripted) -> S,
    S: Service<u64, Response = u64> + Clone,
    S::Error: Into<BoxError>,
{
    held_readiness(laws, &wrap).await;
    held_answer(&wrap).await;
}

async fn held_readiness<S, F>(laws: Laws, wrap: &F)
where
    F: Fn(Scripted) -> S,
    S: Service<u64, Response = u64>,
    S::Error: Into<BoxError>,
{
    let (case, mut service) = Case::new("wake only on events, while not ready", wrap);
    case.script.ready_always(Readiness::Never);
    if laws.forwards_readiness {
        let ready = case.pends_quietly(|cx| service.poll_ready(cx)).await;
        if let Err(error) = ready {
            case.broken(format_args!("poll_ready failed: {}", error.into()));
        }
        case.echoes(1, service.call(1)).await;
    } else {
        let ready = poll_fn(|cx| Poll::Ready(service.poll_ready(cx))).await;
        case.hold(
            matches!(ready, Poll::Ready(Ok(()))),
            "it was to be always ready, and is not",
        );
        let mut future = pin!(service.call(1));
        let answer = case.pends_quietly(|cx| future.as_mut().poll(cx)).await;
        case.echoed(1, answer);
    }
    case.no_violations();
}

async fn held_answer<S, F>(wrap: &F)
where
    F: Fn(Scripted) -> S,
    S: Service<u64, Response = u64>,
    S::Error: Into<BoxError>,
{
    let (case, mut service) = Case::new("wake only on events, while calling", wrap);
    case.script.answer_always(Answer::Hang);
    case.ready(&mut service).await;
    let mut future = pin!(service.call(1));
    let answer = case.pends_quietly(|cx| future.as_mut().poll(cx)).await;
    case.echoed(1, answer);
    case.no_violations();
}

impl Case {
    async fn pends_quietly<T>(&self, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
        // The second poll has another waker, as when a future moves to another task.
        self.pends_once(&mut poll).await;
        let last = self.pends_once(&mut poll).await;

        self.script.ready_always(Readiness::Ready);
        self.script.answer_always(Answer::Ok { pending: 0 });
        self.script.release();
        settle().await;
        self.hold(
            last.count() > 0,
            "an event did not wake the waker of the last poll",
        );
        self.within(poll_fn(poll)).await
    }

    async fn pends_once<T>(
        &self,
        poll: &mut impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> std::sync::Arc<Wakes> {
        let (wakes, waker) = Wakes::new();
        let pending = poll(&mut Context::from_waker(&waker)).is_pending();
        self.hold(pending, "it was ready while the inner service was held");
        settle().await;
        let woken = wakes.count();
        self.hold(woken == 0, format_args!("woken {woken} times by no event"));
        wakes
    }
}
