//! What the manifests say, from `cargo metadata`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::version::Version;
use crate::{
    run::{cargo, output},
    trouble::{Done, Trouble},
};

/// Our crates, and every package they could need with all features on every platform.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: String,
    pub(crate) members: Vec<Package>,
    /// By name and version; members too.
    packages: BTreeMap<(String, String), Package>,
}

/// One package as its manifest describes it.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) published: bool,
    pub(crate) rust_version: Option<Version>,
    /// What it does to the build of those who depend on it: `a build script`, …
    pub(crate) at_build_time: Vec<&'static str>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// A line of a manifest's dependencies.
#[derive(Clone, Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) dev: bool,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn read() -> Done<Self> {
        let arguments = [
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--all-features",
        ];
        Self::parse(&output(&mut cargo(arguments))?)
    }

    pub(crate) fn parse(json: &str) -> Done<Self> {
        let metadata: Value = serde_json::from_str(json)
            .map_err(|error| Trouble::Unable(format!("cargo metadata is no JSON: {error}")))?;
        let ids: Vec<&str> = list(&metadata["workspace_members"])
            .filter_map(Value::as_str)
            .collect();
        let mut members = Vec::new();
        let mut packages = BTreeMap::new();
        for value in list(&metadata["packages"]) {
            let package = Package::parse(value)?;
            if ids.contains(&text(&value["id"])) {
                members.push(package.clone());
            }
            let version = text(&value["version"]).to_owned();
            packages.insert((package.name.clone(), version), package);
        }
        let root = text(&metadata["workspace_root"]).to_owned();
        Ok(Self {
            root,
            members,
            packages,
        })
    }

    /// The members that go to a registry.
    pub(crate) fn published(&self) -> impl Iterator<Item = &Package> {
        self.members.iter().filter(|member| member.published)
    }

    pub(crate) fn is_member(&self, name: &str) -> bool {
        self.members.iter().any(|member| member.name == name)
    }

    /// The package a tree names.
    pub(crate) fn package(&self, name: &str, version: &str) -> Done<&Package> {
        let key = (name.to_owned(), version.to_owned());
        self.packages.get(&key).ok_or_else(|| {
            Trouble::Unable(format!(
                "cargo tree names {name} {version} and cargo metadata does not; \
                 if a manifest changed meanwhile, run this again"
            ))
        })
    }
}

impl Package {
    fn parse(value: &Value) -> Done<Self> {
        let name = text(&value["name"]).to_owned();
        let rust_version = match value["rust_version"].as_str() {
            None => None,
            Some(says) => Some(Version::parse(says).ok_or_else(|| {
                Trouble::Unable(format!(
                    "{name} says rust-version = {says:?}, which is none"
                ))
            })?),
        };
        let mut at_build_time = Vec::new();
        for kind in list(&value["targets"]).flat_map(|target| list(&target["kind"])) {
            match kind.as_str() {
                Some("custom-build") => at_build_time.push("a build script"),
                Some("proc-macro") => at_build_time.push("a proc-macro"),
                _ => {}
            }
        }
        if value["links"].is_string() {
            at_build_time.push("a `links` key");
        }
        let dependencies = list(&value["dependencies"]).map(|dependency| Dependency {
            name: text(&dependency["name"]).to_owned(),
            dev: dependency["kind"] == "dev",
        });
        Ok(Self {
            name,
            // `publish = false` arrives as a list of no registries.
            published: value["publish"]
                .as_array()
                .is_none_or(|registries| !registries.is_empty()),
            rust_version,
            at_build_time,
            dependencies: dependencies.collect(),
        })
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    /// Members by name, whether published, and what each depends on ("x", or "dev x").
    pub(crate) fn workspace(members: &[(&str, bool, &[&str])]) -> Workspace {
        let packages: Vec<Value> = members
            .iter()
            .map(|(name, published, dependencies)| {
                let dependencies: Vec<Value> = dependencies
                    .iter()
                    .map(|words| match words.strip_prefix("dev ") {
                        Some(name) => json!({"name": name, "kind": "dev"}),
                        None => json!({"name": words, "kind": null}),
                    })
                    .collect();
                json!({
                    "id": name, "name": name, "version": "0.1.0", "rust_version": "1.88",
                    "publish": if *published { Value::Null } else { json!([]) },
                    "dependencies": dependencies, "targets": [{"kind": ["lib"]}], "links": null,
                })
            })
            .collect();
        let ids: Vec<&str> = members.iter().map(|(name, ..)| *name).collect();
        let metadata =
            json!({"workspace_root": "/w", "workspace_members": ids, "packages": packages});
        Workspace::parse(&metadata.to_string()).unwrap()
    }

    /// Adds a package from a registry, version 1.0.0, as its manifest would make it.
    pub(crate) fn third_party(workspace: &mut Workspace, mut manifest: Value) {
        manifest["version"] = json!("1.0.0");
        let package = Package::parse(&manifest).unwrap();
        let key = (package.name.clone(), "1.0.0".to_owned());
        workspace.packages.insert(key, package);
    }

    #[test]
    fn tells_members_from_others_and_published_from_not() {
        let mut workspace = workspace(&[
            ("core", true, &["serde", "dev axum"]),
            ("tools", false, &[]),
        ]);
        third_party(&mut workspace, json!({"name": "serde"}));
        assert_eq!(workspace.root, "/w");
        assert!(workspace.is_member("tools") && !workspace.is_member("serde"));
        let published: Vec<&Package> = workspace.published().collect();
        assert_eq!(published.len(), 1);
        let dependencies: Vec<(&str, bool)> = published[0]
            .dependencies
            .iter()
            .map(|dependency| (dependency.name.as_str(), dependency.dev))
            .collect();
        assert_eq!(dependencies, [("serde", false), ("axum", true)]);
        assert!(workspace.package("serde", "1.0.0").is_ok());
        assert!(workspace.package("serde", "2.0.0").is_err());
    }

    #[test]
    fn knows_what_a_package_does_at_build_time() {
        let of = |manifest| Package::parse(&manifest).unwrap().at_build_time;
        assert!(of(json!({"name": "a", "targets": [{"kind": ["lib"]}]})).is_empty());
        assert_eq!(
            of(
                json!({"name": "z", "links": "z", "targets": [{"kind": ["lib"]}, {"kind": ["custom-build"]}]})
            ),
            ["a build script", "a `links` key"]
        );
        assert_eq!(
            of(json!({"name": "m", "targets": [{"kind": ["proc-macro"]}]})),
            ["a proc-macro"]
        );
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        assert!(Workspace::parse("nonsense").is_err());
        assert!(Package::parse(&json!({"name": "a", "rust_version": "new"})).is_err());
    }
}
