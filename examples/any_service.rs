//! A service that is neither HTTP nor gRPC, with an error type of its own: a pool of database connections.
//!
//! ```text
//! cargo run --example any_service
//! ```
//!
//! The claim: a query that takes too long is given up, a full pool turns callers away before they wait, and none of it changes the
//! pool.

use std::{fmt, process::ExitCode, sync::Arc, time::Duration};

use buttress::{Fault, Foreign, GuardLayer, LimitPolicy, Policy, Refusal};
use tokio::{sync::Semaphore, time::sleep};
use tower::{BoxError, ServiceBuilder, ServiceExt as _, service_fn};

/// A pool of three connections, as they come from a database's own crate.
#[derive(Clone)]
struct Pool(Arc<Semaphore>);

#[derive(Debug)]
struct PoolError(&'static str);

impl Pool {
    async fn query(self, sql: &'static str) -> Result<usize, PoolError> {
        let _connection = self
            .0
            .acquire()
            .await
            .map_err(|_| PoolError("pool closed"))?;
        match sql {
            "select slowly" => sleep(Duration::from_secs(60)).await,
            "select wrongly" => return Err(PoolError("syntax error")),
            _ => sleep(Duration::from_millis(5)).await,
        }
        Ok(sql.len())
    }
}

impl fmt::Display for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for PoolError {}

#[tokio::main]
async fn main() -> Result<ExitCode, BoxError> {
    let pool = Pool(Arc::new(Semaphore::new(3)));

    // The pool as a service: one closure. `Foreign` leaves its error as it is, beside our refusals.
    let policy = Policy::new()
        .deadline(Duration::from_millis(200))
        .limit(LimitPolicy::concurrency(3));
    let layer = GuardLayer::with_policy("db", Foreign, &policy)?;
    let handle = layer.handle();
    let db = ServiceBuilder::new()
        .layer(layer)
        .service(service_fn(move |sql| pool.clone().query(sql)));

    let mut held = true;
    let mut claim = |what: &str, holds: bool| {
        println!("{} {what}", if holds { "yes" } else { "NO " });
        held &= holds;
    };

    let rows = db.clone().oneshot("select one").await;
    claim("a query is answered", matches!(rows, Ok(10)));

    let wrong = db.clone().oneshot("select wrongly").await;
    claim(
        "an error of the pool's own arrives as it is",
        matches!(wrong, Err(Fault::Inner(PoolError("syntax error")))),
    );

    let slow: Vec<_> = (0..3)
        .map(|_| tokio::spawn(db.clone().oneshot("select slowly")))
        .collect();
    while handle.snapshot().counts.in_flight() < 3 {
        tokio::task::yield_now().await;
    }
    let full = db.clone().oneshot("select one").await;
    claim(
        "a fourth at once is turned away, and not left to wait",
        matches!(full, Err(Fault::Refused(Refusal::Overloaded { .. }))),
    );
    let mut late = true;
    for query in slow {
        late &= matches!(
            query.await?,
            Err(Fault::Refused(
                Refusal::Timeout { .. } | Refusal::Deadline { .. }
            ))
        );
    }
    claim("what takes longer than 200 ms is given up", late);

    let rows = db.oneshot("select one").await;
    claim("then connections are free again", matches!(rows, Ok(10)));

    let counts = handle.snapshot().counts;
    println!(
        "{} began: {} good, {} failed; {} turned away",
        counts.started,
        counts.successes,
        counts.failures.total(),
        counts.limited
    );
    Ok(if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
