//! How it went, by an error.

use std::{error::Error, io};

use buttress_core::{Cause, Outcome, Refusal};

use super::words::{self, Said};
use crate::ReplayError;

/// Walks the chain of an error to what it was in the end.
///
/// Only what happens before anything is sent, or is provably not processed, may count as [`Cause::Connect`]: that allows sending a POST
/// again.
pub(crate) fn error(error: &(dyn Error + 'static)) -> Outcome {
    let mut found = Outcome::Failure(Cause::Error);
    for error in links(error) {
        if let Some(refusal) = error.downcast_ref::<Refusal>() {
            return refused(refusal);
        }
        if error.is::<ReplayError>() {
            return Outcome::Cancelled;
        }
        if let Some(cause) = error.downcast_ref().and_then(io_cause) {
            found = Outcome::Failure(cause);
        }
        match words::said(error) {
            Some(Said::Finally(outcome)) => return outcome,
            Some(Said::Unless(outcome)) => found = outcome,
            None => {}
        }
    }
    found
}

/// An error and what is behind it.
pub(crate) fn links<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        let error = *error;
        // An I/O error names what is behind the error it holds, and not that itself.
        let held = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        held.map(|held| held as _).or_else(|| error.source())
    })
}

/// The same of a body whose head has come: nothing of it can be unsent.
pub(crate) fn body(error: &(dyn Error + 'static)) -> Outcome {
    match self::error(error) {
        Outcome::Failure(Cause::Connect) => Outcome::Failure(Cause::Reset),
        outcome => outcome,
    }
}

const fn refused(refusal: &Refusal) -> Outcome {
    match refusal {
        Refusal::Timeout { .. } | Refusal::Deadline { .. } => Outcome::Failure(Cause::Timeout),
        // Nobody can reach it: that is the endpoint's failure, though we say so without asking again.
        Refusal::Disconnected { .. } => Outcome::Failure(Cause::Connect),
        _ => Outcome::Refused,
    }
}

fn io_cause(error: &io::Error) -> Option<Cause> {
    match error.kind() {
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::AddrNotAvailable => Some(Cause::Connect),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected
        | io::ErrorKind::UnexpectedEof => Some(Cause::Reset),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Some(Cause::Protocol),
        io::ErrorKind::TimedOut => Some(Cause::Timeout),
        _ => None,
    }
}
