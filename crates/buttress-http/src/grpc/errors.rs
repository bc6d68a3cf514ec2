//! How a call went that has no answer.

use std::error::Error;

use buttress_core::{Cause, Outcome};

use crate::classify;

/// Walks the chain of an error for what only clients of gRPC say, and leaves the rest to what is said of HTTP.
///
/// With the feature `tonic` its errors are known by their types, and elsewhere by their words.
pub(crate) fn judge(error: &(dyn Error + 'static)) -> Outcome {
    let mut link = Some(error);
    while let Some(error) = link {
        #[cfg(feature = "tonic")]
        if error.is::<tonic::ConnectError>() {
            // Whatever went wrong with it, TLS and its timeout included: there was no connection, and nothing was sent.
            return Outcome::Failure(Cause::Connect);
        }
        match error.to_string().as_str() {
            // tonic's own timeout, be it the endpoint's or what `grpc-timeout` asked for.
            "Timeout expired" => return Outcome::Failure(Cause::Timeout),
            words if untouched(words) => return Outcome::Refused,
            _ => {}
        }
        link = error.source();
    }
    classify::error(error)
}

/// Was it provably not looked at? h2 keeps its kinds of errors to whoever depends on it, but prints them in these words.
///
/// RFC 9113 §8.7: a stream that is refused, and one above the last of a GOAWAY, was not processed. A6 sends both again without any evidence. A
/// graceful end is no failure of the endpoint, nor is a full one.
fn untouched(words: &str) -> bool {
    words.starts_with("stream error received: refused stream")
        || words.starts_with("connection error received: not a result of an error")
}

#[cfg(test)]
mod tests {
    use std::{fmt, io};

    use super::*;

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
        let io = |kind: io::ErrorKind| Box::<dyn Error>::from(io::Error::from(kind));
        let words = |words| Box::<dyn Error>::from(Wrapped(words, None));
        for (inner, outcome) in [
            (words("Timeout expired"), Outcome::Failure(Cause::Timeout)),
            (
                words(
                    "stream error received: refused stream before processing any application logic",
                ),
                Outcome::Refused,
            ),
            (
                words("connection error received: not a result of an error"),
                Outcome::Refused,
            ),
            (
                words("stream error received: unexpected internal error encountered"),
                Outcome::Failure(Cause::Error),
            ),
            (
                io(io::ErrorKind::ConnectionRefused),
                Outcome::Failure(Cause::Connect),
            ),
            (
                io(io::ErrorKind::BrokenPipe),
                Outcome::Failure(Cause::Reset),
            ),
        ] {
            let error = Wrapped("transport error", Some(inner));
            assert_eq!(judge(&error), outcome, "{error:?}");
        }
    }

    #[cfg(feature = "tonic")]
    #[test]
    fn whatever_fails_while_connecting_was_not_sent() {
        let hung = tonic::ConnectError(io::Error::from(io::ErrorKind::TimedOut).into());
        let error = Wrapped("transport error", Some(Box::new(hung)));
        assert_eq!(judge(&error), Outcome::Failure(Cause::Connect));
    }
}
