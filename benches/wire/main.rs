//! What a layer costs on the wire: CPU time per request of the process that has it, against the same process with an identity layer.
//!
//! ```text
//! cargo bench --bench wire -- --json PATH
//! ```
//!
//! Each stack is a process of its own. Rounds alternate between them, and each round's stacks are compared with each other, so that
//! what the machine does beside this meets them all.

mod axum;
mod hyper;
mod kind;
mod measured;
mod parent;
mod policy;
mod report;
mod run;
mod stack;
mod stacks;
#[path = "../support/mod.rs"]
mod support;
mod tonic;
mod traffic;

use std::process::ExitCode;

fn main() -> ExitCode {
    run::main("wire")
}
