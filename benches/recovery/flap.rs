//! An endpoint that is well and ill by turns, a hundred times. How many outages are made of that?
//!
//! Called a hundred times a second. Turns of a tenth of a second are one trouble, not fifty; turns of half a minute are
//! fifty outages, and each is to be found.

use std::time::Duration;

use buttress::{Buttress, CLOCK, Plain, Policy};
use fastrand::Rng;
use tokio::time::sleep;
use tower::{Layer, ServiceExt, service_fn};

use crate::{
    caller::Failed,
    plan::{Plan, exponential},
    policy,
    report::{Report, Runs},
};

const TOGGLES: u32 = 100;

/// Calls a second, and how many seconds it is well before the first turn.
const RATE: f64 = 100.0;
const WARMED: f64 = 60.0;

const TURNS: [(&str, f64); 2] = [("flap", 0.1), ("flap.slow", 30.0)];

/// What one run came to.
struct Found {
    episodes: f64,
    unserved: f64,
    calls: u64,
}

pub(crate) fn measure(report: &mut Report, plan: Plan) -> Result<(), String> {
    for (key, lasts) in TURNS {
        let policy = policy::alone();
        let found = plan.each(key, async |random| flaps(policy, lasts, random).await)?;
        let of = |figure: fn(&Found) -> f64| Runs(found.iter().map(figure).collect());
        let (episodes, unserved) = (of(|run| run.episodes), of(|run| run.unserved));
        let calls = found.iter().map(|run| run.calls).sum();
        for (figure, said) in [
            ("episodes", episodes.worst()),
            ("median.episodes", episodes.median()),
            ("unserved", unserved.mean()),
        ] {
            report.add(&format!("{key}.{figure}"), said, found.len(), calls);
        }
        report.note(&format!("{key}.toggles"), TOGGLES);
    }
    Ok(())
}

async fn flaps(policy: Policy, lasts: f64, mut random: Rng) -> Result<Found, String> {
    let layer = Buttress::new()
        .policy("flapping", policy)
        .guard("flapping", Plain)
        .map_err(|error| error.to_string())?;
    let vitals = layer.handle().vitals().clone();
    let start = CLOCK.now();
    let since = move || CLOCK.now().since(start).as_secs_f64();
    // Well before the first turn, ill in the first and in every other one.
    let ill = move || ((since() - WARMED) / lasts).floor();
    let service = layer.layer(service_fn(move |(): ()| async move {
        let turn = ill();
        sleep(Duration::from_millis(1)).await;
        if (0.0..f64::from(TOGGLES)).contains(&turn) && turn % 2.0 == 0.0 {
            return Err(Failed::Broken);
        }
        Ok(())
    }));
    let (mut calls, mut unserved) = (0, 0);
    let mut at = 0.0;
    let end = WARMED + f64::from(TOGGLES) * lasts;
    while at < end {
        at += exponential(&mut random, 1.0 / RATE);
        let due = start.after(Duration::from_secs_f64(at));
        sleep(due.since(CLOCK.now())).await;
        calls += 1;
        unserved += u32::from(service.clone().oneshot(()).await.is_err());
    }
    let snapshot = vitals.snapshot(CLOCK.now());
    let reliability = snapshot.reliability.ok_or("no statistics")?;
    Ok(Found {
        episodes: reliability.failures as f64,
        unserved: f64::from(unserved) / calls as f64,
        calls,
    })
}
