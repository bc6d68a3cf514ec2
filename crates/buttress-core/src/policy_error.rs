//! What is wrong with a policy, and what would do.

use std::{borrow::Cow, error::Error, fmt};

/// A policy that cannot be: which field, its value, and what would do.
///
/// # Examples
///
/// ```
/// use buttress_core::Redundancy;
///
/// let error = Redundancy::failover(0).check().unwrap_err();
/// assert_eq!(error.to_string(), "redundancy.failover = 0: needs 1 to 10 attempts");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    field: Cow<'static, str>,
    value: String,
    needs: Cow<'static, str>,
}

impl PolicyError {
    /// `field` holds `value`, but needs something else.
    pub fn new(
        field: impl Into<Cow<'static, str>>,
        value: impl fmt::Display,
        needs: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            field: field.into(),
            value: value.to_string(),
            needs: needs.into(),
        }
    }

    /// The same error seen from outside: `inside` becomes `outer.inside`.
    #[must_use]
    pub fn within(self, outer: &str) -> Self {
        Self {
            field: format!("{outer}.{}", self.field).into(),
            ..self
        }
    }

    /// The field at fault, dotted as in a file: `breaker.open_for`.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The value it holds, as text.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: needs {}", self.field, self.value, self.needs)
    }
}

impl Error for PolicyError {}
