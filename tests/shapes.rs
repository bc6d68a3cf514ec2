//! The shapes users rely on.
#[test]
fn the_suite_runs() {}
