//! A server that can be told to misbehave: the hidden side of this program, one process each.
//!
//! Each line on its stdin is an order, each line on its stdout the answer. When stdin ends, so does it: the pipe
//! closes however its parent goes.

use std::{
    convert::Infallible,
    ffi::OsString,
    fmt,
    io::{self, BufRead as _, Write as _},
    process::ExitCode,
    time::Duration,
};

use axum::{
    Router,
    error_handling::HandleErrorLayer,
    extract::Request,
    http::StatusCode,
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
    serve::ListenerExt as _,
};
use buttress_test::{FaultPlan, Faults};
use tokio::{net::TcpListener, runtime::Runtime};
use tower::{BoxError, ServiceBuilder};

use crate::Fallible;

/// The argument that makes this program a replica.
pub(crate) const ARGUMENT: &str = "replica";
/// What the answer to an order that was carried out begins with.
pub(crate) const DONE: &str = "done ";

/// Below what Linux gives to outgoing connections: no client can sit on the port while the replica is gone.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Where faults strike: whatever is asked, or calls but not the health check.
const ALL: &str = "all";
const CALLS: &str = "calls";

/// What work takes when all is well, in microseconds.
const WORK: std::ops::Range<u64> = 15_000..25_000;
/// What makes it ten times as long.
const SLOW: Duration = Duration::from_millis(9 * 20);

pub(crate) fn main(arguments: &[OsString]) -> ExitCode {
    match obey(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The parent reads this one, and tells it.
            drop(answer(error));
            ExitCode::FAILURE
        }
    }
}

fn obey(arguments: &[OsString]) -> Fallible<()> {
    // A stopped process cannot see its stdin end; Linux can be asked to end it all the same.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let asked = arguments
        .first()
        .map(|port| port.to_string_lossy().parse())
        .transpose()?;
    let faults = FaultPlan::new(fastrand::u64(..));
    faults.enable();
    let (mut server, port) = serve(asked, &faults)?;
    answer(format_args!("{DONE}{port}"))?;
    for order in io::stdin().lock().lines() {
        match order?.as_str() {
            "slow" => faults.set(ALL, Faults::none().latency(SLOW)),
            "half" => faults.set(CALLS, Faults::none().error(0.5)),
            // Every listener and connection lives in the runtime, and goes with it.
            "refuse" => drop(server.take()),
            "heal" => {
                faults.set(ALL, Faults::none());
                faults.set(CALLS, Faults::none());
                if server.is_none() {
                    (server, _) = serve(Some(port), &faults)?;
                }
            }
            other => return Err(format!("no such order: {other:?}").into()),
        }
        answer(format_args!("{DONE}{port}"))?;
    }
    Ok(())
}

fn answer(text: impl fmt::Display) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

fn serve(port: Option<u16>, faults: &FaultPlan) -> Fallible<(Option<Runtime>, u16)> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let listener = runtime.block_on(listen(port))?;
    let port = listener.local_addr()?.port();
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let calls = Router::new().route("/work", get(async || "done\n"));
    let router = faulty(calls, faults, CALLS)
        // A shallow check, as they are: it takes as long as work does, and knows nothing of failing calls.
        .route("/healthz", get(async || "well\n"))
        .layer(from_fn(busy));
    let router = faulty(router, faults, ALL);
    runtime.spawn(async { axum::serve(listener, router).await });
    Ok((Some(runtime), port))
}

async fn listen(port: Option<u16>) -> Fallible<TcpListener> {
    const TRIES: usize = 20;
    let mut last = None;
    for _ in 0..TRIES {
        let port = port.unwrap_or_else(|| fastrand::u16(PORTS));
        match TcpListener::bind(("127.0.0.1", port)).await {
            Ok(listener) => return Ok(listener),
            Err(error) => last = Some(format!("cannot listen on 127.0.0.1:{port}: {error}")),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err(last.unwrap_or_default().into())
}

/// Puts faults in front of its routes; where one strikes, the answer is 500.
fn faulty(router: Router, faults: &FaultPlan, label: &str) -> Router {
    let failed = |_: BoxError| async { (StatusCode::INTERNAL_SERVER_ERROR, "failed\n") };
    router.layer(
        ServiceBuilder::new()
            .layer(HandleErrorLayer::new(failed))
            .layer(faults.layer(label))
            .map_err(|never: Infallible| -> BoxError { match never {} }),
    )
}

/// Takes its time before it answers.
async fn busy(request: Request, next: Next) -> Response {
    tokio::time::sleep(Duration::from_micros(fastrand::u64(WORK))).await;
    next.run(request).await
}
