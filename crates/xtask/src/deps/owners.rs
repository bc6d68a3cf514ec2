//! Who may name the heavy packages.

use super::{
    rule::{Breach, Rule},
    workspace::Workspace,
};

/// Packages only these of our crates may name, in tests too. `deny.toml` says the same of what others name.
const OWNERS: [(&str, &[&str]); 5] = [
    ("axum", &["buttress-suite", "buttress-admin"]),
    ("axum-core", &["buttress-http"]),
    (
        "tonic",
        &["buttress-http", "buttress-inventory", "buttress-suite"],
    ),
    ("kube", &["buttress-discover"]),
    ("reqwest", &["buttress-http", "buttress-suite"]),
];

pub(crate) fn rule(workspace: &Workspace) -> Rule {
    let mut named = Vec::new();
    let mut breaches = Vec::new();
    for member in &workspace.members {
        for dependency in &member.dependencies {
            let Some((package, owners)) = OWNERS.iter().find(|(name, _)| *name == dependency.name)
            else {
                continue;
            };
            if owners.contains(&member.name.as_str()) {
                named.push(format!("{package} by {}", member.name));
                continue;
            }
            breaches.push(Breach {
                what: format!("{} names {package}", member.name),
                at: vec![member.name.clone(), dependency.name.clone()],
                cure: format!("only {} may; move the code there", owners.join(" or ")),
            });
        }
    }
    named.sort();
    named.dedup();
    let named = if named.is_empty() {
        "none".to_owned()
    } else {
        named.join(", ")
    };
    Rule {
        held: format!(
            "owners: of {} guarded packages are named: {named}",
            OWNERS.len()
        ),
        breaches,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deps::workspace::tests::workspace;

    #[test]
    fn owners_may_and_others_may_not_even_in_tests() {
        assert!(
            rule(&workspace(&[(
                "buttress-suite",
                false,
                &["dev axum", "dev tonic"]
            )]))
            .holds()
        );
        let rule = rule(&workspace(&[
            ("buttress", true, &["dev axum"]),
            ("buttress-core", true, &["reqwest"]),
        ]));
        let whats: Vec<&str> = rule
            .breaches
            .iter()
            .map(|breach| breach.what.as_str())
            .collect();
        assert_eq!(
            whats,
            ["buttress names axum", "buttress-core names reqwest"]
        );
        assert_eq!(
            rule.breaches[1].cure,
            "only buttress-http or buttress-suite may; move the code there"
        );
    }
}
