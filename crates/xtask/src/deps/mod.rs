//! Who may depend on what: the rules a tool checks, not memory.

mod graph;
mod native;
mod newest;
mod owners;
mod rule;
mod size;
mod tree;
mod version;
mod workspace;

use crate::{
    run::{cargo, shown, succeeds},
    trouble::{Done, Trouble},
};

use self::{
    rule::Rule,
    tree::{Tree, Wanted},
    workspace::Workspace,
};

/// Checks every rule, and says how each stands.
pub(crate) fn check() -> Done {
    let workspace = Workspace::read()?;
    let rules = rules(&workspace)?;
    for rule in &rules {
        println!("{rule}");
    }
    let broken = rules.iter().filter(|rule| !rule.holds()).count();
    let denied = deny(&workspace);
    if broken > 0 {
        return Err(Trouble::Broken(format!(
            "{broken} of {} dependency rules are broken; see the lines that begin with FAIL",
            rules.len()
        )));
    }
    denied
}

fn rules(workspace: &Workspace) -> Done<Vec<Rule>> {
    let mut rules = Vec::new();
    for (name, most) in size::MOST {
        let tree = Tree::read(Wanted::Bare(name))?;
        rules.push(size::rule(workspace, name, most, &tree));
    }
    rules.push(newest::rule(workspace, &Tree::read(Wanted::Everything)?)?);
    rules.push(owners::rule(workspace));
    let (mut usual, mut whole) = (Vec::new(), Vec::new());
    for member in workspace.published() {
        usual.push(Tree::read(Wanted::Usual(&member.name))?);
        whole.push(Tree::read(Wanted::Whole(&member.name))?);
    }
    rules.push(native::nothing_at_build_time(workspace, &usual)?);
    rules.push(native::no_c(&whole));
    rules.push(graph::rule(workspace));
    Ok(rules)
}

fn deny(workspace: &Workspace) -> Done {
    if !succeeds(&mut cargo(["deny", "--version"])) {
        println!(
            "xtask: cargo-deny is not installed, so deny.toml was not checked; the rules above were. \
             To have it: cargo install --locked cargo-deny"
        );
        return Ok(());
    }
    let checks = ["deny", "--offline", "check", "licenses", "bans", "sources"];
    shown(cargo(checks).current_dir(&workspace.root), |_| {})
}
