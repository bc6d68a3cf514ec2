//! What a peer costs on the wire: the bench `wire` with tower-resilience's time limiter, circuit breaker and bulkhead in place of our guard.
//!
//! ```text
//! cargo run --release --manifest-path benches/versus/Cargo.toml -- --json PATH
//! ```

#[path = "../../wire/axum.rs"]
mod axum;
#[path = "../../wire/hyper.rs"]
mod hyper;
#[path = "../../wire/kind.rs"]
mod kind;
#[path = "../../wire/measured.rs"]
mod measured;
#[path = "../../wire/parent.rs"]
mod parent;
mod policy;
#[path = "../../wire/report.rs"]
mod report;
#[path = "../../wire/run.rs"]
mod run;
mod stack;
mod stacks;
#[path = "../../support/mod.rs"]
mod support;
#[path = "../../wire/tonic.rs"]
mod tonic;
#[path = "../../wire/traffic.rs"]
mod traffic;

use std::process::ExitCode;

fn main() -> ExitCode {
    run::main("versus")
}
