//! A server that can be told to misbehave: the hidden side of this program, one process each.
//!
//! Each line on its stdin is an order, each line on its stdout the answer. When stdin ends, so does it: the pipe
//! closes however its parent goes.

use std::{
    ffi::OsString,
    fmt,
    io::{self, BufRead as _, Write as _},
    process::ExitCode,
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use axum::{Router, http::StatusCode, routing::get, serve::ListenerExt as _};
use tokio::{net::TcpListener, runtime::Runtime};

use crate::Fallible;

/// The argument that makes this program a replica.
pub(crate) const ARGUMENT: &str = "replica";
/// What the answer to an order that was carried out begins with.
pub(crate) const DONE: &str = "done ";

/// Below what Linux gives to outgoing connections: no client can sit on the port while the replica is gone.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

static MOOD: AtomicU8 = AtomicU8::new(WELL);
const WELL: u8 = 0;
const SLOW: u8 = 1;
const HALF: u8 = 2;

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
    let (mut server, port) = serve(asked)?;
    answer(format_args!("{DONE}{port}"))?;
    for order in io::stdin().lock().lines() {
        match order?.as_str() {
            "slow" => MOOD.store(SLOW, Ordering::Relaxed),
            "half" => MOOD.store(HALF, Ordering::Relaxed),
            // Every listener and connection lives in the runtime, and goes with it.
            "refuse" => drop(server.take()),
            "heal" => {
                MOOD.store(WELL, Ordering::Relaxed);
                if server.is_none() {
                    (server, _) = serve(Some(port))?;
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

fn serve(port: Option<u16>) -> Fallible<(Option<Runtime>, u16)> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let listener = runtime.block_on(listen(port))?;
    let port = listener.local_addr()?.port();
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let router = Router::new()
        .route("/work", get(work))
        .route("/healthz", get(healthz));
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

/// A shallow check, as they are: it takes as long as work does, and knows nothing of failing calls.
async fn healthz() -> &'static str {
    busy().await;
    "well\n"
}

async fn work() -> (StatusCode, &'static str) {
    if busy().await == HALF && fastrand::bool() {
        return (StatusCode::INTERNAL_SERVER_ERROR, "failed\n");
    }
    (StatusCode::OK, "done\n")
}

/// Takes its time, and tells the mood.
async fn busy() -> u8 {
    let mood = MOOD.load(Ordering::Relaxed);
    let time = Duration::from_micros(fastrand::u64(15_000..25_000));
    tokio::time::sleep(if mood == SLOW { 10 * time } else { time }).await;
    mood
}
