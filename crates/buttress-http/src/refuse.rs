//! How HTTP says no.

use std::time::Duration;

use buttress_core::Refusal;
use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};

use crate::GuardedBody;

/// How long to leave an overloaded server alone that cannot say it better. Without any hint a 503 reads as a failure.
const A_WHILE: Duration = Duration::from_secs(1);

/// `503` while nobody takes calls, `504` when it took too long; the refusal itself in the extensions.
pub(crate) fn response<B>(refusal: Refusal) -> Response<GuardedBody<B>> {
    let mut response = Response::new(GuardedBody::refusal(Bytes::from(format!("{refusal}\n"))));
    *response.status_mut() = match refusal {
        Refusal::Timeout { .. } | Refusal::Deadline { .. } => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    let usual = matches!(refusal, Refusal::Overloaded { .. }).then_some(A_WHILE);
    if let Some(after) = refusal.retry_after().or(usual) {
        // Whole seconds, rounded up: earlier would be refused again.
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    response.extensions_mut().insert(refusal);
    response
}

#[cfg(test)]
mod tests {
    use buttress_core::Limiter;
    use http_body::Body as _;
    use http_body_util::Empty;

    use super::*;

    #[test]
    fn a_refusal_can_be_told_from_the_servers_own_answer() {
        let refusal = Refusal::Open {
            retry_after: Duration::from_millis(1_200),
        };
        let response = response::<Empty<Bytes>>(refusal);
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        assert_eq!(response.extensions().get(), Some(&refusal));
        assert_eq!(
            response.body().size_hint().exact(),
            Some(refusal.to_string().len() as u64 + 1)
        );
    }

    #[test]
    fn whoever_is_overloaded_says_so_in_words_that_are_no_failure() {
        for (retry_after, header) in [(None, "1"), (Some(Duration::from_millis(2_500)), "3")] {
            let response = response::<Empty<Bytes>>(Refusal::Overloaded {
                by: Limiter::Concurrency,
                retry_after,
            });
            assert_eq!(response.headers()[RETRY_AFTER], header);
            let outcome = crate::classify::head(response.status(), response.headers());
            assert!(matches!(outcome, buttress_core::Outcome::Overload(Some(_))));
        }
    }

    #[test]
    fn what_took_too_long_is_a_gateway_timeout() {
        let response = response::<Empty<Bytes>>(Refusal::Deadline {
            after: Duration::from_secs(1),
        });
        assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
        assert!(!response.headers().contains_key(RETRY_AFTER));
    }
}
