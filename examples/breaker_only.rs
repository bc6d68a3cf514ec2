//! A circuit breaker and nothing else, around any service.
//!
//! ```text
//! cargo run --example breaker_only
//! ```
//!
//! The service is down for a second. The claim: while it is down it is hardly called, and when it is well again calls come back by
//! themselves, by degrees.

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use buttress::{BreakerLayer, BreakerState, Plain};
use tower::{BoxError, ServiceBuilder, ServiceExt as _, service_fn};

/// A call each 5 ms.
const PACE: Duration = Duration::from_millis(5);

#[tokio::main]
async fn main() -> ExitCode {
    let (down, asked) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU32::new(0)),
    );
    let database = {
        let (down, asked) = (Arc::clone(&down), Arc::clone(&asked));
        service_fn(move |id: u32| {
            asked.fetch_add(1, Ordering::Relaxed);
            let down = down.load(Ordering::Relaxed);
            async move {
                if down {
                    Err(BoxError::from("no route to database"))
                } else {
                    Ok(id)
                }
            }
        })
    };

    // All there is to write.
    let layer = BreakerLayer::new("db", Plain);
    let handle = layer.handle();
    let db = ServiceBuilder::new().layer(layer).service(database);

    let mut events = handle.events();
    let (mut during, mut id) = ((0, 0), 0);
    let mut call = async |calls: u32| {
        let before = asked.load(Ordering::Relaxed);
        for _ in 0..calls {
            id += 1;
            // Refusals come at once, as errors that say after how long to try again.
            let _ = db.clone().oneshot(id).await;
            tokio::time::sleep(PACE).await;
            while let Some(event) = events.try_next() {
                println!("  call {id:3}: {}", event.kind);
            }
        }
        (calls, asked.load(Ordering::Relaxed) - before)
    };

    println!("well:");
    call(50).await;
    println!("down:");
    down.store(true, Ordering::Relaxed);
    for _ in 0..2 {
        let (calls, reached) = call(100).await;
        during = (during.0 + calls, during.1 + reached);
    }
    println!("well again:");
    down.store(false, Ordering::Relaxed);
    let mut rounds = 0;
    while handle.state() != BreakerState::Closed && rounds < 60 {
        call(20).await;
        rounds += 1;
    }

    let (calls, reached) = during;
    println!(
        "while it was down, {reached} of {calls} calls reached it; now it is {:?}",
        handle.state()
    );
    if reached * 5 < calls && handle.state() == BreakerState::Closed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
