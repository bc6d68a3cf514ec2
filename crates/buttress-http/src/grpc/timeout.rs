//! How long a call is waited for, from one server to the next.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::written::Written;

/// How long the answer is waited for, from the arrival of the request: `grpc-timeout`, at most eight digits and a unit.
///
/// Written in three digits, rounded up. Whatever is not of that form is ignored. Zero is a deadline that has passed. Source:
/// [PROTOCOL-HTTP2](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests).
pub const GRPC_TIMEOUT_HEADER: HeaderName = HeaderName::from_static("grpc-timeout");

/// The units, and how many nanoseconds each is.
const UNITS: [(u8, u128); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60_000_000_000),
    (b'H', 3_600_000_000_000),
];

/// So many digits are said.
const DIGITS: u32 = 3;

const MOST_DIGITS: usize = 8;
const MOST: u128 = 99_999_999;

/// The least that is said, if anything is.
pub(crate) fn read(headers: &HeaderMap) -> Option<Duration> {
    if headers.is_empty() {
        return None;
    }
    let said = headers.get_all(&GRPC_TIMEOUT_HEADER).into_iter();
    said.filter_map(|value| parse(value.as_bytes())).min()
}

/// Says that so much is `left`, unless less was said; if `discreet`, only in place of what was said.
pub(crate) fn shorten(headers: &mut HeaderMap, left: Duration, discreet: bool) {
    let most = rounded(left);
    match read(headers) {
        Some(said) if said <= most => return,
        None if discreet => return,
        _ => {}
    }
    headers.insert(GRPC_TIMEOUT_HEADER, value(most));
}

thread_local!(static LAST: Written<Duration> = const { Written::nothing() });

fn value(left: Duration) -> HeaderValue {
    let last = LAST.try_with(|last| last.value(left, text));
    // A thread that ends has forgotten it.
    last.unwrap_or_else(|_| text(left))
}

fn text(left: Duration) -> HeaderValue {
    let text = Text::of(left);
    HeaderValue::from_bytes(text.bytes()).unwrap_or(HeaderValue::from_static("0n"))
}

pub(crate) fn parse(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if !(1..=MOST_DIGITS).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits
        .iter()
        .fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    Some(match unit {
        b'n' => Duration::from_nanos(number),
        b'u' => Duration::from_micros(number),
        b'm' => Duration::from_millis(number),
        b'S' => Duration::from_secs(number),
        b'M' => Duration::from_secs(number * 60),
        b'H' => Duration::from_secs(number * 3_600),
        _ => return None,
    })
}

/// Three digits, rounded up by at most a hundredth: ours is the first to be over, and what is said over and over is one byte to HTTP/2,
/// whose table of headers an ever new value would sweep. As gRPC's own core does it ([`timeout_encoding.cc`]).
///
/// [`timeout_encoding.cc`]: https://github.com/grpc/grpc/blob/master/src/core/lib/transport/timeout_encoding.cc
fn rounded(left: Duration) -> Duration {
    let nanos = u64::try_from(left.as_nanos()).unwrap_or(u64::MAX);
    let step = 10_u64.pow(
        nanos
            .checked_ilog10()
            .unwrap_or_default()
            .saturating_sub(DIGITS - 1),
    );
    Duration::from_nanos(nanos.div_ceil(step).saturating_mul(step))
}

/// A span as it is written.
struct Text {
    bytes: [u8; MOST_DIGITS + 1],
    begins: usize,
}

