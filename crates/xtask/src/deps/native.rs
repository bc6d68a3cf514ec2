//! What runs or links beside Rust when a user builds.

use std::collections::BTreeSet;

use super::{
    rule::{Breach, Rule},
    tree::Tree,
    workspace::Workspace,
};
use crate::trouble::Done;

/// Bindings to C, TLS and generated code that do not end in `-sys`.
const FOREIGN: [&str; 4] = ["ring", "openssl", "protobuf", "prost-build"];

/// Declarations of what the system itself offers, be it Windows or a browser, without anything built: std stands on the same.
const SYSTEM: [&str; 3] = ["windows-sys", "js-sys", "web-sys"];

/// No build script, proc-macro or `links` key in what a user of a published crate gets by default.
pub(crate) fn nothing_at_build_time(workspace: &Workspace, usual: &[Tree]) -> Done<Rule> {
    let mut breaches = Vec::new();
    for node in usual.iter().flat_map(|tree| &tree.nodes) {
        for has in &workspace.package(&node.name, &node.version)?.at_build_time {
            breaches.push(Breach {
                what: format!("{} has {has}", node.name),
                at: node.path.clone(),
                cure: if workspace.is_member(&node.name) {
                    "take it out of the published crate".to_owned()
                } else {
                    "replace the package, or make it an optional feature".to_owned()
                },
            });
        }
    }
    Ok(Rule {
        held: format!(
            "build: no build script, proc-macro or `links` key in the {} packages of the {} published crates, by default",
            distinct(usual),
            usual.len()
        ),
        breaches,
    })
}

/// No C, TLS or generated code in a published crate, whatever its features.
pub(crate) fn no_c(whole: &[Tree]) -> Rule {
    let nodes = whole.iter().flat_map(|tree| &tree.nodes);
    let breaches = nodes
        .filter(|node| !SYSTEM.contains(&node.name.as_str()))
        .filter(|node| node.name.ends_with("-sys") || FOREIGN.contains(&node.name.as_str()))
        .map(|node| Breach {
            what: format!("{} binds or generates foreign code", node.name),
            at: node.path.clone(),
            cure: "leave that to the user's own connector, or turn off the feature that brings it"
                .to_owned(),
        });
    Rule {
        breaches: breaches.collect(),
        held: format!(
            "native: no `*-sys` but {}, no {} in the {} packages of the {} published crates, with all features",
            SYSTEM.join(", "),
            FOREIGN.join(", "),
            distinct(whole),
            whole.len()
        ),
    }
}

fn distinct(trees: &[Tree]) -> usize {
    let nodes = trees.iter().flat_map(|tree| &tree.nodes);
    nodes
        .map(|node| (&node.name, &node.version))
        .collect::<BTreeSet<_>>()
        .len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deps::workspace::tests::{third_party, workspace};
    use serde_json::json;

    #[test]
    fn finds_what_runs_at_build_time() {
        let mut workspace = workspace(&[("top", true, &[])]);
        third_party(&mut workspace, json!({"name": "a"}));
        third_party(
            &mut workspace,
            json!({"name": "m", "targets": [{"kind": ["proc-macro"]}]}),
        );
        let held = [Tree::parse("0top v0.1.0\n1a v1.0.0")];
        assert!(nothing_at_build_time(&workspace, &held).unwrap().holds());
        let broken = [Tree::parse("0top v0.1.0\n1a v1.0.0\n2m v1.0.0")];
        let rule = nothing_at_build_time(&workspace, &broken).unwrap();
        assert_eq!(rule.breaches.len(), 1);
        assert_eq!(rule.breaches[0].what, "m has a proc-macro");
        assert_eq!(rule.breaches[0].at, ["top", "a", "m"]);
    }

    #[test]
    fn finds_foreign_code() {
        let tree = "0top v0.1.0\n1rustls v1.0.0\n2ring v1.0.0\n2windows-sys v1.0.0\n1z-sys v1.0.0\n1string v1.0.0\n1prost v1.0.0";
        let rule = no_c(&[Tree::parse(tree)]);
        let ends: Vec<String> = rule
            .breaches
            .iter()
            .map(|breach| breach.at.join(">"))
            .collect();
        assert_eq!(ends, ["top>rustls>ring", "top>z-sys"]);
    }
}
