//! What is built for a crate, from `cargo tree`: it knows what features switch on.

use std::collections::BTreeSet;

use crate::{
    run::{cargo, output},
    trouble::Done,
};

/// The packages of one tree, each once, with the first path to it.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
}

/// A package in a tree.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) version: String,
    /// From the root of the tree to it, both included.
    pub(crate) path: Vec<String>,
}

/// Which tree.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted<'a> {
    /// What this crate cannot do without.
    Bare(&'a str),
    /// What whoever just names this crate gets.
    Usual(&'a str),
    /// All this crate can bring, and what its build needs.
    Whole(&'a str),
    /// The workspace with all features, its tests too.
    Everything,
}

impl Tree {
    /// Asks cargo.
    pub(crate) fn read(wanted: Wanted<'_>) -> Done<Self> {
        // Every platform's, so that all machines measure the same.
        let common = ["tree", "--locked", "--target", "all", "--prefix", "depth"];
        let scope = match wanted {
            Wanted::Bare(name) => vec!["-p", name, "-e", "normal", "--no-default-features"],
            Wanted::Usual(name) => vec!["-p", name, "-e", "normal"],
            Wanted::Whole(name) => vec!["-p", name, "-e", "normal,build", "--all-features"],
            Wanted::Everything => vec!["--workspace", "-e", "normal,build,dev", "--all-features"],
        };
        let printed = output(&mut cargo(common.into_iter().chain(scope)))?;
        Ok(Self::parse(&printed))
    }

    /// Reads lines such as `2syn v3.0.10 (proc-macro) (*)`: depth, name, version and remarks.
    pub(crate) fn parse(printed: &str) -> Self {
        let mut path: Vec<String> = Vec::new();
        let mut seen = BTreeSet::new();
        let mut nodes = Vec::new();
        for line in printed.lines() {
            let package = line.trim_start_matches(|c: char| c.is_ascii_digit());
            let Ok(depth) = line[..line.len() - package.len()].parse::<usize>() else {
                continue;
            };
            let mut words = package.split_whitespace();
            let (Some(name), Some(version)) = (words.next(), words.next()) else {
                continue;
            };
            path.truncate(depth);
            path.push(name.to_owned());
            let version = version.trim_start_matches('v');
            if seen.insert((name, version)) {
                nodes.push(Node {
                    name: name.to_owned(),
                    version: version.to_owned(),
                    path: path.clone(),
                });
            }
        }
        Self { nodes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_package_once_with_the_way_to_it() {
        let tree = Tree::parse(
            "0buttress v0.1.0 (/x)\n1tokio v1.54.1\n2bytes v1.12.2\n1serde_derive v1.0.229 (proc-macro)\n\
             2syn v3.0.10\n1bytes v1.12.2\n1tokio v1.54.1 (*)\n\n0other v0.1.0 (/y)\n1syn v2.0.119\n",
        );
        let paths: Vec<String> = tree.nodes.iter().map(|node| node.path.join(">")).collect();
        assert_eq!(
            paths,
            [
                "buttress",
                "buttress>tokio",
                "buttress>tokio>bytes",
                "buttress>serde_derive",
                "buttress>serde_derive>syn",
                "other",
                "other>syn",
            ]
        );
        assert_eq!(
            (tree.nodes[6].name.as_str(), tree.nodes[6].version.as_str()),
            ("syn", "2.0.119")
        );
    }

    #[test]
    fn ignores_what_is_no_package() {
        assert!(
            Tree::parse("\n[dev-dependencies]\n12\n3 \n")
                .nodes
                .is_empty()
        );
    }
}
