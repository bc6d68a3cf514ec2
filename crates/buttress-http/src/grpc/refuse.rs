//! How gRPC says no.

use buttress_core::Refusal;
use http::{HeaderMap, HeaderValue, Response, header::CONTENT_TYPE};

use super::{
    message, pushback,
    status::{Code, MESSAGE, STATUS},
};
use crate::GuardedBody;

/// A head that is all there is: `UNAVAILABLE` while nobody takes calls, `RESOURCE_EXHAUSTED` where there is too much to do,
/// `DEADLINE_EXCEEDED` when it took too long; the refusal itself in the extensions.
pub(crate) fn response<B>(refusal: Refusal) -> Response<GuardedBody<B>> {
    let mut response = Response::new(GuardedBody::empty());
    *response.headers_mut() = trailers(refusal);
    let kind = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response.extensions_mut().insert(refusal);
    response
}

/// The same for a call that had begun to be answered.
pub(crate) fn trailers(refusal: Refusal) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    let code = u16::from(code(refusal).number());
    headers.insert(STATUS, HeaderValue::from(code));
    headers.insert(MESSAGE, message::encode(&refusal.to_string()));
    if let Some(after) = refusal.retry_after() {
        pushback::write(&mut headers, after);
    }
    headers
}

const fn code(refusal: Refusal) -> Code {
    match refusal {
        Refusal::Timeout { .. } | Refusal::Deadline { .. } => Code::DEADLINE_EXCEEDED,
        Refusal::Overloaded { .. } => Code::RESOURCE_EXHAUSTED,
        _ => Code::UNAVAILABLE,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use buttress_core::{Cause, Limiter, Outcome};
    use bytes::Bytes;
    use http::StatusCode;
    use http_body::Body as _;
    use http_body_util::Empty;

    use super::*;
    use crate::grpc::status;

    #[test]
    fn a_refusal_has_the_code_a_client_expects_and_can_be_told_from_the_servers_own() {
        let after = Duration::from_millis(1_200);
        let soon = Some(after);
        let by = Limiter::Concurrency;
        let unavailable = Outcome::Failure(Cause::Error);
        let hint = Outcome::Overload(soon);
        let late = Outcome::Failure(Cause::RemoteTimeout);
        for (refusal, code, pushback, outcome) in [
            (
                Refusal::Open { retry_after: after },
                "14",
                Some("1200"),
                hint,
            ),
            (Refusal::Withdrawn, "14", None, unavailable),
            (
                Refusal::NoEndpoint {
                    known: 3,
                    retry_after: soon,
                },
                "14",
                Some("1200"),
                hint,
            ),
            (
                Refusal::Panic {
                    usable: 1,
                    known: 3,
                    retry_after: None,
                },
                "14",
                None,
                unavailable,
            ),
            (
                Refusal::Disconnected { retry_after: after },
                "14",
                Some("1200"),
                hint,
            ),
            (
                Refusal::Quorum {
                    agreed: 1,
                    needed: 2,
                },
                "14",
                None,
                unavailable,
            ),
            (
                Refusal::Overloaded {
                    by,
                    retry_after: None,
                },
                "8",
                None,
                Outcome::Overload(None),
            ),
            (
                Refusal::Overloaded {
                    by,
                    retry_after: soon,
                },
                "8",
                Some("1200"),
                hint,
            ),
            (Refusal::Timeout { after }, "4", None, late),
            (Refusal::Deadline { after }, "4", None, late),
        ] {
            let response = response::<Empty<Bytes>>(refusal);
            let headers = response.headers();
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(headers[CONTENT_TYPE], "application/grpc");
            assert_eq!(headers[STATUS], code);
            assert_eq!(headers[MESSAGE], message::encode(&refusal.to_string()));
            let said = headers.get("grpc-retry-pushback-ms");
            assert_eq!(said.map(HeaderValue::as_bytes), pushback.map(str::as_bytes));
            assert_eq!(response.extensions().get(), Some(&refusal));
            assert!(response.body().is_end_stream());
            assert_eq!(
                status::judge(headers),
                outcome,
                "as the next of us reads it"
            );
        }
    }
}
