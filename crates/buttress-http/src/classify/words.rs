//! The words in which others print their errors, for they keep the kinds of them to themselves.

use std::fmt::{self, Write as _};

use buttress_core::{Cause, Outcome};

/// What a link of a chain says, if it says anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// How it went, whatever is further down.
    Finally(Outcome),
    /// How it went, unless something further down knows better.
    Unless(Outcome),
}

const UNSENT: Said = Said::Finally(Outcome::Failure(Cause::Connect));
/// The body of the request failed while it was sent. That is the fault of whoever it comes from, and says nothing of where it goes to.
const GIVEN_UP: Said = Said::Finally(Outcome::Cancelled);
const BROKEN: Said = Said::Unless(Outcome::Failure(Cause::Reset));
const FOREIGN: Said = Said::Unless(Outcome::Failure(Cause::Protocol));
const LATE: Said = Said::Unless(Outcome::Failure(Cause::Timeout));

/// By how the words begin: the first that fits. The real ones say them in `tests/bodies.rs`.
const WORDS: [(&str, Said); 34] = [
    // hyper-util's client: name resolution, TCP and TLS, all before a request is sent.
    ("client error (Connect)", UNSENT),
    // Its connector and reqwest's, where they are used by others.
    ("dns error", UNSENT),
    ("error resolving DNS", UNSENT),
    ("tcp connect error", UNSENT),
    // hyper: given back by a connection that was over before it took the request.
    ("operation was canceled", UNSENT),
    // h2: a request that was not processed says so (RFC 9113 §8.7), as does one beyond the last stream of a GOAWAY (§6.8). h2 prints
    // the second only of those: the others hear of the connection's end.
    ("stream error received: refused stream", UNSENT),
    ("connection error received", UNSENT),
    (
        "stream error received: detected excessive load",
        Said::Finally(Outcome::Overload(None)),
    ),
    ("stream error received: unspecific protocol error", FOREIGN),
    ("stream error received", BROKEN),
    // That is all h2 tells of a request's own body that failed.
    ("stream error sent by user", GIVEN_UP),
    ("stream error detected", FOREIGN),
    ("connection error detected", FOREIGN),
    ("protocol error", FOREIGN),
    ("stream closed because of a broken pipe", BROKEN),
    ("connection closed because of a broken pipe", BROKEN),
    // hyper.
    ("connection closed before message completed", BROKEN),
    ("channel closed", BROKEN),
    ("error reading a body from connection", BROKEN),
    ("error writing a body to connection", BROKEN),
    ("error from user's Body stream", GIVEN_UP),
    ("user body write aborted", GIVEN_UP),
    ("invalid HTTP ", FOREIGN),
    ("invalid content-length", FOREIGN),
    ("invalid transfer-encoding", FOREIGN),
    ("unexpected transfer-encoding", FOREIGN),
    ("message head is too large", FOREIGN),
    ("received unexpected message", FOREIGN),
    // Time: hyper's and reqwest's, tower's, tokio's, tonic's.
    ("operation timed out", LATE),
    ("request timed out", LATE),
    ("deadline has elapsed", LATE),
    ("Timeout expired", LATE),
    ("connection timed out", LATE),
    ("keep-alive timed out", LATE),
];

pub(super) fn said(error: impl fmt::Display) -> Option<Said> {
    let mut words = Words::default();
    // Cut off where there is no more room: they are told by how they begin.
    let _ = write!(words, "{error}");
    let begins = |(beginning, _): &&(&str, Said)| words.text().starts_with(beginning.as_bytes());
    WORDS.iter().find(begins).map(|(_, said)| *said)
}

/// How an error begins to print itself. On the stack: when everything fails, this is done for every call.
struct Words {
    text: [u8; 64],
    len: usize,
}

impl Default for Words {
    fn default() -> Self {
        Self {
            text: [0; 64],
            len: 0,
        }
    }
}

impl Words {
    fn text(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or_default()
    }
}

impl fmt::Write for Words {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = self.text.get_mut(self.len..).unwrap_or_default();
        let taken = room.len().min(more.len());
        let (Some(room), Some(more)) = (room.get_mut(..taken), more.as_bytes().get(..taken)) else {
            return Err(fmt::Error);
        };
        room.copy_from_slice(more);
        self.len += taken;
        // Full: whatever follows need not be printed.
        (self.len < self.text.len()).then_some(()).ok_or(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_so_is_told_however_long_it_is() {
        let long = format!("operation was canceled{}", "!".repeat(1_000));
        assert_eq!(said(long), Some(UNSENT));
        assert_eq!(
            said("stream error received: stream no longer needed"),
            Some(BROKEN)
        );
        assert_eq!(said("an operation was canceled"), None);
        assert_eq!(said(""), None);
    }

    #[test]
    fn every_line_can_be_reached_and_none_is_cut_off() {
        for (words, told) in WORDS {
            assert_eq!(said(words), Some(told), "{words}");
            assert!(words.len() < Words::default().text.len());
        }
    }
}
