//! Policies from a file: read, explained, used, and refused where they cannot be.
//!
//! ```text
//! cargo run --example config_file [PATH]
//! ```
//!
//! The claim: what the file says is what happens, and what it says wrongly is named.

use std::{env, fs, process::ExitCode};

use buttress::{Buttress, CLOCK, Idempotent, Plain, Traffic, fixed};
use tower::{BoxError, ServiceExt as _, service_fn};

const POLICIES: &str = r#"
# Replicas of which any may be asked.
[policy.inventory]
deadline = "1s"
redundancy = { failover = 3 }
health = { consecutive = 3 }

# A database that bears ten calls at once.
[policy.db]
attempt_timeout = "250ms"
limit = { concurrency = 10, wait = "50ms" }
"#;

const MISTAKEN: &str = r#"
[policy.inventory]
deadline = "1s"
attempt_timeout = "2s"
"#;

#[tokio::main]
async fn main() -> Result<ExitCode, BoxError> {
    let text = match env::args_os().nth(1) {
        Some(path) => fs::read_to_string(path)?,
        None => POLICIES.to_owned(),
    };
    let buttress: Buttress = toml::from_str(&text)?;

    for (name, policy) in buttress.policies() {
        println!("[{name}]\n{}\n", policy.explain(Traffic::default()));
    }

    let mistake = toml::from_str::<Buttress>(MISTAKEN)
        .unwrap_err()
        .to_string();
    println!("a mistake is named:\n{mistake}");

    // One of three replicas is broken, and the file says how often to ask.
    let replicas = fixed(["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"])?;
    let inventory = buttress.dispatch("inventory", Idempotent(Plain), replicas, |endpoint| {
        let well = endpoint.address() != "10.0.0.1:80";
        service_fn(move |id: u32| async move {
            if well {
                Ok(id)
            } else {
                Err(BoxError::from("broken"))
            }
        })
    })?;
    let mut failed = 0;
    for id in 0..100 {
        failed += u32::from(inventory.clone().oneshot(id).await.is_err());
    }
    println!("\n{failed} of 100 calls failed");
    for shot in buttress.registry().snapshot(CLOCK.now()) {
        let (good, bad) = (shot.counts.successes, shot.counts.failures.total());
        println!(
            "  {}: {good} good, {bad} failed, {:?}",
            shot.name(),
            shot.health
        );
    }

    let named = mistake.contains("deadline") && mistake.contains("2s");
    Ok(if failed == 0 && named {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
