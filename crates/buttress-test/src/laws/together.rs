use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

use tower_service::Service;

use super::Case;
use crate::{Answer, BoxError, Scripted, wake::settle};

/// Clones that call at once; the wrapper must admit them all.
const CLONES: u64 = 8;

/// Clones serve side by side: one whose call hangs does not hold up the others, and each gets its own answer.
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
/// laws::serves_clones_together(|inner| layer.layer(inner)).await;
/// # }
/// ```
pub async fn serves_clones_together<S, F>(wrap: F)
where
    F: Fn(Scripted) -> S,
    S: Service<u64, Response = u64> + Clone,
    S::Error: Into<BoxError>,
{
    let (case, service) = Case::new("clones serve together", &wrap);
    case.script.answer_next(Answer::Hang);
    let mut hung = case.calls(0, &service).await;
    case.hold(
        poll_fn(|cx| Poll::Ready(hung.as_mut().poll(cx).is_pending())).await,
        "it answered while the inner service hung",
    );
    settle().await;

    case.script.answer_always(Answer::Ok { pending: 3 });
    let mut futures = Vec::new();
    for request in 1..CLONES {
        futures.push((request, case.calls(request, &service).await));
    }
    let together = poll_fn(|cx| {
        futures.retain_mut(|(request, future)| match future.as_mut().poll(cx) {
            Poll::Ready(answer) => {
                case.echoed(*request, answer);
                false
            }
            Poll::Pending => true,
        });
        if futures.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    case.within(together).await;

    case.script.release();
    case.echoes(0, hung.as_mut()).await;
    case.no_violations();
    drop(hung);
    drop(service);
    case.nothing_held("all clones were served").await;
}

impl Case {
    async fn calls<S>(&self, request: u64, service: &S) -> Pin<Box<S::Future>>
    where
        S: Service<u64> + Clone,
        S::Error: Into<BoxError>,
    {
        let mut clone = service.clone();
        self.ready(&mut clone).await;
        Box::pin(clone.call(request))
    }
}
