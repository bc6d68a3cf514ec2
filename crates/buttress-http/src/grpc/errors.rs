//! How a call went that has no answer.

use std::error::Error;

use buttress_core::Outcome;

use crate::classify;

/// As for HTTP, by types and words. With the feature `tonic` whatever its channels say while they connect is known by its type: TLS and its
/// own timeout included, there was no connection, and nothing was sent.
pub(crate) fn judge(error: &(dyn Error + 'static)) -> Outcome {
    #[cfg(feature = "tonic")]
    if classify::links(error).any(|link| link.is::<tonic::ConnectError>()) {
        return Outcome::Failure(buttress_core::Cause::Connect);
    }
    classify::error(error)
}

#[cfg(test)]
mod tests {
    use std::{fmt, io};

    use buttress_core::Cause;

    use super::*;

    /// As tonic's transport has it.
    #[derive(Debug)]
    struct Transport(Box<dyn Error + Send + Sync>);

    impl fmt::Display for Transport {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("transport error")
        }
    }

    impl Error for Transport {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&*self.0)
        }
    }

    #[test]
    fn errors_are_what_they_were_in_the_end() {
        let io = |kind: io::ErrorKind| io::Error::from(kind).into();
        for (inner, cause) in [
            ("Timeout expired".into(), Cause::Timeout),
            (io(io::ErrorKind::ConnectionRefused), Cause::Connect),
            (
                "stream error received: refused stream before processing any application logic"
                    .into(),
                Cause::Connect,
            ),
            (io(io::ErrorKind::BrokenPipe), Cause::Reset),
            ("anything".into(), Cause::Error),
        ] {
            let error = Transport(inner);
            assert_eq!(judge(&error), Outcome::Failure(cause), "{error:?}");
        }
    }

    #[cfg(feature = "tonic")]
    #[test]
    fn whatever_fails_while_connecting_was_not_sent() {
        let hung = tonic::ConnectError(io::Error::from(io::ErrorKind::TimedOut).into());
        let error = Transport(hung.into());
        assert_eq!(judge(&error), Outcome::Failure(Cause::Connect));
    }
}
