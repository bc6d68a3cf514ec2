//! After how long to send a failed call again, by the word of whoever failed.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

/// After how many milliseconds a failed call may be sent again: `grpc-retry-pushback-ms`, in trailers or in a head that is all there is.
///
/// Below zero, or no number, it forbids to; so does more than one value. More than 30 s are taken for 30 s, for servers are not trusted with
/// our time. Source: proposal [A6](https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback), and grpc-go for several values.
///
/// Refusals say in it when to come back, where that is known: when the breaker's next probe is due, or when a place may come free. That is what a
/// server may push back for, and any client with a retry policy obeys it to the millisecond, where its own backoff would be refused again.
pub const PUSHBACK_HEADER: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// The longest hint that is believed.
const LONGEST: Duration = Duration::from_secs(30);

/// [`Duration::MAX`] is never.
pub(crate) fn read(headers: &HeaderMap) -> Option<Duration> {
    let mut said = headers.get_all(&PUSHBACK_HEADER).into_iter();
    let first = said.next()?;
    Some(match said.next() {
        None => parse(first.as_bytes()),
        Some(_) => Duration::MAX,
    })
}

/// Rounded up: earlier would be refused again.
pub(crate) fn write(headers: &mut HeaderMap, after: Duration) {
    let millis = after.min(LONGEST).as_nanos().div_ceil(1_000_000) as u64;
    headers.insert(PUSHBACK_HEADER, HeaderValue::from(millis));
}

fn parse(text: &[u8]) -> Duration {
    let digits = text.trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Duration::MAX;
    }
    let millis = digits.iter().fold(0_u64, |sum, digit| {
        let digit = u64::from(digit - b'0');
        sum.saturating_mul(10).saturating_add(digit)
    });
    Duration::from_millis(millis).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(values: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(PUSHBACK_HEADER, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    #[test]
    fn reads_milliseconds_and_takes_all_else_for_never() {
        let millis = |millis| Some(Duration::from_millis(millis));
        let never = Some(Duration::MAX);
        for (values, read_as) in [
            (&[][..], None),
            (&[&b"0"[..]], millis(0)),
            (&[b"250"], millis(250)),
            (&[b" 250 "], millis(250)),
            (&[b"30001"], millis(30_000)),
            (&[b"99999999999999999999999999"], millis(30_000)),
            (&[b"-1"], never),
            (&[b"-0"], never),
            (&[b"+1"], never),
            (&[b"1.5"], never),
            (&[b"soon"], never),
            (&[b""], never),
            (&[b"\xff"], never),
            (&[b"1", b"1"], never),
        ] {
            assert_eq!(read(&headers(values)), read_as, "{values:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_short_hint_or_never(text: Vec<u8>) {
            let hint = parse(&text);
            prop_assert!(hint <= LONGEST || hint == Duration::MAX);
        }

        #[test]
        fn reads_what_it_writes(after: Duration) {
            let mut headers = headers(&[b"7"]);
            write(&mut headers, after);
            let said = read(&headers).unwrap_or_default();
            prop_assert!(said >= after.min(LONGEST));
            prop_assert!(said <= after.saturating_add(Duration::from_millis(1)));
        }
    }
}
