//! How a run of a service ended.

use std::{any::Any, fmt};

use buttress_core::{Cause, Redact};
use tokio::task::JoinError;

/// How a run of a service ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// It returned, and has no more to do.
    Done,
    /// It returned an error, of this text.
    Failed(String),
    /// It panicked, with this text.
    Panicked(String),
    /// It was aborted.
    Aborted,
}

impl Exit {
    /// Of a task that did not come to its end.
    pub(super) fn of_task(error: JoinError) -> Self {
        match error.try_into_panic() {
            Ok(payload) => Self::Panicked(words_of(&*payload)),
            Err(_) => Self::Aborted,
        }
    }

    /// Why it failed, in as many of its own words as may be told.
    pub(super) fn failure(&self, redact: Redact) -> Option<(Cause, String)> {
        match self {
            Self::Done | Self::Aborted => None,
            Self::Failed(error) => Some((Cause::Error, redact.apply(error))),
            Self::Panicked(words) => {
                Some((Cause::Panic, format!("panicked: {}", redact.apply(words))))
            }
        }
    }
}

/// What a service may return: nothing, or a `Result` whose error can be displayed. One that never returns will do, too.
///
/// Nothing is asked of the error but its text: it need be neither `Send` nor an `Error`. One that displays its sources by
/// `{:#}` is told with them.
pub trait IntoExit {
    /// How its run ended.
    fn into_exit(self) -> Exit;
}

impl IntoExit for Exit {
    fn into_exit(self) -> Self {
        self
    }
}

impl IntoExit for () {
    fn into_exit(self) -> Exit {
        Exit::Done
    }
}

impl<T, E: fmt::Display> IntoExit for Result<T, E> {
    fn into_exit(self) -> Exit {
        match self {
            Ok(_) => Exit::Done,
            Err(error) => Exit::Failed(format!("{error:#}")),
        }
    }
}

/// What an endless loop returns. The type has no name yet, but a function that returns it has.
impl IntoExit for <fn() -> ! as Returns>::Type {
    #[expect(
        private_interfaces,
        reason = "it names the type of the impl, and nothing else"
    )]
    fn into_exit(self) -> Exit {
        self
    }
}

/// Names what a function returns.
trait Returns {
    type Type;
}

impl<T> Returns for fn() -> T {
    type Type = T;
}

/// `panic!` leaves one of two types; others say nothing.
fn words_of(payload: &(dyn Any + Send)) -> String {
    let words = payload.downcast_ref::<&str>().copied();
    words
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without words")
        .to_owned()
}
