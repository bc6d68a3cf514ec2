//! Which of our crates stands on which.

use super::{
    rule::{Breach, Rule},
    workspace::Workspace,
};

/// What each published crate may stand on, of ours. Tests may use any.
const GRAPH: [(&str, &[&str]); 6] = [
    ("buttress-core", &[]),
    ("buttress-http", &["buttress-core"]),
    ("buttress-discover", &["buttress-core"]),
    ("buttress-admin", &["buttress-core"]),
    (
        "buttress",
        &[
            "buttress-core",
            "buttress-http",
            "buttress-discover",
            "buttress-admin",
        ],
    ),
    ("buttress-test", &["buttress-core"]),
];

pub(crate) fn rule(workspace: &Workspace) -> Rule {
    let mut edges = 0;
    let mut breaches = Vec::new();
    for member in workspace.published() {
        let Some((_, allowed)) = GRAPH.iter().find(|(name, _)| *name == member.name) else {
            breaches.push(Breach {
                what: format!("{} has no place in the crate graph", member.name),
                at: vec![member.name.clone()],
                cure: "add it to GRAPH in crates/xtask, or say publish = false".to_owned(),
            });
            continue;
        };
        let ours = member
            .dependencies
            .iter()
            .filter(|dependency| !dependency.dev && workspace.is_member(&dependency.name));
        for dependency in ours {
            edges += 1;
            if !allowed.contains(&dependency.name.as_str()) {
                breaches.push(Breach {
                    what: format!("{} stands on {}", member.name, dependency.name),
                    at: vec![member.name.clone(), dependency.name.clone()],
                    cure: match allowed.join(" and ").as_str() {
                        "" => {
                            "it may stand on none of ours; move what it needs down to it".to_owned()
                        }
                        allowed => format!("it may only on {allowed}; move what it needs there"),
                    },
                });
            }
        }
    }
    Rule {
        held: format!(
            "graph: {} published crates, {edges} edges between them, all allowed",
            workspace.published().count()
        ),
        breaches,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deps::workspace::tests::workspace;

    #[test]
    fn edges_go_down_and_tests_may_use_any() {
        let good = workspace(&[
            ("buttress-core", true, &["serde", "dev buttress-test"]),
            ("buttress-http", true, &["buttress-core"]),
            ("buttress-admin", true, &["buttress-core"]),
            ("buttress-discover", true, &["buttress-core"]),
            (
                "buttress",
                true,
                &[
                    "buttress-core",
                    "buttress-http",
                    "buttress-admin",
                    "buttress-discover",
                ],
            ),
            ("buttress-test", true, &[]),
            ("xtask", false, &["buttress"]),
        ]);
        let rule = rule(&good);
        assert!(rule.holds(), "{rule}");
        assert!(rule.held.contains("7 edges"), "{rule}");
    }

    #[test]
    fn names_edges_that_go_up_and_crates_without_a_place() {
        let rule = rule(&workspace(&[
            ("buttress-core", true, &["buttress"]),
            ("buttress-admin", true, &["buttress-discover"]),
            ("buttress-discover", true, &[]),
            ("buttress", true, &[]),
            ("buttress-new", true, &[]),
        ]));
        let whats: Vec<&str> = rule
            .breaches
            .iter()
            .map(|breach| breach.what.as_str())
            .collect();
        assert_eq!(
            whats,
            [
                "buttress-core stands on buttress",
                "buttress-admin stands on buttress-discover",
                "buttress-new has no place in the crate graph"
            ]
        );
    }
}
