use std::{future::poll_fn, task::Poll};

use tower_service::Service;

use super::Case;
use crate::{Answer, BoxError, Readiness, Scripted, UpTo};

/// Polls after which a future that would take more is dropped.
const POLLS: std::ops::RangeInclusive<usize> = 0..=4;

/// Dropping a readied service, or a future polled never, a few times or to its end, releases all that it held of the inner service.
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
/// laws::releases_on_drop(|inner| layer.layer(inner)).await;
/// # }
/// ```
pub async fn releases_on_drop<S, F>(wrap: F)
where
    F: Fn(Scripted) -> S,
    S: Service<u64, Response = u64> + Clone,
    S::Error: Into<BoxError>,
{
    let (case, mut service) = Case::new(LAW, &wrap);
    case.ready(&mut service).await;
    let clone = service.clone();
    drop(service);
    drop(clone);
    case.nothing_held("a readied service was dropped").await;

    let (case, mut service) = Case::new(LAW, &wrap);
    case.script.ready_always(Readiness::Never);
    let _ = poll_fn(|cx| Poll::Ready(service.poll_ready(cx))).await;
    drop(service);
    case.nothing_held("a service was dropped while it waited")
        .await;

    // One that picks in `call` waits in its future.
    for polls in POLLS {
        let (case, mut service) = Case::new(LAW, &wrap);
        case.script.ready_always(Readiness::Never);
        let ready = poll_fn(|cx| Poll::Ready(service.poll_ready(cx))).await;
        if ready.is_ready() {
            let future = UpTo::new(service.call(1), polls);
            let _ = tokio::time::timeout(super::PATIENCE, future).await;
        }
        drop(service);
        case.nothing_held(format_args!(
            "a future that waited was dropped after {polls} polls"
        ))
        .await;
    }

    let most = *POLLS.end();
    for answer in [
        Answer::Ok { pending: most },
        Answer::Ok { pending: 0 },
        Answer::Err("the inner error".into()),
        Answer::Hang,
    ] {
        for polls in POLLS {
            drops_after(polls, &answer, &wrap).await;
        }
    }
}

const LAW: &str = "dropping releases everything";

async fn drops_after<S, F>(polls: usize, answer: &Answer, wrap: &F)
where
    F: Fn(Scripted) -> S,
    S: Service<u64, Response = u64>,
    S::Error: Into<BoxError>,
{
    let (case, mut service) = Case::new(LAW, wrap);
    case.script.answer_always(answer.clone());
    case.ready(&mut service).await;
    // A call that hangs waits for a second poll which never comes: then time runs out, and it is dropped all the same.
    let future = UpTo::new(service.call(1), polls);
    let _ = tokio::time::timeout(super::PATIENCE, future).await;
    let after = format_args!("a future was dropped after {polls} polls, by {answer:?}").to_string();
    case.no_live_futures(&after).await;
    case.no_violations();
    drop(service);
    case.nothing_held(format_args!("{after}, and its service too"))
        .await;
}
