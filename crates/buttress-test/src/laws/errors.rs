use std::{error::Error, future::poll_fn};

use tower_service::Service;

use super::Case;
use crate::{Answer, Readiness, Scripted};

/// Errors of the inner service, from `poll_ready` and from the call, come out as they went in.
///
/// `same(error, text)` says whether the wrapper's error is the inner one, which displays as `text`; most often that is [`carries`].
/// An error of `poll_ready` may come out of the wrapper's `poll_ready` or of its call.
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
/// laws::passes_errors(|inner| layer.layer(inner), |error, text| laws::carries(&*error, text)).await;
/// # }
/// ```
pub async fn passes_errors<S, F, C>(wrap: F, same: C)
where
    F: Fn(Scripted) -> S,
    S: Service<u64, Response = u64> + Clone,
    C: Fn(S::Error, &str) -> bool,
{
    let (case, mut service) = Case::new("errors of a call pass unchanged", &wrap);
    let text = "the inner call failed, 4711";
    case.script.answer_always(Answer::Err(text.into()));
    let error = case.fails(&mut service).await;
    case.hold(same(error, text), "another error came out");
    case.no_violations();

    let (case, mut service) = Case::new("errors of poll_ready pass unchanged", &wrap);
    let text = "the inner poll_ready failed, 4712";
    case.script.ready_always(Readiness::Err(text.into()));
    let error = case.fails(&mut service).await;
    case.hold(same(error, text), "another error came out");
    case.no_violations();
}

/// Whether the error, or one in its chain of sources, displays as `text`.
#[must_use]
pub fn carries(error: &(dyn Error + Send + Sync + 'static), text: &str) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if error.to_string() == text {
            return true;
        }
        next = error.source();
    }
    false
}

impl Case {
    async fn fails<S: Service<u64>>(&self, service: &mut S) -> S::Error {
        match self.within(one_call(service)).await {
            Err(error) => error,
            Ok(_) => self.broken("the inner error was lost"),
        }
    }
}

async fn one_call<S: Service<u64>>(service: &mut S) -> Result<S::Response, S::Error> {
    poll_fn(|cx| service.poll_ready(cx)).await?;
    service.call(1).await
}
