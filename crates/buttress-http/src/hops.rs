//! That a request is an extra one, from one server to the next.

use buttress_core::Stamp;
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

/// The number of the lease by which the receiver is the primary, as far as the sender knows: `x-buttress-epoch`; see
/// [`Endpoint::epoch`](buttress_core::Endpoint::epoch).
pub const EPOCH_HEADER: HeaderName = HeaderName::from_static("x-buttress-epoch");

const SPENT: &[u8] = b"spent";

/// How many calls that are dropped a server bears in half a minute: as many streams may be reset on a connection to Netty's
/// (`decoderEnforceMaxRstFramesPerWindow`, since CVE-2023-44487), then it is closed.
pub(crate) const RESETS: u32 = 200;

/// Are extra sends at an end?
pub(crate) fn is_spent(word: &[u8]) -> bool {
    word.trim_ascii().eq_ignore_ascii_case(SPENT)
}

/// Says it, in place of what was said.
pub(crate) fn write(headers: &mut HeaderMap, stamp: &Stamp) {
    if stamp.again > 0 {
        let attempt = u64::from(stamp.again) + 1;
        headers.insert(ATTEMPT_HEADER, HeaderValue::from(attempt));
    }
    if stamp.spent {
        headers.insert(BUDGET_HEADER, HeaderValue::from_static("spent"));
    }
    if let Some(epoch) = stamp.epoch {
        headers.insert(EPOCH_HEADER, HeaderValue::from(epoch));
    }
}

/// Is it a number above 1? Of any length: nothing is computed.
pub(crate) fn is_extra(number: &[u8]) -> bool {
    let text = number.trim_ascii();
    let zeros = text.iter().take_while(|digit| **digit == b'0').count();
    let digits = text.get(zeros..).unwrap_or_default();
    !digits.is_empty() && digits != b"1" && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hints;

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
            assert_eq!(hints::read(&headers).extra, extra, "{said:?}");
        }
        for (said, extra) in [
            ("spent", true),
            ("Spent", true),
            ("left", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(BUDGET_HEADER, HeaderValue::from_static(said));
            assert_eq!(hints::read(&headers).extra, extra, "{said:?}");
        }
    }

    #[test]
    fn reads_what_it_writes_and_writes_nothing_of_a_first_send() {
        for (again, spent) in [(0, false), (0, true), (1, false), (u32::MAX, true)] {
            let mut headers = HeaderMap::new();
            write(&mut headers, &Stamp::new().again(again).spent(spent));
            assert_eq!(hints::read(&headers).extra, again > 0 || spent);
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
                prop_assert!(long || hints::read(&headers).extra == naive);
            }
        }
    }
}