impl Text {
    /// In the coarsest unit that says it exactly; in hours, rounded up, what is longer than three years.
    fn of(span: Duration) -> Self {
        let nanos = span.as_nanos();
        let [.., coarsest] = UNITS;
        let (unit, number) = UNITS
            .into_iter()
            .rfind(|(_, size)| nanos.is_multiple_of(*size) && nanos / size <= MOST)
            .map_or((coarsest.0, nanos.div_ceil(coarsest.1)), |(unit, size)| {
                (unit, nanos / size)
            });
        let mut text = Self {
            bytes: [0; MOST_DIGITS + 1],
            begins: MOST_DIGITS,
        };
        text.bytes[MOST_DIGITS] = unit;
        let mut rest = number.min(MOST);
        for begins in (0..MOST_DIGITS).rev() {
            text.bytes[begins] = b'0' + (rest % 10) as u8;
            text.begins = begins;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        text
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[self.begins..]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(values: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(GRPC_TIMEOUT_HEADER, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    #[test]
    fn reads_eight_digits_and_a_unit_and_ignores_the_rest() {
        let some = |span| Some(span);
        for (values, read_as) in [
            (&[][..], None),
            (&[&b"1n"[..]], some(Duration::from_nanos(1))),
            (&[b"20u"], some(Duration::from_micros(20))),
            (&[b"300m"], some(Duration::from_millis(300))),
            (&[b"00000004S"], some(Duration::from_secs(4))),
            (&[b"000000004S"], None),
            (&[b"5M"], some(Duration::from_secs(300))),
            (
                &[b"99999999H"],
                some(Duration::from_secs(99_999_999 * 3_600)),
            ),
            (&[b"0m"], some(Duration::ZERO)),
            (&[b"100000000n"], None),
            (&[b"m"], None),
            (&[b""], None),
            (&[b"1"], None),
            (&[b"1s"], None),
            (&[b" 1S"], None),
            (&[b"-1S"], None),
            (&[b"1.5S"], None),
            (&[b"\xff\xffS"], None),
            (&[b"2S", b"soon", b"1S"], some(Duration::from_secs(1))),
        ] {
            assert_eq!(read(&headers(values)), read_as, "{values:?}");
        }
    }

    #[test]
    fn writes_three_digits_rounded_up_in_the_coarsest_unit_that_says_them() {
        for (left, said) in [
            (Duration::from_nanos(1), "1n"),
            (Duration::from_nanos(999), "999n"),
            (Duration::from_nanos(1_001), "1010n"),
            (Duration::from_nanos(99_999_999), "100m"),
            (Duration::from_millis(250), "250m"),
            (Duration::from_millis(999), "999m"),
            (Duration::from_millis(1_000), "1S"),
            (Duration::from_millis(1_001), "1010m"),
            (Duration::from_millis(4_873), "4880m"),
            (Duration::from_secs(5), "5S"),
            (Duration::from_secs(59), "59S"),
            (Duration::from_secs(60), "1M"),
            (Duration::from_secs(90), "90S"),
            (Duration::from_secs(3_600), "1H"),
            (Duration::from_secs(3_661), "3670S"),
            (Duration::from_secs(86_400), "24H"),
            (Duration::MAX, "5124096H"),
        ] {
            let mut headers = headers(&[]);
            shorten(&mut headers, left, false);
            assert_eq!(headers[GRPC_TIMEOUT_HEADER], said);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_span_that_can_be_said_or_nothing(text: Vec<u8>) {
            prop_assert!(parse(&text).is_none_or(|span| span <= Duration::from_secs(99_999_999 * 3_600)));
        }

        #[test]
        fn never_says_less_than_there_is_nor_more_than_was_said(
            nanos: u64, said in "[0-9]{1,8}[HMSmun]", discreet: bool,
        ) {
            let left = Duration::from_nanos(nanos.max(1));
            let mut headers = headers(&[said.as_bytes()]);
            let before = read(&headers).unwrap_or_default();
            shorten(&mut headers, left, discreet);
            let after = read(&headers).unwrap_or_default();
            prop_assert!(after <= before && after >= left.min(before), "{left:?} of {said}: {headers:?}");
            prop_assert_eq!(headers.len(), 1);
        }

        #[test]
        fn rounds_by_little(nanos: u64) {
            let (left, mut headers) = (Duration::from_nanos(nanos.max(1)), HeaderMap::new());
            shorten(&mut headers, left, false);
            let said = read(&headers).unwrap_or_default();
            prop_assert!(said >= left && said - left <= left / 100, "{left:?}: {headers:?}");
        }
    }
}
