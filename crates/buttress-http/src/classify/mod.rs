//! How it went, by status and error.

use std::time::Duration;

use buttress_core::{Cause, Outcome};
use http::{
    HeaderMap, StatusCode,
    header::{DATE, RETRY_AFTER},
};

use crate::date;

mod error;
mod words;

pub(crate) use error::{body, error, links};

/// The longest hint that is believed.
const LONGEST_HINT: u64 = 30;

/// By status:
///
/// | status | is | why |
/// |---|---|---|
/// | 429 | overload | too many requests (RFC 6585 §4) |
/// | 503 with `Retry-After` | overload | it says itself that it is for a while (RFC 9110 §15.6.4) |
/// | 504 | failure | the server behind it took too long |
/// | other 5xx | failure | |
/// | 408 | caller's fault | the request did not arrive in time (§15.5.9): whoever sent it was slow, and the server is there to say so |
/// | 425 | caller's fault | it came as early data (RFC 8470 §5.2): any endpoint would say that, and how it was sent is the transport's |
/// | other 4xx | caller's fault | |
/// | all else | success | |
pub(crate) fn head(status: StatusCode, headers: &HeaderMap) -> Outcome {
    match status.as_u16() {
        429 => Outcome::Overload(hint(headers)),
        503 if headers.contains_key(RETRY_AFTER) => Outcome::Overload(hint(headers)),
        504 => Outcome::Failure(Cause::RemoteTimeout),
        500.. => Outcome::Failure(Cause::Error),
        400.. => Outcome::CallerFault,
        _ => Outcome::Success,
    }
}

/// `Retry-After`, clamped: a server is not trusted with our time.
///
/// A date is counted from the server's own `Date`: its clock and ours need not agree, and here none is read.
fn hint(headers: &HeaderMap) -> Option<Duration> {
    let said = headers.get(RETRY_AFTER)?.as_bytes().trim_ascii();
    let seconds = whole(said).or_else(|| {
        let now = date::parse(headers.get(DATE)?.as_bytes(), A_YEAR)?;
        let then = date::parse(said, date::year(now))?;
        Some(then.saturating_sub(now))
    });
    Some(Duration::from_secs(seconds?.min(LONGEST_HINT)))
}

/// A year near which the `Date` of a response is, if it says its own in two digits.
const A_YEAR: u64 = 2026;

/// A whole number of however many digits.
fn whole(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then(|| sum.saturating_mul(10).saturating_add(u64::from(digit)))
    })
}

#[cfg(test)]
mod tests {
    use std::{error::Error, fmt, io};

    use buttress_core::Refusal;
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;
    use crate::ReplayError;

    #[test]
    fn statuses_as_a_table() {
        let seconds = |seconds| Outcome::Overload(Some(Duration::from_secs(seconds)));
        for (status, retry_after, outcome) in [
            (200, None, Outcome::Success),
            (204, None, Outcome::Success),
            (304, None, Outcome::Success),
            (404, None, Outcome::CallerFault),
            (429, None, Outcome::Overload(None)),
            (429, Some("2"), seconds(2)),
            (429, Some("99999999999999999999999"), seconds(30)),
            (408, None, Outcome::CallerFault),
            (425, Some("1"), Outcome::CallerFault),
            (429, Some(" 2 "), seconds(2)),
            (429, Some("2.5"), Outcome::Overload(None)),
            (
                429,
                Some("Sun, 06 Nov 1994 08:49:37 GMT"),
                Outcome::Overload(None),
            ),
            (429, Some("4000000"), seconds(30)),
            (429, Some("-1"), Outcome::Overload(None)),
            (500, None, Outcome::Failure(Cause::Error)),
            (503, None, Outcome::Failure(Cause::Error)),
            (503, Some("1"), seconds(1)),
            (503, Some("soon"), Outcome::Overload(None)),
            (504, None, Outcome::Failure(Cause::RemoteTimeout)),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(value) = retry_after {
                headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
            }
            assert_eq!(
                head(StatusCode::from_u16(status).unwrap(), &headers),
                outcome,
                "{status} {retry_after:?}"
            );
        }
    }

