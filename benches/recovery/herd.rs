//! A thousand tasks on two threads, at the instant an open breaker may be asked again. How many get through?
//!
//! In real time. Each round opens a breaker of its own, holds the tasks until just before the wait is over, and lets them
//! go at once; a probe takes longer than all of them take to ask. What gets through is counted by the service.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use buttress::{BreakerState, Buttress, CLOCK, GuardLayer, Plain};
use serde_json::json;
use tokio::{
    runtime::Builder,
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::{caller::Failed, plan::Plan, policy, report::Report};

const TASKS: usize = 1_000;
const ROUNDS: u64 = 200;

/// A probe takes so long: longer than the tasks take to ask.
const PROBE: Duration = Duration::from_millis(100);

/// They are let go so long before the wait is over: the first ask in vain.
const BEFORE: Duration = Duration::from_micros(100);

/// No round takes so long.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn measure(report: &mut Report, plan: Plan) -> Result<(), String> {
    let rounds = if plan.quick { ROUNDS / 10 } else { ROUNDS };
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .map_err(|error| error.to_string())?;
    for (key, policy, permitted) in policy::asked_again() {
        let (mut probes, mut off, mut refused) = (0, 0, 0);
        for _ in 0..rounds {
            let layer = Buttress::new()
                .policy("herd", policy)
                .guard("herd", Plain)
                .map_err(|error| error.to_string())?;
            let round = runtime.block_on(async { timeout(PATIENCE, round(layer)).await });
            let round = round.map_err(|_| format!("{key}: a round never ended"))??;
            probes += round.probes;
            refused += round.refused;
            off += u64::from(round.probes != permitted);
        }
        for (figure, value) in [
            ("probes", probes),
            ("permitted", permitted * rounds),
            ("rounds_off", off),
            ("refused", refused),
        ] {
            println!(
                "{:<44}{value:>12}{:>12}{rounds:>6}",
                format!("{key}.{figure}"),
                ""
            );
            report.note(&format!("{key}.{figure}"), value);
        }
        let tasks = TASKS as u64 * rounds;
        report.note(&format!("runs.{key}"), json!({ "probes": rounds }));
        report.note(&format!("calls.{key}"), json!({ "probes": tasks }));
    }
    Ok(())
}

struct Round {
    probes: u64,
    refused: u64,
}

async fn round(layer: GuardLayer<Plain>) -> Result<Round, String> {
    let vitals = layer.handle().vitals().clone();
    let reached = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&reached);
    let mut service = layer.layer(service_fn(move |well: bool| {
        count.fetch_add(1, Ordering::Relaxed);
        async move {
            if !well {
                return Err(Failed::Broken);
            }
            sleep(PROBE).await;
            Ok(())
        }
    }));
    while vitals.state() == BreakerState::Closed {
        let _ = service.call(false).await;
    }
    reached.store(0, Ordering::Relaxed);
    let (go, gone) = watch::channel(false);
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (service, mut gone) = (service.clone(), gone.clone());
        tasks.spawn(async move {
            let let_go = gone.wait_for(|go| *go).await.is_ok();
            let_go && service.oneshot(true).await.is_ok()
        });
    }
    let due = vitals.due(CLOCK.now());
    // The timer is coarser than this: the rest is waited for awake.
    sleep(
        due.since(CLOCK.now())
            .saturating_sub(Duration::from_millis(2)),
    )
    .await;
    while due.since(CLOCK.now()) > BEFORE {
        std::hint::spin_loop();
    }
    go.send(true).map_err(|_| "the tasks are gone")?;
    // A herd that came too early asks again: whoever is last asks when the wait is over.
    let answers = tasks.join_all().await;
    if due > CLOCK.now() {
        return Err("the tasks were done before the wait was over".to_owned());
    }
    let probes = reached.load(Ordering::Relaxed);
    Ok(Round {
        probes,
        refused: answers.iter().filter(|answered| !**answered).count() as u64,
    })
}
