//! How it went, by status and error.

use std::{error::Error, io, time::Duration};

use buttress_core::{Cause, Outcome, Refusal};
use http::{HeaderMap, StatusCode, header::RETRY_AFTER};

/// The longest hint that is believed.
const LONGEST_HINT: u64 = 30;

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

/// Walks the chain of an error to what it was in the end.
///
/// Only what happens before anything is sent may count as [`Cause::Connect`]: that allows sending a POST again.
pub(crate) fn error(error: &(dyn Error + 'static)) -> Outcome {
    let mut found = Cause::Error;
    let mut link = Some(error);
    while let Some(error) = link {
        if let Some(refusal) = error.downcast_ref::<Refusal>() {
            return match refusal {
                Refusal::Timeout { .. } | Refusal::Deadline { .. } => {
                    Outcome::Failure(Cause::Timeout)
                }
                // Nobody can reach it: that is the endpoint's failure, though we say so without asking again.
                Refusal::Disconnected { .. } => Outcome::Failure(Cause::Connect),
                _ => Outcome::Refused,
            };
        }
        if let Some(error) = error.downcast_ref::<io::Error>()
            && let Some(cause) = io_cause(error.kind())
        {
            found = cause;
        }
        // hyper and its client keep the kinds of their errors to themselves, but print them in these words.
        match error.to_string().as_str() {
            "client error (Connect)" => return Outcome::Failure(Cause::Connect),
            "connection closed before message completed" | "channel closed" => found = Cause::Reset,
            _ => {}
        }
        link = error.source();
    }
    Outcome::Failure(found)
}

/// The same of a body whose head has come: nothing of it can be unsent.
pub(crate) fn body(error: &(dyn Error + 'static)) -> Outcome {
    match self::error(error) {
        Outcome::Failure(Cause::Connect) => Outcome::Failure(Cause::Error),
        outcome => outcome,
    }
}

const fn io_cause(kind: io::ErrorKind) -> Option<Cause> {
    match kind {
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::AddrNotAvailable => Some(Cause::Connect),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Some(Cause::Reset),
        _ => None,
    }
}

/// `Retry-After` in seconds, clamped: a server is not trusted with our time.
fn hint(headers: &HeaderMap) -> Option<Duration> {
    let value = headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()
        .filter(|value| value.len() <= 20)?;
    let seconds: u64 = value.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(LONGEST_HINT)))
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use http::HeaderValue;

    use super::*;

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
            (
                429,
                Some("99999999999999999999999"),
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
                Cause::Error,
            ),
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
}
