//! The process that is measured.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, Runtime};

use crate::{axum, hyper, kind::Kind, stack::Stack, tonic, traffic::Traffic};

/// The first argument of such a process; its kind, its stack and the server's address follow.
pub(crate) const ARGUMENT: &str = "--measured";

pub(crate) fn main(kind: &str, stack: &str, address: &str) -> ExitCode {
    let kind = Kind::ALL.into_iter().find(|one| one.name() == kind);
    let stack = Stack::ALL.into_iter().find(|one| one.name() == stack);
    let done = match (kind, stack) {
        (Some(kind), Some(stack)) => serve(kind, stack, address),
        _ => Err("no such kind or stack".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("wire, measured: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// One thread: what costs CPU time costs this process's.
pub(crate) fn runtime() -> Result<Runtime, String> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())
}

fn serve(kind: Kind, stack: Stack, address: &str) -> Result<(), String> {
    match kind {
        Kind::Axum => {
            // Asked from another thread, for this one serves; both count.
            std::thread::spawn(|| {
                let answered = answer(|_| Ok(cpu().to_string()));
                std::process::exit(i32::from(answered.is_err()));
            });
            runtime()?.block_on(axum::serve(stack))
        }
        Kind::Hyper => send(|| hyper::client(stack, address)),
        Kind::Tonic => send(|| tonic::client(stack, address)),
    }
}

/// Sends as many requests as each line says, and answers how long that took.
fn send<T: Traffic>(client: impl FnOnce() -> Result<T, String>) -> Result<(), String> {
    let runtime = runtime()?;
    let mut client = {
        let _within = runtime.enter();
        client()?
    };
    answer(|line| {
        let requests = line.parse().map_err(|_| format!("{line}: no number"))?;
        let before = cpu();
        let seen = runtime.block_on(client.send(requests))?;
        Ok(format!("{} {seen}", cpu() - before))
    })
}

/// Answers each line with a line, until there are no more.
fn answer(mut to: impl FnMut(&str) -> Result<String, String>) -> Result<(), String> {
    for line in io::stdin().lines() {
        let line = line.map_err(|error| error.to_string())?;
        println!("{}", to(&line)?);
        io::stdout().flush().map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// CPU time of this process so far, in nanoseconds, user's and system's.
fn cpu() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
