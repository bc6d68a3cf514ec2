//! The newest Rust anything needs.

use super::{
    rule::{Breach, Rule},
    tree::Tree,
    workspace::Workspace,
};
use crate::trouble::{Done, Trouble};

/// No package we use, for tests included, needs a newer Rust than we promise.
pub(crate) fn rule(workspace: &Workspace, everything: &Tree) -> Done<Rule> {
    // Should they ever differ, the oldest is the promise to keep.
    let promised = workspace
        .published()
        .filter_map(|member| member.rust_version);
    let ours = promised.min().ok_or_else(|| {
        Trouble::Unable("no published crate says its rust-version; say it in Cargo.toml".to_owned())
    })?;
    let mut newest = None;
    let mut breaches = Vec::new();
    for node in &everything.nodes {
        let package = workspace.package(&node.name, &node.version)?;
        let Some(needs) = package.rust_version else {
            continue;
        };
        if !workspace.is_member(&node.name) {
            newest = newest.max(Some((needs, &node.name)));
        }
        if needs > ours {
            breaches.push(Breach {
                what: format!(
                    "{} {} needs Rust {needs}, ours is {ours}",
                    node.name, node.version
                ),
                at: node.path.clone(),
                cure: format!(
                    "lock an older one: cargo update -p {} --precise …",
                    node.name
                ),
            });
        }
    }
    let newest = newest.map_or_else(String::new, |(needs, name)| {
        format!(", {name} needs {needs}")
    });
    Ok(Rule {
        held: format!(
            "rust-version: none of {} packages needs more than our {ours}{newest}",
            everything.nodes.len()
        ),
        breaches,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deps::workspace::tests::{third_party, workspace};
    use serde_json::json;

    #[test]
    fn finds_what_needs_a_newer_rust_and_the_way_to_it() {
        let mut workspace = workspace(&[("top", true, &[])]);
        third_party(
            &mut workspace,
            json!({"name": "a", "rust_version": "1.88.0"}),
        );
        third_party(
            &mut workspace,
            json!({"name": "b", "rust_version": "1.100"}),
        );
        let held = Tree::parse("0top v0.1.0\n1a v1.0.0");
        let broken = Tree::parse("0top v0.1.0\n1a v1.0.0\n2b v1.0.0");
        assert!(rule(&workspace, &held).unwrap().holds());
        let breaches = rule(&workspace, &broken).unwrap().breaches;
        assert_eq!(breaches.len(), 1);
        assert_eq!(breaches[0].at, ["top", "a", "b"]);
        assert_eq!(breaches[0].what, "b 1.0.0 needs Rust 1.100, ours is 1.88");
    }

    #[test]
    fn a_tree_of_another_lock_is_no_verdict() {
        let workspace = workspace(&[("top", true, &[])]);
        assert!(rule(&workspace, &Tree::parse("0top v0.1.0\n1gone v1.0.0")).is_err());
    }
}
