//! How much a request matters.

/// How much a request matters, when not all of them can be served: the least important is turned away first.
///
/// Ordered: what matters less is less.
///
/// # Examples
///
/// ```
/// use buttress_core::Priority;
///
/// assert!(Priority::Sheddable < Priority::Normal && Priority::Normal < Priority::Critical);
/// assert_eq!(Priority::default(), Priority::Normal);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Priority {
    /// Nobody waits for it, and it can be done another time: prefetching, reports.
    Sheddable,
    /// It may fail now and then: batches, retries of what nobody waits for.
    Low,
    /// The default.
    #[default]
    Normal,
    /// A person waits for it.
    High,
    /// Nothing works without it: logins, health checks.
    Critical,
}

impl Priority {
    /// Every priority, from what is turned away first to what is turned away last.
    pub const ALL: [Self; 5] = [
        Self::Sheddable,
        Self::Low,
        Self::Normal,
        Self::High,
        Self::Critical,
    ];

    /// One word for people and labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sheddable => "sheddable",
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_listed_in_their_order() {
        assert!(Priority::ALL.is_sorted());
        for (index, priority) in Priority::ALL.into_iter().enumerate() {
            assert_eq!(priority as usize, index);
        }
    }
}
