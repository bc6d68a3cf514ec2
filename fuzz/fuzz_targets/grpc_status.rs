//! How a call went, by what trailers say: a status, words, and whether to come back.

#![no_main]

use std::{io, time::Duration};

use buttress_core::{Outcome, Protocol};
use buttress_http::{Grpc, PUSHBACK_HEADER};
use http::{HeaderName, HeaderValue, Response};
use http_body_util::Empty;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|said: (u16, &[u8], &[u8], &[u8])| {
    let (http, status, message, pushback) = said;
    let mut response = Response::new(Empty::<bytes::Bytes>::new());
    *response.status_mut() = http::StatusCode::from_u16(http % 1_000).unwrap_or_default();
    for (name, value) in [
        (HeaderName::from_static("grpc-status"), status),
        (HeaderName::from_static("grpc-message"), message),
        (PUSHBACK_HEADER, pushback),
    ] {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            response.headers_mut().insert(name, value);
        }
    }
    let outcome = Protocol::<_, io::Error>::classify(&Grpc, Ok(&response));
    if let Outcome::Overload(Some(hint)) = outcome {
        assert!(hint <= Duration::from_secs(30) || outcome.forbids_more());
    }
});
