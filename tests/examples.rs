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

/// Where cargo puts examples: beside the folder of this test.
fn built() -> PathBuf {
    let own = env::current_exe().unwrap();
    own.parent().unwrap().with_file_name("examples")
}

#[tokio::test]
async fn every_example_ends_by_itself_and_its_claim_held() {
    let names = names().unwrap();
    assert!(names.len() >= 7, "{names:?}");
    for name in names {
        let binary = built()
            .join(&name)
            .with_extension(env::consts::EXE_EXTENSION);
        assert!(
            binary.exists(),
            "{} is not there: `cargo test` builds it, `cargo test --test examples` alone does not",
            binary.display()
        );
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