    #[derive(Debug)]
    struct Wrapped(&'static str, Option<Box<dyn Error>>);

    impl fmt::Display for Wrapped {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Wrapped {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref()
        }
    }

    #[test]
    fn errors_are_what_they_were_in_the_end() {
        let io = |kind: io::ErrorKind| Some(Box::<dyn Error>::from(io::Error::from(kind)));
        let words = |words| Some(Box::<dyn Error>::from(Wrapped(words, None)));
        for (outer, inner, cause) in [
            (
                "client error (Connect)",
                io(io::ErrorKind::TimedOut),
                Cause::Connect,
            ),
            (
                "client error (SendRequest)",
                io(io::ErrorKind::ConnectionReset),
                Cause::Reset,
            ),
            (
                "client error (SendRequest)",
                io(io::ErrorKind::TimedOut),
                Cause::Timeout,
            ),
            (
                "error reading a body from connection",
                io(io::ErrorKind::InvalidInput),
                Cause::Protocol,
            ),
            ("error reading a body from connection", None, Cause::Reset),
            (
                "http2 error",
                words(
                    "stream error received: refused stream before processing any application logic",
                ),
                Cause::Connect,
            ),
            (
                "http2 error",
                words("connection error received: not a result of an error"),
                Cause::Connect,
            ),
            (
                "http2 error",
                words("connection error detected: flow-control protocol violated"),
                Cause::Protocol,
            ),
            (
                "http2 error",
                words("stream error received: stream no longer needed"),
                Cause::Reset,
            ),
            ("transport error", words("Timeout expired"), Cause::Timeout),
            ("tcp", io(io::ErrorKind::ConnectionRefused), Cause::Connect),
            (
                "connection closed before message completed",
                None,
                Cause::Reset,
            ),
            ("anything", None, Cause::Error),
        ] {
            assert_eq!(
                error(&Wrapped(outer, inner)),
                Outcome::Failure(cause),
                "{outer}"
            );
        }
        let ours = Wrapped(
            "x",
            Some(Box::new(Refusal::Timeout {
                after: Duration::ZERO,
            })),
        );
        assert_eq!(error(&ours), Outcome::Failure(Cause::Timeout));
        let open = Wrapped(
            "x",
            Some(Box::new(Refusal::Open {
                retry_after: Duration::ZERO,
            })),
        );
        assert_eq!(error(&open), Outcome::Refused);
        let away = Refusal::Disconnected {
            retry_after: Duration::ZERO,
        };
        let away = Wrapped("x", Some(Box::new(away)));
        assert_eq!(error(&away), Outcome::Failure(Cause::Connect));
    }

    #[test]
    fn a_body_of_the_request_that_fails_is_no_fault_of_the_endpoint() {
        let user = |error: Box<dyn Error>| Wrapped("error from user's Body stream", Some(error));
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        let slow = Refusal::Timeout {
            after: Duration::ZERO,
        };
        for (inner, outcome) in [
            (Box::<dyn Error>::from(reset), Outcome::Cancelled),
            (slow.into(), Outcome::Cancelled),
            (
                ReplayError::Source("cable".into()).into(),
                Outcome::Cancelled,
            ),
            (ReplayError::Behind.into(), Outcome::Cancelled),
        ] {
            let words = inner.to_string();
            let error = Wrapped("client error (SendRequest)", Some(Box::new(user(inner))));
            assert_eq!(self::error(&error), outcome, "{words}");
        }
    }

    #[test]
    fn ours_is_found_in_an_io_error_and_a_body_is_never_unsent() {
        let ours = io::Error::other(Refusal::Timeout {
            after: Duration::ZERO,
        });
        assert_eq!(body(&ours), Outcome::Failure(Cause::Timeout));
        let behind = io::Error::other(ReplayError::Behind);
        assert_eq!(error(&behind), Outcome::Cancelled);
        let away = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(error(&away), Outcome::Failure(Cause::Connect));
        assert_eq!(body(&away), Outcome::Failure(Cause::Reset));
    }

    /// 429, with such hints.
    fn hinted(retry_after: &[u8], date: &[u8]) -> Option<Outcome> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_bytes(retry_after).ok()?);
        headers.insert(DATE, HeaderValue::from_bytes(date).ok()?);
        Some(head(StatusCode::TOO_MANY_REQUESTS, &headers))
    }

    #[test]
    fn a_date_is_counted_from_the_servers_own() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        for (retry_after, seconds) in [
            ("Sun, 06 Nov 1994 08:49:44 GMT", Some(7)),
            ("Sunday, 06-Nov-94 08:49:44 GMT", Some(7)),
            ("Sun Nov  6 08:49:44 1994", Some(7)),
            ("Sun, 06 Nov 1994 09:49:37 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:30 GMT", Some(0)),
            ("Sun, 06 Nov 1994", None),
        ] {
            let outcome = Outcome::Overload(seconds.map(Duration::from_secs));
            let said = hinted(retry_after.as_bytes(), date.as_bytes());
            assert_eq!(said, Some(outcome), "{retry_after}");
        }
        let unknown = Some(Outcome::Overload(None));
        assert_eq!(hinted(date.as_bytes(), b"yesterday"), unknown);
    }

    /// What a header may hold, mostly digits.
    fn said() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![6 => b'0'..=b'9', 1 => b' '..=b'~', 1 => 128_u8..];
        prop::collection::vec(byte, 0..24)
    }

    proptest! {
        #[test]
        fn no_hint_is_longer_than_is_believed(retry_after in said(), date in said()) {
            if let Some(outcome) = hinted(&retry_after, &date) {
                let Outcome::Overload(hint) = outcome else {
                    return Err(TestCaseError::fail("no overload"));
                };
                prop_assert!(hint.is_none_or(|hint| hint <= Duration::from_secs(LONGEST_HINT)));
            }
        }
    }
}
