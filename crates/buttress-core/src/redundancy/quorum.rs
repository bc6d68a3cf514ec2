//! Answers that agree.

use std::fmt;

use super::{Progress, Step, check_attempts};
use crate::PolicyError;

/// How many endpoints are asked, and how many of them have to agree.
///
/// Whether two answers agree is for the protocol to say. `agree` is at least one of them, and a majority wherever two groups
/// must not both be enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
pub struct QuorumPolicy {
    /// So many have to agree.
    pub agree: u32,
    /// So many are asked.
    pub of: u32,
}

impl QuorumPolicy {
    /// All that can be are asked at once. The first failure that makes it impossible ends it.
    pub(super) const fn next(&self, progress: &Progress) -> Step {
        let left = if progress.can_copy() {
            self.of.saturating_sub(progress.launched)
        } else {
            0
        };
        if progress.agreed + progress.running + left < self.agree {
            return Step::Stop;
        }
        if left > 0 {
            return Step::Launch;
        }
        Step::rest(progress)
    }

    pub(super) fn check(&self) -> Result<(), PolicyError> {
        check_attempts("redundancy.quorum.of", self.of, 2)?;
        if (1..=self.of).contains(&self.agree) {
            return Ok(());
        }
        let needs = format!("1 to redundancy.quorum.of, {}", self.of);
        Err(PolicyError::new(
            "redundancy.quorum.agree",
            self.agree,
            needs,
        ))
    }
}

/// As a file has it.
impl fmt::Display for QuorumPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{ agree = {}, of = {} }}", self.agree, self.of)
    }
}
