//! How much a crate brings.

use super::{
    rule::{Breach, Rule},
    tree::Tree,
    workspace::Workspace,
};

/// Most third-party packages a crate may bring, without default features.
pub(crate) const MOST: [(&str, usize); 2] = [("buttress-core", 3), ("buttress", 15)];

pub(crate) fn rule(workspace: &Workspace, name: &str, most: usize, tree: &Tree) -> Rule {
    let packages: Vec<String> = tree
        .nodes
        .iter()
        .filter(|node| !workspace.is_member(&node.name))
        .map(|node| node.path[1..].join(" > "))
        .collect();
    let count = packages.len();
    let mut breaches = Vec::new();
    if count > most {
        breaches.push(Breach {
            what: format!("{name} brings {count} third-party packages, at most {most} are allowed"),
            at: vec![format!("{name} > {{{}}}", packages.join(", "))],
            cure: "make what is not needed by all an optional feature".to_owned(),
        });
    }
    Rule {
        held: format!(
            "size: {name} brings {count} third-party packages, at most {most} are allowed"
        ),
        breaches,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deps::workspace::tests::workspace;

    #[test]
    fn counts_what_is_not_ours_and_names_it_when_too_much() {
        let workspace = workspace(&[("top", true, &[]), ("core", true, &[])]);
        let tree =
            Tree::parse("0top v0.1.0\n1core v0.1.0\n2a v1.0.0\n1b v1.0.0\n2a v1.0.0\n2a v2.0.0");
        assert!(rule(&workspace, "top", 3, &tree).holds());
        let broken = rule(&workspace, "top", 2, &tree).to_string();
        assert!(
            broken.contains("brings 3 third-party packages, at most 2"),
            "{broken}"
        );
        assert!(broken.contains("top > {core > a, b, b > a}"), "{broken}");
    }
}
