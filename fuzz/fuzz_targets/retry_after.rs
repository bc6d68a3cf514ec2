//! A hint of a server: seconds, or a date against its own.

#![no_main]

use std::{io, time::Duration};

use buttress_core::{Outcome, Protocol};
use buttress_http::Http;
use http::{HeaderValue, Response, header};
use http_body_util::Empty;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|said: (u16, &[u8], &[u8])| {
    let (status, retry_after, date) = said;
    let mut response = Response::new(Empty::<&[u8]>::new());
    *response.status_mut() = http::StatusCode::from_u16(status % 1_000).unwrap_or_default();
    for (name, value) in [(header::RETRY_AFTER, retry_after), (header::DATE, date)] {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            response.headers_mut().insert(name, value);
        }
    }
    let outcome = Protocol::<_, io::Error>::classify(&Http, Ok(&response));
    if let Outcome::Overload(Some(hint)) = outcome {
        assert!(hint <= Duration::from_secs(30));
    }
});
