//! That a request is an extra one, from one server to the next.

use http::{HeaderMap, HeaderName, HeaderValue};

/// How many were sent of the same call before: `grpc-previous-rpc-attempts`. Written on extra sends only.
///
/// From 1 on, nothing is sent twice for the request. What was provably never sent is not counted. Source: proposal
/// [A6](https://github.com/grpc/proposal/blob/master/A6-client-retries.md#exposed-retry-metadata).
pub const PREVIOUS_ATTEMPTS_HEADER: HeaderName =
    HeaderName::from_static("grpc-previous-rpc-attempts");

/// Says it, in place of what was said.
pub(crate) fn write(headers: &mut HeaderMap, again: u32) {
    if again > 0 {
        headers.insert(PREVIOUS_ATTEMPTS_HEADER, HeaderValue::from(again));
    }
}

/// Is it a number above 0? Of any length: nothing is computed.
pub(crate) fn is_extra(text: &[u8]) -> bool {
    let digits = text.trim_ascii();
    digits.iter().all(u8::is_ascii_digit) && digits.iter().any(|digit| *digit != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hints;

    #[test]
    fn only_a_number_above_zero_is_an_extra_send() {
        for (said, extra) in [
            ("0", false),
            ("000", false),
            ("", false),
            ("-1", false),
            ("1.0", false),
            ("one", false),
            ("1", true),
            (" 02 ", true),
            ("10", true),
            ("99999999999999999999999999999999", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(PREVIOUS_ATTEMPTS_HEADER, HeaderValue::from_static(said));
            assert_eq!(hints::read(&headers).extra, extra, "{said:?}");
        }
    }

    #[test]
    fn reads_what_it_writes_and_writes_nothing_of_a_first_send() {
        for again in [0, 1, u32::MAX] {
            let mut headers = HeaderMap::new();
            write(&mut headers, again);
            assert_eq!(
                (hints::read(&headers).extra, headers.is_empty()),
                (again > 0, again == 0)
            );
        }
    }
}
