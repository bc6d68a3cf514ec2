//! What the status of a call means.

use buttress_core::{Cause, Outcome};
use http::{HeaderMap, HeaderName};

use super::pushback;

pub(crate) const STATUS: HeaderName = HeaderName::from_static("grpc-status");
pub(crate) const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// As [statuscodes.md](https://github.com/grpc/grpc/blob/master/doc/statuscodes.md) numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(u8);

impl Code {
    pub(crate) const OK: Self = Self(0);
    pub(crate) const CANCELLED: Self = Self(1);
    pub(crate) const UNKNOWN: Self = Self(2);
    pub(crate) const DEADLINE_EXCEEDED: Self = Self(4);
    pub(crate) const PERMISSION_DENIED: Self = Self(7);
    pub(crate) const RESOURCE_EXHAUSTED: Self = Self(8);
    pub(crate) const UNIMPLEMENTED: Self = Self(12);
    pub(crate) const INTERNAL: Self = Self(13);
    pub(crate) const UNAVAILABLE: Self = Self(14);
    pub(crate) const DATA_LOSS: Self = Self(15);
    pub(crate) const UNAUTHENTICATED: Self = Self(16);

    /// Whatever is no known number is `UNKNOWN`, by the same page.
    pub(crate) fn parse(text: &[u8]) -> Self {
        match *text {
            [one @ b'0'..=b'9'] => Self(one - b'0'),
            [b'1', one @ b'0'..=b'6'] => Self(10 + one - b'0'),
            _ => Self::UNKNOWN,
        }
    }

    pub(crate) const fn number(self) -> u8 {
        self.0
    }

    /// What it says of the endpoint. The table, with its sources, stands at [`Grpc`](super::Grpc).
    pub(crate) const fn outcome(self) -> Outcome {
        match self {
            Self::OK => Outcome::Success,
            Self::CANCELLED => Outcome::Cancelled,
            Self::UNKNOWN | Self::INTERNAL | Self::UNAVAILABLE | Self::DATA_LOSS => {
                Outcome::Failure(Cause::Error)
            }
            Self::DEADLINE_EXCEEDED => Outcome::Failure(Cause::RemoteTimeout),
            Self::RESOURCE_EXHAUSTED => Outcome::Overload(None),
            _ => Outcome::CallerFault,
        }
    }
}

/// What trailers say, or a head that is all there is. Without a status they are not the protocol.
pub(crate) fn judge(headers: &HeaderMap) -> Outcome {
    let Some(status) = headers.get(&STATUS) else {
        return Outcome::Failure(Cause::Protocol);
    };
    let code = Code::parse(status.as_bytes());
    let outcome = if code == Code::CANCELLED && is_tonics_timeout(headers) {
        Outcome::Failure(Cause::RemoteTimeout)
    } else {
        code.outcome()
    };
    if !outcome.may_improve() {
        return outcome;
    }
    match pushback::read(headers) {
        Some(hint) => Outcome::Overload(Some(hint)),
        None => outcome,
    }
}

/// When the time that a tonic server gives its handlers is over, it says `CANCELLED`, though nobody has cancelled anything.
fn is_tonics_timeout(headers: &HeaderMap) -> bool {
    headers.get(&MESSAGE).is_some_and(|message| {
        matches!(
            message.as_bytes(),
            b"Timeout%20expired" | b"Timeout expired"
        )
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn said(headers: &[(&'static str, &str)]) -> Outcome {
        let pairs = headers.iter().map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_str(value).unwrap())
        });
        judge(&pairs.collect())
    }

    #[test]
    fn codes_as_a_table() {
        let failed = Outcome::Failure(Cause::Error);
        for (status, outcome) in [
            ("0", Outcome::Success),
            ("1", Outcome::Cancelled),
            ("2", failed),
            ("3", Outcome::CallerFault),
            ("4", Outcome::Failure(Cause::RemoteTimeout)),
            ("5", Outcome::CallerFault),
            ("6", Outcome::CallerFault),
            ("7", Outcome::CallerFault),
            ("8", Outcome::Overload(None)),
            ("9", Outcome::CallerFault),
            ("10", Outcome::CallerFault),
            ("11", Outcome::CallerFault),
            ("12", Outcome::CallerFault),
            ("13", failed),
            ("14", failed),
            ("15", failed),
            ("16", Outcome::CallerFault),
            ("17", failed),
            ("00", failed),
            ("-1", failed),
            ("", failed),
            ("OK", failed),
            ("4294967296", failed),
        ] {
            assert_eq!(said(&[("grpc-status", status)]), outcome, "{status}");
        }
        assert_eq!(said(&[]), Outcome::Failure(Cause::Protocol));
    }

    #[test]
    fn whoever_pushes_back_is_overloaded() {
        let hint = Outcome::Overload(Some(Duration::from_millis(250)));
        for (status, pushback, outcome) in [
            ("14", "250", hint),
            ("8", "250", hint),
            ("13", "-1", Outcome::NOT_AGAIN),
            ("14", "soon", Outcome::NOT_AGAIN),
            // There is nothing to send again.
            ("0", "250", Outcome::Success),
            ("3", "-1", Outcome::CallerFault),
            ("1", "250", Outcome::Cancelled),
        ] {
            let headers = [
                ("grpc-status", status),
                ("grpc-retry-pushback-ms", pushback),
            ];
            assert_eq!(said(&headers), outcome, "{status} {pushback}");
        }
    }

    #[test]
    fn a_server_whose_time_was_over_has_not_cancelled_anything() {
        let late = Outcome::Failure(Cause::RemoteTimeout);
        for (status, message, outcome) in [
            ("1", "Timeout%20expired", late),
            ("1", "Timeout expired", late),
            ("1", "no%20longer%20wanted", Outcome::Cancelled),
            ("3", "Timeout%20expired", Outcome::CallerFault),
        ] {
            let headers = [("grpc-status", status), ("grpc-message", message)];
            assert_eq!(said(&headers), outcome);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_some_code(text: Vec<u8>) {
            let code = Code::parse(&text);
            let number = std::str::from_utf8(&text).ok().and_then(|text| text.parse::<u32>().ok());
            match number {
                Some(number @ 0..=16) if text == number.to_string().as_bytes() => {
                    prop_assert_eq!(u32::from(code.number()), number);
                }
                _ => prop_assert_eq!(code, Code::UNKNOWN),
            }
        }
    }
}
