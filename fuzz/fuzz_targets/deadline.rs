//! How long a caller says it waits.

#![no_main]

use buttress_core::{Describe, Stamp};
use buttress_http::{DEADLINE_HEADER, Http};
use http::{HeaderValue, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|said: &[u8]| {
    let mut request = Request::new(());
    for value in said.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            request.headers_mut().append(DEADLINE_HEADER, value);
        }
    }
    if let Some(span) = Http.call(&request).within {
        assert!(!span.is_zero());
        Http.stamp(&mut request, &Stamp::new().left(span));
        assert_eq!(Http.call(&request).within, Some(span));
    }
});
