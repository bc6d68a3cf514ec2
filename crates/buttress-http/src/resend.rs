//! Which requests may be sent again.

use buttress_core::Favoured;
use http::{HeaderMap, Method, Request};

use crate::{
    Replay, Replayable,
    replay::{Favour, Kept},
};

/// By method (RFC 9110 §9.2.2; QUERY: RFC 10008), or by an `Idempotency-Key`
/// (draft-ietf-httpapi-idempotency-key-header).
pub(crate) fn idempotent<B>(request: &Request<B>) -> bool {
    evident(request.method(), request.headers())
}

/// The same of a request that is not one of `http`.
pub(crate) fn evident(method: &Method, headers: &HeaderMap) -> bool {
    is_idempotent(method)
        || headers
            .get("idempotency-key")
            .is_some_and(|key| !key.as_bytes().trim_ascii().is_empty())
}

fn is_idempotent(method: &Method) -> bool {
    matches!(
        method.as_str(),
        "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE" | "QUERY"
    )
}

/// The whole request, with as much of its body as may be kept.
pub(crate) fn copy<B: Replayable>(request: &mut Request<B>, kept: Kept) -> Option<Request<B>> {
    let replay = Replay::of(kept);
    let mut copy = Request::new(request.body_mut().replay(&replay)?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    match replay.favour() {
        Some(favour) => _ = copy.extensions_mut().insert(favour),
        // That of the tee before.
        None => _ = copy.extensions_mut().remove::<Favour>(),
    }
    Some(copy)
}

/// Who of a copy and what it was made of goes on, where they share a body of which not enough can be kept.
pub(crate) fn favour<B>(copy: &Request<B>, whom: Favoured) {
    if let Some(favour) = copy.extensions().get::<Favour>() {
        favour.give(whom);
    }
}

#[cfg(test)]
mod tests {
    use buttress_core::Resend as _;
    use bytes::Bytes;
    use http_body_util::{Empty, Full};

    use super::*;
    use crate::Http;

    #[test]
    fn a_method_or_a_key_is_evidence() {
        let asked = |method: &str, key: Option<&str>| {
            let mut request = Request::builder().method(method);
            if let Some(key) = key {
                request = request.header("Idempotency-Key", key);
            }
            Http.idempotent(&request.body(Empty::<Bytes>::new()).unwrap())
        };
        for method in ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY"] {
            assert!(asked(method, None), "{method}");
        }
        for method in ["POST", "PATCH", "get"] {
            assert!(
                !asked(method, None) && !asked(method, Some(" ")) && asked(method, Some("k1")),
                "{method}"
            );
        }
    }

    #[test]
    fn a_copy_is_the_whole_request() {
        let body = Full::new(Bytes::from_static(b"data"));
        let mut request = Request::put("http://h/p")
            .header("a", "b")
            .extension(7_u8)
            .body(body)
            .unwrap();
        let copy = Http.copy(&mut request).unwrap();
        assert_eq!(
            (copy.method(), copy.uri(), copy.headers()),
            (request.method(), request.uri(), request.headers())
        );
        assert_eq!(copy.extensions().get::<u8>(), Some(&7));
        assert_eq!(http_body::Body::size_hint(copy.body()).exact(), Some(4));
    }
}
