//! Which send a caller says it is, and that it has no budget left.

#![no_main]

use buttress_core::Describe;
use buttress_http::{ATTEMPT_HEADER, BUDGET_HEADER, Http};
use http::{HeaderValue, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|said: (&[u8], &[u8])| {
    let call = |pad: &str| {
        let mut request = Request::new(());
        for (name, value) in [(ATTEMPT_HEADER, said.0), (BUDGET_HEADER, said.1)] {
            let value = [pad.as_bytes(), value, pad.as_bytes()].concat();
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                request.headers_mut().insert(name, value);
            }
        }
        Http.call(&request)
    };
    assert_eq!(call(""), call(" \t"));
    assert_eq!(call("").within, None);
});
