//! How many calls may be under way at once, as plain data.

use std::{fmt, time::Duration};

use super::{AdaptivePolicy, ShedPolicy};
use crate::{PolicyError, print_duration, value::check_span};

/// The most places there can be, and the most that may wait for one.
const MOST: u32 = 1_000_000;

/// The most that is tried where the limit is found out, by default (Envoy).
const TRIED: u32 = 1_000;

/// How many calls may be under way at once to one service, or to each endpoint of a set, and what becomes of the others.
///
/// A call is under way until its answer is over, body and all. Those for which there is no place are refused, or wait in
/// turn for a while. What is refused here was never sent, and is no evidence against anybody.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields, default)
)]
pub struct LimitPolicy {
    /// How many at once. Where the limit is found out, how many at most; 1000 by default.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub concurrency: Option<u32>,
    /// How it is found out, instead of being said.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub adaptive: Option<AdaptivePolicy>,
    /// How long a call may wait for a place. By default it does not: it is refused at once.
    #[cfg_attr(
        feature = "serde",
        serde(
            with = "crate::duration_text::option",
            skip_serializing_if = "Option::is_none"
        )
    )]
    pub wait: Option<Duration>,
    /// How many may wait at once; as many as may be under way by default.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub queue: Option<u32>,
    /// Whether calls are turned away by priority and caller when too many wait for too long; not by default.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub shed: Option<ShedPolicy>,
}

impl LimitPolicy {
    /// So many at once; the others are refused.
    #[must_use]
    pub const fn concurrency(calls: u32) -> Self {
        Self {
            concurrency: Some(calls),
            ..Self::NONE
        }
    }

    /// As many at once as latencies show the service can bear; the others are refused.
    ///
    /// # Examples
    ///
    /// ```
    /// use buttress_core::{AdaptivePolicy, LimitPolicy};
    ///
    /// let limit = LimitPolicy::adaptive(AdaptivePolicy::new()).at_most(200);
    /// assert!(limit.check().is_ok());
    /// ```
    #[must_use]
    pub const fn adaptive(policy: AdaptivePolicy) -> Self {
        Self {
            adaptive: Some(policy),
            ..Self::NONE
        }
    }

    const NONE: Self = Self {
        concurrency: None,
        adaptive: None,
        wait: None,
        queue: None,
        shed: None,
    };

    /// Sets how many at most, where the limit is found out.
    #[must_use]
    pub const fn at_most(mut self, calls: u32) -> Self {
        self.concurrency = Some(calls);
        self
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

    /// Turns calls away by priority, and then by caller, when too many wait for too long.
    #[must_use]
    pub const fn shed(mut self, shed: ShedPolicy) -> Self {
        self.shed = Some(shed);
        self
    }

    /// Can it be?
    ///
    /// # Errors
    ///
    /// Names the field, its value and what would do.
    pub fn check(&self) -> Result<(), PolicyError> {
        if let Some(concurrency) = self.concurrency {
            check_number("limit.concurrency", concurrency)?;
        }
        match &self.adaptive {
            Some(adaptive) => adaptive.check(self.most())?,
            None if self.concurrency.is_none() => {
                let needs = "a number of calls, or limit.adaptive";
                return Err(PolicyError::new("limit.concurrency", "none", needs));
            }
            None => {}
        }
        if let Some(wait) = self.wait {
            check_span("limit.wait", wait)?;
        }
        let needs = "limit.wait beside it: without, nobody waits";
        if let Some(queue) = self.queue {
            check_number("limit.queue", queue)?;
            if self.wait.is_none() {
                return Err(PolicyError::new("limit.queue", queue, needs));
            }
        }
        let Some(shed) = &self.shed else {
            return Ok(());
        };
        shed.check()?;
        let target = print_duration(shed.target);
        match self.wait {
            None => Err(PolicyError::new("limit.shed.target", target, needs)),
            Some(wait) if wait <= shed.target => {
                let needs = format!("less than limit.wait, {}", print_duration(wait));
                Err(PolicyError::new("limit.shed.target", target, needs))
            }
            Some(_) => Ok(()),
        }
    }

    /// How many at once, at most.
    pub(crate) fn most(&self) -> u32 {
        self.concurrency.unwrap_or(TRIED)
    }

    /// How many may wait at once.
    pub(crate) fn waiting(&self) -> usize {
        let most = self.queue.unwrap_or_else(|| self.most());
        self.wait.map_or(0, |_| most as usize)
    }
}

impl fmt::Display for LimitPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self.most();
        match &self.adaptive {
            Some(adaptive) => write!(
                f,
                "{} to {most} calls at once, as latencies allow",
                adaptive.least
            )?,
            None => write!(f, "at most {most} calls at once")?,
        }
        match self.wait {
            Some(wait) => write!(
                f,
                ", {} more wait up to {}",
                self.waiting(),
                print_duration(wait)
            )?,
            None => f.write_str(", others are refused")?,
        }
        match &self.shed {
            Some(shed) => write!(
                f,
                ", the least important turned away once all wait over {}",
                print_duration(shed.target)
            ),
            None => Ok(()),
        }
    }
}

/// Not to be: [`LimitPolicy::check`] refuses it. It is what files begin with.
impl Default for LimitPolicy {
    fn default() -> Self {
        Self::NONE
    }
}

pub(super) fn check_number(field: &'static str, number: u32) -> Result<(), PolicyError> {
    if (1..=MOST).contains(&number) {
        return Ok(());
    }
    Err(PolicyError::new(field, number, "1 to 1000000"))
}
