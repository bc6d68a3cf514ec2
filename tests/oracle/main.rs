//! buttress beside a second opinion: the same servers, the same fault, Envoy and gRPC's C core.
//!
//! What each of them did stands in the tables, and on the page `docs::conformance`; a change of either turns this red.

mod core;
mod envoy;
mod fault;
mod grpc;
mod http;
mod http1;
mod http2;
mod row;
mod server;

use std::path::PathBuf;

/// A program of those that `cargo xtask verify` installs.
fn installed(name: &str) -> PathBuf {
    let programs = concat!(env!("CARGO_MANIFEST_DIR"), "/target/oracle/bin");
    let path = PathBuf::from(programs).join(name);
    assert!(
        path.exists(),
        "no {name} in {programs}: `cargo xtask verify` installs it"
    );
    path
}
