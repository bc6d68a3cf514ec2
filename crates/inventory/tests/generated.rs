//! The generated code is that of the proto file. `BLESS=1 cargo test -p buttress-inventory` writes it anew.

use std::{error::Error, fs, path::Path};

const NAME: &str = "buttress.inventory.v1.rs";

#[test]
fn the_code_is_that_of_the_proto_file() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let generated = Path::new(env!("CARGO_TARGET_TMPDIR")).join("generated");
    fs::create_dir_all(&generated)?;
    let files = protox::compile(["inventory.proto"], [root.join("proto")])?;
    tonic_prost_build::configure()
        .build_transport(false)
        .out_dir(&generated)
        .compile_fds(files)?;
    let (kept, made) = (root.join("src").join(NAME), generated.join(NAME));
    if std::env::var_os("BLESS").is_some() {
        fs::copy(&made, &kept)?;
    }
    assert!(
        fs::read(kept)? == fs::read(made)?,
        "{NAME} is not what proto/inventory.proto says: run `BLESS=1 cargo test -p buttress-inventory`"
    );
    Ok(())
}
