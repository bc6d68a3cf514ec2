//! How long a caller of gRPC says it waits.

#![no_main]

use std::time::Duration;

use buttress_core::{Describe, Stamp};
use buttress_http::{GRPC_TIMEOUT_HEADER, Grpc};
use http::{HeaderValue, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u64, &[u8])| {
    let (left, said) = input;
    let left = Duration::from_nanos(left.max(1));
    let mut request = Request::new(());
    for value in said.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            request.headers_mut().append(GRPC_TIMEOUT_HEADER, value);
        }
    }
    let before = Grpc.call(&request).within;
    // At most eight digits of hours.
    assert!(before.is_none_or(|span| span.as_secs() <= 99_999_999 * 3_600));
    Grpc.stamp(&mut request, &Stamp::new().left(left));
    let after = Grpc.call(&request).within.unwrap_or_default();
    assert!(after >= left.min(before.unwrap_or(Duration::MAX)));
    assert!(before.is_none_or(|before| after <= before));
});
