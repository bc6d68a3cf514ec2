//! How many calls may be under way at once, as plain data.

use std::time::Duration;

use crate::{PolicyError, value::check_span};

/// The most places there can be, and the most that may wait for one.
const MOST: u32 = 1_000_000;

/// How many calls may be under way at once to one service, or to each endpoint of a set, and what becomes of the others.
///
/// A call is under way until its answer is over, body and all. Those for which there is no place are refused, or wait in
/// turn for a while. What is refused here was never sent, and is no evidence against anybody.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
pub struct LimitPolicy {
    /// How many at once.
    pub concurrency: u32,
    /// How long a call may wait for a place. By default it does not: it is refused at once.
    #[cfg_attr(
        feature = "serde",
        serde(
            default,
            with = "crate::duration_text::option",
            skip_serializing_if = "Option::is_none"
        )
    )]
    pub wait: Option<Duration>,
    /// How many may wait at once; as many as may be under way by default.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub queue: Option<u32>,
}

impl LimitPolicy {
    /// So many at once; the others are refused.
    #[must_use]
    pub const fn concurrency(calls: u32) -> Self {
        Self {
            concurrency: calls,
            wait: None,
            queue: None,
        }
    }

    /// Sets how long a call may wait for a place.
    #[must_use]
    pub const fn wait(mut self, span: Duration) -> Self {
        self.wait = Some(span);
        self
    }

    /// Sets how many may wait at once.
    #[must_use]
    pub const fn queue(mut self, calls: u32) -> Self {
        self.queue = Some(calls);
        self
    }

    /// Can it be?
    ///
    /// # Errors
    ///
    /// Names the field, its value and what would do.
    pub fn check(&self) -> Result<(), PolicyError> {
        check_number("limit.concurrency", self.concurrency)?;
        if let Some(wait) = self.wait {
            check_span("limit.wait", wait)?;
        }
        let Some(queue) = self.queue else {
            return Ok(());
        };
        check_number("limit.queue", queue)?;
        if self.wait.is_none() {
            let needs = "limit.wait beside it: without, nobody waits";
            return Err(PolicyError::new("limit.queue", queue, needs));
        }
        Ok(())
    }

    /// How many may wait at once.
    pub(crate) fn waiting(&self) -> usize {
        let most = self.queue.unwrap_or(self.concurrency);
        self.wait.map_or(0, |_| most as usize)
    }
}

fn check_number(field: &'static str, number: u32) -> Result<(), PolicyError> {
    if (1..=MOST).contains(&number) {
        return Ok(());
    }
    Err(PolicyError::new(field, number, "1 to 1000000"))
}
