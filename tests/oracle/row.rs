//! A table, the same in a test and on the page.

use std::{collections::HashSet, fmt::Display};

use crate::fault::{Fault, Times};

/// A fault, what was seen of it, and why not the same was seen everywhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<const N: usize> {
    pub(crate) name: &'static str,
    pub(crate) fault: Fault,
    pub(crate) times: Times,
    /// How many requests reached a server, and what the caller got.
    pub(crate) seen: [&'static str; N],
    /// Empty where all agree.
    pub(crate) why: &'static str,
}

const PAGE: &str = include_str!("../../crates/buttress/src/docs/conformance.md");

/// A cell.
pub(crate) fn cell(seen: u32, got: impl Display) -> String {
    format!("{seen}, {got}")
}

/// How many, and whether it went well: in which words it is said that it did not is every client's own.
fn sort(cell: &str) -> (&str, bool) {
    let (seen, got) = cell.split_once(", ").unwrap();
    (seen, matches!(got, "200" | "OK"))
}

impl<const N: usize> Row<N> {
    /// What is not as it is written, in words.
    pub(crate) fn check(&self, seen: &[String; N], groups: &[&[usize]]) -> Vec<String> {
        let name = self.name;
        let mut wrong = Vec::new();
        if self.seen.as_slice() != seen.as_slice() {
            wrong.push(format!("{name}: {seen:?}, and not {:?}", self.seen));
        }
        let agree = |group: &&[usize]| {
            let sorts = group.iter().map(|place| sort(&seen[*place]));
            sorts.collect::<HashSet<_>>().len() == 1
        };
        let agree = groups.iter().all(agree);
        if agree != self.why.is_empty() {
            wrong.push(format!("{name}: agree is {agree}, why is {:?}", self.why));
        }
        let line = format!("| {name} | {} | {} |", self.seen.join(" | "), self.why);
        if !PAGE.contains(&line) {
            wrong.push(format!("not on the page: {line}"));
        }
        wrong
    }
}
