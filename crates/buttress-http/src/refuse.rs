//! How HTTP says no.

use buttress_core::Refusal;
use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};

use crate::GuardedBody;

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
    if let Some(after) = refusal.retry_after() {
        // Whole seconds, rounded up: earlier would be refused again.
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    response.extensions_mut().insert(refusal);
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
    fn what_took_too_long_is_a_gateway_timeout() {
        let response = response::<Empty<Bytes>>(Refusal::Deadline {
            after: Duration::from_secs(1),
        });
        assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
        assert!(!response.headers().contains_key(RETRY_AFTER));
    }
}
