//! How a rule stands.

use std::fmt;

/// One rule, and all that breaks it.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// What holds if nothing breaks it, with the figure that was measured.
    pub(crate) held: String,
    pub(crate) breaches: Vec<Breach>,
}

/// One thing that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Breach {
    pub(crate) what: String,
    /// The dependency path, from the crate of ours to the package in question.
    pub(crate) at: Vec<String>,
    /// What would do.
    pub(crate) cure: String,
}

impl Rule {
    /// Does nothing break it?
    pub(crate) fn holds(&self) -> bool {
        self.breaches.is_empty()
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.holds() {
            return write!(f, "ok    {}", self.held);
        }
        let lines: Vec<String> = self.breaches.iter().map(Breach::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, at, cure } = self;
        write!(f, "FAIL  {what} (at {}): {cure}", at.join(" > "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_one_line_if_held_and_one_per_breach_if_not() {
        let mut rule = Rule {
            held: "a: 1 of 3".to_owned(),
            breaches: Vec::new(),
        };
        assert_eq!(rule.to_string(), "ok    a: 1 of 3");
        let breach = |what: &str| Breach {
            what: what.to_owned(),
            at: vec!["a".to_owned(), "b".to_owned()],
            cure: "drop b".to_owned(),
        };
        rule.breaches = vec![breach("b is C"), breach("b is old")];
        assert_eq!(
            rule.to_string(),
            "FAIL  b is C (at a > b): drop b\nFAIL  b is old (at a > b): drop b"
        );
    }
}
