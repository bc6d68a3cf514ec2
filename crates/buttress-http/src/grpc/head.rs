//! What the head of an answer says, if it says anything.

use buttress_core::{Cause, Outcome};
use http::{HeaderMap, Response, StatusCode, header::CONTENT_TYPE};

use super::{
    first::First,
    status::{self, Code, STATUS},
};
use crate::classify;

/// How it went, by all that has come. What is not decided yet goes well so far.
pub(crate) fn judge<B>(response: &Response<B>) -> Outcome {
    verdict(response.status(), response.headers()).unwrap_or_else(|| {
        let first = response.extensions().get::<First>();
        first.map_or(Outcome::Success, First::judge)
    })
}

/// The last word, if the head has it.
pub(crate) fn verdict(http: StatusCode, headers: &HeaderMap) -> Option<Outcome> {
    let mut kind = None;
    // Names are compared rather than hashed: there are few headers.
    for (name, value) in headers {
        if name == STATUS {
            return Some(status::judge(headers));
        }
        if name == CONTENT_TYPE {
            kind = kind.or(Some(value.as_bytes()));
        }
    }
    if http != StatusCode::OK {
        return Some(mapped(http, headers));
    }
    let kind = kind?;
    match after(kind, b"application/grpc") {
        None => Some(Outcome::Failure(Cause::Protocol)),
        // Its status is in the body, where we do not look.
        Some(rest) => after(rest, b"-web").map(|_| Outcome::Cancelled),
    }
}

/// By [http-grpc-status-mapping](https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md), but for what proxies say of
/// themselves in words of HTTP.
fn mapped(http: StatusCode, headers: &HeaderMap) -> Outcome {
    let said = classify::head(http, headers);
    if matches!(
        said,
        Outcome::Overload(_) | Outcome::Failure(Cause::RemoteTimeout)
    ) {
        return said;
    }
    let code = match http.as_u16() {
        400 => Code::INTERNAL,
        401 => Code::UNAUTHENTICATED,
        403 => Code::PERMISSION_DENIED,
        404 => Code::UNIMPLEMENTED,
        429 | 502 | 503 | 504 => Code::UNAVAILABLE,
        _ => Code::UNKNOWN,
    };
    code.outcome()
}

/// What follows a beginning, in whatever case.
fn after<'a>(text: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    let (begins, rest) = text.split_at_checked(start.len())?;
    begins.eq_ignore_ascii_case(start).then_some(rest)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderValue;

    use super::*;

    #[test]
    fn heads_as_a_table() {
        let failed = Some(Outcome::Failure(Cause::Error));
        let fault = Some(Outcome::CallerFault);
        let protocol = Some(Outcome::Failure(Cause::Protocol));
        for (http, name, value, verdict) in [
            (200, "content-type", "application/grpc", None),
            (200, "content-type", "Application/gRPC+proto", None),
            (200, "te", "trailers", None),
            (
                200,
                "content-type",
                "application/grpc-web+proto",
                Some(Outcome::Cancelled),
            ),
            (200, "content-type", "text/html", protocol),
            (200, "content-type", "app", protocol),
            (200, "grpc-status", "0", Some(Outcome::Success)),
            (200, "grpc-status", "14", failed),
            (503, "grpc-status", "0", Some(Outcome::Success)),
            (204, "te", "trailers", failed),
            (302, "te", "trailers", failed),
            (400, "te", "trailers", failed),
            (401, "te", "trailers", fault),
            (403, "te", "trailers", fault),
            (404, "te", "trailers", fault),
            (405, "te", "trailers", failed),
            (429, "te", "trailers", Some(Outcome::Overload(None))),
            (
                429,
                "retry-after",
                "2",
                Some(Outcome::Overload(Some(Duration::from_secs(2)))),
            ),
            (500, "te", "trailers", failed),
            (502, "te", "trailers", failed),
            (503, "te", "trailers", failed),
            (
                503,
                "retry-after",
                "2",
                Some(Outcome::Overload(Some(Duration::from_secs(2)))),
            ),
            (
                504,
                "te",
                "trailers",
                Some(Outcome::Failure(Cause::RemoteTimeout)),
            ),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            let http = StatusCode::from_u16(http).unwrap();
            assert_eq!(
                super::verdict(http, &headers),
                verdict,
                "{http} {name}: {value}"
            );
        }
    }
}
