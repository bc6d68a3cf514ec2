use std::{future::poll_fn, mem, task::Poll, time::Duration};

use tower_service::Service;

use super::Case;
use crate::{BoxError, Readiness, Scripted};

/// Only the instance that said it is ready is called, whether the wrapper is called in place or a clone is left in its stead.
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
/// laws::calls_only_what_is_ready(|inner| layer.layer(inner)).await;
/// # }
/// ```
pub async fn calls_only_what_is_ready<S, F>(wrap: F)
where
    F: Fn(Scripted) -> S,
    S: Service<u64, Response = u64> + Clone,
    S::Error: Into<BoxError>,
{
    let (case, mut service) = Case::new("call only what is ready", &wrap);
    for request in 0..8 {
        if request % 2 == 0 {
            let step = Readiness::PendingOnce(Duration::from_millis(1));
            case.script.ready_next(step);
        }
        case.ready(&mut service).await;
        let future = if request % 4 < 2 {
            service.call(request)
        } else {
            let clone = service.clone();
            mem::replace(&mut service, clone).call(request)
        };
        case.echoes(request, future).await;
        case.no_violations();
    }
    let calls = case.script.counts().calls;
    case.hold(calls >= 8, format_args!("8 calls became {calls}"));
}

/// Readiness once given stays until it is used, even if the inner service would not give it twice.
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
/// laws::keeps_readiness(|inner| layer.layer(inner)).await;
/// # }
/// ```
pub async fn keeps_readiness<S, F>(wrap: F)
where
    F: Fn(Scripted) -> S,
    S: Service<u64, Response = u64> + Clone,
    S::Error: Into<BoxError>,
{
    let (case, mut service) = Case::new("readiness is kept until used", &wrap);
    case.ready(&mut service).await;
    case.script.ready_always(Readiness::Never);
    let again = poll_fn(|cx| Poll::Ready(service.poll_ready(cx))).await;
    case.hold(
        matches!(again, Poll::Ready(Ok(()))),
        "the second poll_ready was not ready",
    );
    case.script.ready_always(Readiness::Ready);
    case.echoes(1, service.call(1)).await;
    case.no_violations();
}
