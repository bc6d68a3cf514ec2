//! What a request says of the call it is a part of: read in one pass over its headers.

use std::time::Duration;

use buttress_core::{Call, Stamp};
use http::HeaderMap;

use crate::{
    ATTEMPT_HEADER, BUDGET_HEADER, DEADLINE_HEADER, GRPC_TIMEOUT_HEADER, PREVIOUS_ATTEMPTS_HEADER,
    deadline,
    grpc::{attempts, timeout},
    hops,
};

/// What a request says of the call it is a part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hints {
    /// How long it is waited for: the least that is said.
    pub(crate) within: Option<Duration>,
    /// Is it an extra send, or are extra sends at an end?
    pub(crate) extra: bool,
}

/// Reads them. Names are compared rather than hashed: there are few headers, and mostly none of these.
pub(crate) fn read(headers: &HeaderMap) -> Hints {
    let mut hints = Hints::default();
    for (name, value) in headers {
        let (text, value) = (name.as_str(), value.as_bytes());
        // All begin so.
        if !text.starts_with("x-") && !text.starts_with("grpc-") {
            continue;
        }
        if name == DEADLINE_HEADER {
            hints.is_over_in(deadline::parse(value));
        } else if name == GRPC_TIMEOUT_HEADER {
            hints.is_over_in(timeout::parse(value));
        } else if name == ATTEMPT_HEADER {
            hints.extra |= hops::is_extra(value);
        } else if name == PREVIOUS_ATTEMPTS_HEADER {
            hints.extra |= attempts::is_extra(value);
        } else if name == BUDGET_HEADER {
            hints.extra |= hops::is_spent(value);
        }
    }
    hints
}

/// Writes down what the next server should know of a send, in place of what was said.
pub(crate) fn write(headers: &mut HeaderMap, stamp: &Stamp) {
    if let Some(left) = stamp.left
        && (!stamp.discreet || headers.contains_key(DEADLINE_HEADER))
    {
        deadline::write(headers, left);
    }
    hops::write(headers, stamp);
}

impl Hints {
    fn is_over_in(&mut self, said: Option<Duration>) {
        self.within = match (self.within, said) {
            (Some(least), Some(said)) => Some(least.min(said)),
            (least, said) => least.or(said),
        };
    }

    /// Those of a request, beside what is asked for in its extensions.
    pub(crate) fn and(self, mut call: Call) -> Call {
        if let Some(span) = self.within {
            call = call.and(Call::new().within(span));
        }
        call.extra |= self.extra;
        call
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn all_of_a_name_count_among_others() {
        let hints = |within: u64, extra| Hints {
            within: (within > 0).then(|| Duration::from_millis(within)),
            extra,
        };
        for (said, read_as) in [
            (&[][..], hints(0, false)),
            (
                &[("host", "x"), ("x-envoy-expected-rq-timeout-ms", "250")],
                hints(250, false),
            ),
            (
                &[
                    ("x-envoy-expected-rq-timeout-ms", "soon"),
                    ("x-envoy-expected-rq-timeout-ms", "300"),
                    ("x-envoy-attempt-count", "1"),
                    ("x-envoy-expected-rq-timeout-ms", "200"),
                    ("x-envoy-expected-rq-timeout-ms", "0"),
                ],
                hints(200, false),
            ),
            (
                &[
                    ("x-envoy-attempt-count", "1"),
                    ("x-envoy-attempt-count", "2"),
                ],
                hints(0, true),
            ),
            (
                &[
                    ("x-buttress-budget", "left"),
                    ("x-buttress-budget", "spent"),
                ],
                hints(0, true),
            ),
            (
                &[
                    ("grpc-timeout", "2S"),
                    ("x-envoy-expected-rq-timeout-ms", "3000"),
                ],
                hints(2_000, false),
            ),
            (&[("grpc-previous-rpc-attempts", "1")], hints(0, true)),
            (&[("x-other", "spent"), ("accept", "2")], hints(0, false)),
        ] {
            assert_eq!(read(&headers(said)), read_as, "{said:?}");
        }
    }
}
