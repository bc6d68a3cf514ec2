//! How HTTP says no.

use std::time::Duration;

use buttress_core::{Limiter, Refusal};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::RETRY_AFTER};

use crate::{GuardedBody, http::Limits, problem::Problem};

/// How long to leave an overloaded server alone that cannot say it better. Without any hint a 503 reads as a failure.
const A_WHILE: Duration = Duration::from_secs(1);

/// The refusal as a problem, and itself in the extensions.
pub(crate) fn response<B>(refusal: Refusal, limits: Limits) -> Response<GuardedBody<B>> {
    words(refusal, limits).map(GuardedBody::refusal)
}

/// The same for whoever has a body of their own to put it in.
pub(crate) fn words(refusal: Refusal, limits: Limits) -> Response<Bytes> {
    let retry_after = seconds(&refusal);
    let mut response = Problem {
        status: status(&refusal, limits),
        detail: &refusal.to_string(),
        reason: reason(&refusal),
        retry_after,
    }
    .response();
    if let Some(seconds) = retry_after {
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response.extensions_mut().insert(refusal);
    response
}

/// `504` when it took too long (RFC 9110 §15.6.5), else `503`: we cannot now (§15.6.4).
///
/// `429` says that *this* client sends too much (RFC 6585 §4), which a limit knows that counts the calls of one.
const fn status(refusal: &Refusal, limits: Limits) -> StatusCode {
    match refusal {
        Refusal::Overloaded { by, .. } if is_of_one(*by, limits) => StatusCode::TOO_MANY_REQUESTS,
        Refusal::Timeout { .. } | Refusal::Deadline { .. } => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The throttle is about the service, whoever calls.
const fn is_of_one(by: Limiter, limits: Limits) -> bool {
    matches!(limits, Limits::OfOne) && !matches!(by, Limiter::Throttle)
}

/// Whole seconds, rounded up: earlier would be refused again. At least one, for zero says nothing.
fn seconds(refusal: &Refusal) -> Option<u64> {
    let usual = matches!(refusal, Refusal::Overloaded { .. }).then_some(A_WHILE);
    let after = refusal.retry_after().or(usual)?;
    let part = u64::from(after.subsec_nanos() > 0);
    Some(after.as_secs().saturating_add(part).max(1))
}

const fn reason(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Open { .. } => "open",
        Refusal::Withdrawn => "withdrawn",
        Refusal::NoEndpoint { .. } => "no_endpoint",
        Refusal::Panic { .. } => "panic",
        Refusal::Disconnected { .. } => "disconnected",
        Refusal::Quorum { .. } => "quorum",
        Refusal::Overloaded { by, .. } => match by {
            Limiter::Concurrency => "concurrency",
            Limiter::Queue => "queue",
            Limiter::Throttle => "throttle",
            Limiter::Shed => "shed",
            _ => "overloaded",
        },
        Refusal::Timeout { .. } => "timeout",
        Refusal::Deadline { .. } => "deadline",
        _ => "refused",
    }
}

#[cfg(test)]
mod tests {
    use buttress_core::Outcome;
    use http::header::CONTENT_TYPE;

    use super::*;

    fn text(response: &Response<Bytes>) -> &str {
        std::str::from_utf8(response.body()).unwrap()
    }

    #[test]
    fn a_refusal_can_be_told_from_the_servers_own_answer() {
        let refusal = Refusal::Open {
            retry_after: Duration::from_millis(1_200),
        };
        let response = words(refusal, Limits::All);
        assert_eq!(response.extensions().get(), Some(&refusal));
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    }

    #[test]
    fn refusals_as_a_table() {
        let (second, none) = (Some(Duration::from_secs(1)), None);
        let after = Duration::from_millis(1_200);
        let overloaded = |by, retry_after| Refusal::Overloaded { by, retry_after };
        let empty = Refusal::NoEndpoint {
            known: 3,
            retry_after: none,
        };
        let panic = Refusal::Panic {
            usable: 1,
            known: 3,
            retry_after: second,
        };
        let quorum = Refusal::Quorum {
            agreed: 1,
            needed: 2,
        };
        for (refusal, status, retry_after, reason) in [
            (Refusal::Open { retry_after: after }, 503, Some("2"), "open"),
            (Refusal::Withdrawn, 503, None, "withdrawn"),
            (empty, 503, None, "no_endpoint"),
            (panic, 503, Some("1"), "panic"),
            (
                Refusal::Disconnected {
                    retry_after: Duration::ZERO,
                },
                503,
                Some("1"),
                "disconnected",
            ),
            (quorum, 503, None, "quorum"),
            (
                overloaded(Limiter::Concurrency, none),
                503,
                Some("1"),
                "concurrency",
            ),
            (overloaded(Limiter::Queue, none), 503, Some("1"), "queue"),
            (
                overloaded(Limiter::Throttle, Some(after)),
                503,
                Some("2"),
                "throttle",
            ),
            (overloaded(Limiter::Shed, none), 503, Some("1"), "shed"),
            (Refusal::Timeout { after }, 504, None, "timeout"),
            (Refusal::Deadline { after }, 504, None, "deadline"),
            (
                Refusal::Open {
                    retry_after: Duration::MAX,
                },
                503,
                Some("18446744073709551615"),
                "open",
            ),
        ] {
            let response = words(refusal, Limits::All);
            assert_eq!(response.status().as_u16(), status, "{refusal:?}");
            let header = response.headers().get(RETRY_AFTER);
            let header = header.map(|value| value.to_str().unwrap());
            assert_eq!(header, retry_after, "{refusal:?}");
            let said = format!(r#""reason":"{reason}""#);
            assert!(text(&response).contains(&said), "{}", text(&response));
            let member = retry_after.map(|seconds| format!(r#""retry_after":{seconds}}}"#));
            assert!(member.is_none_or(|member| text(&response).contains(&member)));
        }
    }

    #[test]
    fn a_limit_that_counts_the_calls_of_one_client_says_so_and_nothing_else_does() {
        let overloaded = |by| Refusal::Overloaded {
            by,
            retry_after: None,
        };
        for (refusal, status) in [
            (overloaded(Limiter::Concurrency), 429),
            (overloaded(Limiter::Queue), 429),
            (overloaded(Limiter::Shed), 429),
            (overloaded(Limiter::Throttle), 503),
            (Refusal::Withdrawn, 503),
        ] {
            let response = words(refusal, Limits::OfOne);
            assert_eq!(response.status().as_u16(), status, "{refusal:?}");
        }
    }

    #[test]
    fn whoever_is_overloaded_says_so_in_words_that_are_no_failure() {
        for by in [
            Limiter::Concurrency,
            Limiter::Queue,
            Limiter::Throttle,
            Limiter::Shed,
        ] {
            let refusal = Refusal::Overloaded {
                by,
                retry_after: None,
            };
            let response = words(refusal, Limits::All);
            let outcome = crate::classify::head(response.status(), response.headers());
            assert!(matches!(outcome, Outcome::Overload(Some(_))), "{by}");
        }
    }
}
