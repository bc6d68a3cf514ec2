//! That a request is an extra one, from one server to the next.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Which send of the same call this is, from 1: `x-envoy-attempt-count`.
///
/// Envoy sets it for the servers behind it (`include_request_attempt_count`). From 2 on, nothing is sent twice for the request: layers of
/// servers that each send again would multiply. Whatever is no number is ignored. Written on extra sends only.
pub const ATTEMPT_HEADER: HeaderName = HeaderName::from_static("x-envoy-attempt-count");

/// `spent`, where whoever sends a request has no budget for extra sends left: `x-buttress-budget`.
///
/// Nothing is sent twice for the request then. Whoever sends it can only make their own request less sure.
pub const BUDGET_HEADER: HeaderName = HeaderName::from_static("x-buttress-budget");

const SPENT: &[u8] = b"spent";

/// Is it an extra one, or are extra ones at an end?
pub(crate) fn read(headers: &HeaderMap) -> bool {
    let any = |name: HeaderName, is: fn(&[u8]) -> bool| {
        let said = headers.get_all(&name).into_iter();
        said.map(HeaderValue::as_bytes)
            .map(<[u8]>::trim_ascii)
            .any(is)
    };
    !headers.is_empty()
        && (any(ATTEMPT_HEADER, beyond_one)
            || any(BUDGET_HEADER, |word| word.eq_ignore_ascii_case(SPENT)))
}

/// Says it, in place of what was said.
pub(crate) fn write(headers: &mut HeaderMap, again: u32, spent: bool) {
    if again > 0 {
        let attempt = u64::from(again) + 1;
        headers.insert(ATTEMPT_HEADER, HeaderValue::from(attempt));
    }
    if spent {
        headers.insert(BUDGET_HEADER, HeaderValue::from_static("spent"));
    }
}

/// Is it a number above 1? Of any length: nothing is computed.
fn beyond_one(text: &[u8]) -> bool {
    let zeros = text.iter().take_while(|digit| **digit == b'0').count();
    let digits = text.get(zeros..).unwrap_or_default();
    !digits.is_empty() && digits != b"1" && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_a_number_above_one_is_an_extra_send() {
        for (said, extra) in [
            ("1", false),
            ("0", false),
            ("", false),
            ("-2", false),
            ("2.0", false),
            ("two", false),
            ("001", false),
            ("2", true),
            (" 002 ", true),
            ("10", true),
            ("99999999999999999999999999999999", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ATTEMPT_HEADER, HeaderValue::from_static(said));
            assert_eq!(read(&headers), extra, "{said:?}");
        }
        for (said, extra) in [
            ("spent", true),
            ("Spent", true),
            ("left", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(BUDGET_HEADER, HeaderValue::from_static(said));
            assert_eq!(read(&headers), extra, "{said:?}");
        }
    }

    #[test]
    fn reads_what_it_writes_and_writes_nothing_of_a_first_send() {
        for (again, spent) in [(0, false), (0, true), (1, false), (u32::MAX, true)] {
            let mut headers = HeaderMap::new();
            write(&mut headers, again, spent);
            assert_eq!(read(&headers), again > 0 || spent);
            assert_eq!(headers.is_empty(), again == 0 && !spent);
        }
    }

    /// What a header may hold, mostly digits.
    fn said() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![6 => b'0'..=b'9', 1 => b' '..=b'~', 1 => 128_u8..];
        prop::collection::vec(byte, 0..24)
    }

    proptest! {
        #[test]
        fn whatever_is_said_is_an_extra_send_or_none(said in said(), number: u64) {
            for said in [said, number.to_string().into_bytes()] {
                let value = HeaderValue::from_bytes(&said).unwrap();
                let digits = std::str::from_utf8(&said).ok().map(str::trim_ascii);
                let naive = digits
                    .filter(|said| !said.starts_with('+'))
                    .and_then(|said| said.parse::<u128>().ok())
                    .is_some_and(|attempt| attempt > 1);
                let long = digits.is_some_and(|said| said.len() > 38);
                let headers = HeaderMap::from_iter([(ATTEMPT_HEADER, value)]);
                prop_assert!(long || read(&headers) == naive);
            }
        }
    }
}
