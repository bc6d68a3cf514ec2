//! Who may depend on what.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use crate::run::{Done, output, shown, succeeds};

/// Most third-party packages in a crate's own closure, without its features.
const MOST: [(&str, usize); 2] = [("buttress-core", 3), ("buttress", 15)];

/// Who may name these.
const ONLY: [(&str, &[&str]); 5] = [
    ("axum", &["buttress-suite", "buttress-admin"]),
    ("axum-core", &["buttress-http"]),
    ("tonic", &["buttress-suite", "buttress-http"]),
    ("kube", &["buttress-discover"]),
    ("reqwest", &["buttress-suite", "buttress-http"]),
];

/// Which of our crates each may stand on.
const GRAPH: [(&str, &[&str]); 4] = [
    ("buttress-core", &[]),
    ("buttress-http", &["buttress-core"]),
    ("buttress", &["buttress-core", "buttress-http"]),
    ("buttress-test", &["buttress-core"]),
];

/// Checks every rule, and says how each stands.
pub(crate) fn check() -> Done {
    let metadata =
        output(Command::new("cargo").args(["metadata", "--format-version", "1", "--locked"]))?;
    let metadata: Value =
        serde_json::from_str(&metadata).map_err(|error| format!("cargo metadata: {error}"))?;
    let members = members(&metadata);
    let mut broken = Vec::new();
    for (name, most) in MOST {
        let closure = closure(name)?;
        let count = closure
            .iter()
            .filter(|package| !package.starts_with("buttress"))
            .count();
        tell(
            &mut broken,
            count <= most,
            &format!("{name}: {count} third-party packages, at most {most}"),
        );
        let native = closure.iter().find(|package| {
            package.ends_with("-sys") || *package == "ring" || package.starts_with("prost-build")
        });
        tell(
            &mut broken,
            native.is_none(),
            &format!(
                "{name}: no C, TLS or generated code {}",
                native.map_or("", String::as_str)
            ),
        );
    }
    for member in &members {
        let name = text(member, "name");
        for dependency in list(member, "dependencies") {
            let on = text(dependency, "name");
            let dev = text(dependency, "kind") == "dev";
            for (package, owners) in ONLY {
                if on == package {
                    tell(
                        &mut broken,
                        owners.contains(&name),
                        &format!("{name} names {package}; only {owners:?} may"),
                    );
                }
            }
            for (crate_name, allowed) in GRAPH {
                if name == crate_name && on.starts_with("buttress") && !dev {
                    tell(
                        &mut broken,
                        allowed.contains(&on),
                        &format!("{name} stands on {on}; it may on {allowed:?}"),
                    );
                }
            }
        }
        let built = list(member, "targets").any(|target| {
            list(target, "kind")
                .any(|kind| matches!(kind.as_str(), Some("custom-build" | "proc-macro")))
        });
        if member["publish"].is_null() {
            tell(
                &mut broken,
                !built && member["links"].is_null(),
                &format!("{name}: no build script, no macro, no links"),
            );
        }
    }
    let ours = members
        .iter()
        .map(|member| version(text(member, "rust_version")))
        .max()
        .unwrap_or_default();
    let newer: Vec<&str> = list(&metadata, "packages")
        .filter(|package| version(text(package, "rust_version")) > ours)
        .map(|package| text(package, "name"))
        .collect();
    tell(
        &mut broken,
        newer.is_empty(),
        &format!(
            "no package needs a newer Rust than {}.{} {}",
            ours.0,
            ours.1,
            newer.join(" ")
        ),
    );
    deny()?;
    if broken.is_empty() {
        Ok(())
    } else {
        Err(format!("{} dependency rules are broken", broken.len()))
    }
}

fn deny() -> Done {
    if !succeeds(Command::new("cargo").args(["deny", "--version"])) {
        println!("xtask: cargo-deny is not installed; the rules above were checked regardless");
        return Ok(());
    }
    shown(
        Command::new("cargo").args(["deny", "--offline", "check", "licenses", "bans", "sources"]),
        |_| {},
    )
}

fn tell(broken: &mut Vec<String>, holds: bool, rule: &str) {
    println!("{} {rule}", if holds { "ok  " } else { "FAIL" });
    if !holds {
        broken.push(rule.to_owned());
    }
}

/// The packages that `name` cannot do without.
fn closure(name: &str) -> Done<BTreeSet<String>> {
    let arguments = [
        "tree",
        "-p",
        name,
        "--no-default-features",
        "-e",
        "normal",
        "--prefix",
        "none",
        "--locked",
    ];
    Ok(packages(&output(Command::new("cargo").args(arguments))?))
}

/// The names in a `cargo tree` without prefixes.
fn packages(tree: &str) -> BTreeSet<String> {
    tree.lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

fn members(metadata: &Value) -> Vec<&Value> {
    let ids: Vec<&str> = list(metadata, "workspace_members")
        .filter_map(Value::as_str)
        .collect();
    list(metadata, "packages")
        .filter(|package| ids.contains(&text(package, "id")))
        .collect()
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value[key].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The first two numbers of a version; none counts as the oldest.
fn version(text: &str) -> (u32, u32) {
    let mut numbers = text.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_out_of_a_tree() {
        let tree = "buttress v0.1.0 (/x)\ntokio v1.54.1\ntokio v1.54.1 (*)\n\n";
        assert_eq!(
            packages(tree).into_iter().collect::<Vec<_>>(),
            ["buttress", "tokio"]
        );
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(version("1.100") > version("1.88.0") && version("") < version("1.0"));
    }
}
