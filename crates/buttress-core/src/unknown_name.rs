//! A name that nothing goes by.

use std::{collections::BTreeSet, error::Error, fmt};

/// Names that an error tells, at most.
const TOLD: usize = 16;

/// Nothing goes by this name, or several do where one was asked for; and what does.
///
/// # Examples
///
/// ```
/// use buttress_core::{Clock, Host, Nanos, Rules, Vitals};
///
/// let host = Host::new(Clock(|| Nanos::ZERO));
/// let vitals = Vitals::new("orders", &Rules::default(), &host);
/// let error = host.registry.find("order").unwrap_err();
/// assert_eq!(error.to_string(), "nothing goes by the name \"order\"; known: orders");
/// # drop(vitals);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName {
    name: String,
    /// So many go by it.
    several: usize,
    known: BTreeSet<String>,
}

impl UnknownName {
    /// Nothing goes by `name`, but by those that are `known`.
    pub fn new(name: impl Into<String>, known: impl IntoIterator<Item = String>) -> Self {
        Self {
            name: name.into(),
            several: 0,
            known: known.into_iter().collect(),
        }
    }

    /// `several` go by that name, and each of them by one of those that are known.
    #[must_use]
    pub fn several(self, several: usize) -> Self {
        Self { several, ..self }
    }

    /// The name that was asked for.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What something goes by, in alphabetical order.
    pub fn known(&self) -> impl ExactSizeIterator<Item = &str> {
        self.known.iter().map(String::as_str)
    }
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.several {
            0 => write!(f, "nothing goes by the name {:?}; known: ", self.name)?,
            many => write!(f, "{many} go by the name {:?}; known: ", self.name)?,
        }
        if self.known.is_empty() {
            return f.write_str("none");
        }
        for (index, name) in self.known.iter().take(TOLD).enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name}")?;
        }
        match self.known.len().saturating_sub(TOLD) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl Error for UnknownName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_few_of_many_names_and_each_once() {
        let names = |count: u32| (0..count).flat_map(|n| [format!("n{n:02}"), format!("n{n:02}")]);
        let text = |count| UnknownName::new("x", names(count)).to_string();
        assert_eq!(text(0), "nothing goes by the name \"x\"; known: none");
        assert_eq!(text(2), "nothing goes by the name \"x\"; known: n00, n01");
        assert!(text(16).ends_with(", n15"));
        assert!(text(40).ends_with(", n15 and 24 more"));
        assert_eq!(UnknownName::new("x", names(40)).known().len(), 40);
        let three = UnknownName::new("x", names(1)).several(3).to_string();
        assert_eq!(three, "3 go by the name \"x\"; known: n00");
    }
}
