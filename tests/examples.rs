//! Every example runs, ends by itself, and finds that its claim held.

use std::{
    collections::BTreeSet,
    env, fs, io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{process::Command, time::timeout};

/// Far longer than any takes: it is to end by itself.
const TIME: Duration = Duration::from_secs(60);

/// The files of `examples/`; folders there are for people, and take longer.
fn names() -> io::Result<BTreeSet<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|kind| kind == "rs") {
            let name = path.file_stem().unwrap_or_default();
            names.insert(name.to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

/// Builds them and says where: beside the folder of this test. Beware: `cargo test --examples` builds their tests, and not them.
async fn built() -> PathBuf {
    let own = env::current_exe().unwrap();
    let profile = own.parent().and_then(Path::parent).unwrap();
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    // With the features of the whole suite, so that nothing is built twice.
    build.args([
        "build",
        "--quiet",
        "--workspace",
        "--all-features",
        "--locked",
        "--examples",
    ]);
    if profile.ends_with("release") {
        build.arg("--release");
    }
    build.current_dir(env!("CARGO_MANIFEST_DIR"));
    assert!(
        build.status().await.unwrap().success(),
        "examples do not build"
    );
    profile.join("examples")
}

#[tokio::test]
async fn every_example_ends_by_itself_and_its_claim_held() {
    let (names, folder) = (names().unwrap(), built().await);
    assert!(names.len() >= 7, "{names:?}");
    for name in names {
        let binary = folder
            .join(&name)
            .with_extension(env::consts::EXE_EXTENSION);
        let run = Command::new(&binary)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let ran = timeout(TIME, run).await;
        let ran = ran
            .unwrap_or_else(|_| panic!("{name} does not end"))
            .unwrap();
        assert!(
            ran.status.success(),
            "{name}: {}\n{}{}",
            ran.status,
            String::from_utf8_lossy(&ran.stdout),
            String::from_utf8_lossy(&ran.stderr)
        );
    }
}
