//! What a call says of itself when it asks for a place.

use crate::{Labels, Nanos, Priority};

/// What a call says of itself when it asks for a place. Where there are places it is not asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ask<'a> {
    /// How much it matters.
    pub priority: Priority,
    /// Who calls.
    pub caller: Option<&'a str>,
    /// When its caller will be gone: from then on it is not begun.
    pub deadline: Option<Nanos>,
    /// When it arrived, if that was before it asked.
    pub arrived: Option<Nanos>,
}

impl<'a> Ask<'a> {
    /// As its labels say.
    #[must_use]
    pub const fn of(labels: &Labels<'a>) -> Self {
        Self {
            priority: match labels.priority {
                Some(priority) => priority,
                None => Priority::Normal,
            },
            caller: labels.caller,
            deadline: None,
            arrived: None,
        }
    }

    /// Sets when its caller will be gone.
    #[must_use]
    pub const fn deadline(mut self, at: Option<Nanos>) -> Self {
        self.deadline = at;
        self
    }

    /// Sets when it arrived.
    #[must_use]
    pub const fn arrived(mut self, at: Nanos) -> Self {
        self.arrived = Some(at);
        self
    }
}
