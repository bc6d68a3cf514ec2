//! How long a request is waited for, from one server to the next.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::written::Written;

/// How long the answer is waited for, in milliseconds from the arrival of the request: `x-envoy-expected-rq-timeout-ms`.
///
/// Envoy sets it for the servers behind it, and no other name for it is as widely used. It has to be relative, for clocks
/// of two machines differ. Whatever is no number of milliseconds is ignored, and so is zero, which means no timeout to Envoy.
pub const DEADLINE_HEADER: HeaderName = HeaderName::from_static("x-envoy-expected-rq-timeout-ms");

thread_local!(static LAST: Written<u64> = const { Written::nothing() });

/// Says it, in place of what was said.
pub(crate) fn write(headers: &mut HeaderMap, left: Duration) {
    // Rounded up: ours is the first to be over, so that whoever is cut short with us is not taken for failed.
    let begun = u64::from(left.subsec_nanos().div_ceil(1_000_000));
    let millis = left.as_secs().saturating_mul(1_000).saturating_add(begun);
    headers.insert(DEADLINE_HEADER, value(millis));
}

fn value(millis: u64) -> HeaderValue {
    let last = LAST.try_with(|last| last.value(millis, HeaderValue::from));
    // A thread that ends has forgotten it.
    last.unwrap_or_else(|_| HeaderValue::from(millis))
}

/// Whoever sends it can only make their own request shorter.
pub(crate) fn parse(text: &[u8]) -> Option<Duration> {
    let digits = text.trim_ascii();
    if digits.is_empty() {
        return None;
    }
    let millis = digits.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then(|| sum.saturating_mul(10).saturating_add(u64::from(digit)))
    })?;
    (millis > 0).then(|| Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hints;

    fn headers(values: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(DEADLINE_HEADER, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    #[test]
    fn reads_milliseconds_and_ignores_the_rest() {
        let millis = |millis| Some(Duration::from_millis(millis));
        for (values, read_as) in [
            (&[][..], None),
            (&[&b"250"[..]], millis(250)),
            (&[b" 250\t"], millis(250)),
            (&[b"00250"], millis(250)),
            (&[b"0"], None),
            (&[b""], None),
            (&[b" "], None),
            (&[b"-1"], None),
            (&[b"+1"], None),
            (&[b"1.5"], None),
            (&[b"1s"], None),
            (&[b"2 5"], None),
            (&[b"\xff\xfe"], None),
            (&[b"18446744073709551615"], millis(u64::MAX)),
            (
                &[b"99999999999999999999999999999999999999999"],
                millis(u64::MAX),
            ),
            (&[b"soon", b"300", b"200", b"0"], millis(200)),
        ] {
            assert_eq!(hints::read(&headers(values)).within, read_as, "{values:?}");
        }
    }

    #[test]
    fn writes_what_it_reads_never_zero_and_never_less_than_there_is() {
        for (left, said) in [
            (Duration::from_nanos(1), "1"),
            (Duration::from_millis(250), "250"),
            (Duration::from_micros(250_001), "251"),
            (Duration::MAX, "18446744073709551615"),
        ] {
            let mut headers = headers(&[b"7", b"8"]);
            write(&mut headers, left);
            assert_eq!(
                headers.get_all(DEADLINE_HEADER).iter().collect::<Vec<_>>(),
                [said]
            );
            assert!(hints::read(&headers).within.is_some());
        }
    }

    /// What a header may hold, mostly digits.
    fn said() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![6 => b'0'..=b'9', 1 => b' '..=b'~', 1 => 128_u8..];
        prop::collection::vec(byte, 0..24)
    }

    proptest! {
        #[test]
        fn whatever_is_said_is_a_time_or_nothing(said in said(), left: Duration) {
            let digits = std::str::from_utf8(&said).ok().map(str::trim_ascii);
            let number = digits.filter(|said| !said.starts_with('+')).and_then(|said| said.parse().ok());
            let naive = number.filter(|millis| *millis > 0).map(Duration::from_millis);
            let long = digits.is_some_and(|said| said.len() > 19);
            prop_assert!(long || hints::read(&headers(&[&said])).within == naive);
            let mut written = HeaderMap::new();
            write(&mut written, left);
            prop_assert!(hints::read(&written).within.is_none_or(|span| span >= left.min(Duration::from_millis(u64::MAX))));
        }
    }

    #[test]
    fn what_was_said_is_put_right_though_the_policy_tells_nothing() {
        use buttress_core::{Describe as _, Stamp};

        let left = Stamp::new().left(Duration::from_millis(250));
        for (values, stamp, said) in [
            (&[][..], left, Some("250")),
            (&[], left.discreet(true), None),
            (&[&b"900"[..]], left.discreet(true), Some("250")),
        ] {
            let mut request = http::Request::new(());
            *request.headers_mut() = headers(values);
            crate::Http.stamp(&mut request, &stamp);
            let header = request.headers().get(DEADLINE_HEADER);
            assert_eq!(header.map(HeaderValue::as_bytes), said.map(str::as_bytes));
        }
    }
}
