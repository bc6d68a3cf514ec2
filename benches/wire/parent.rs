//! The process that starts the others, and the other end of what they send and serve.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc,
    thread,
};

use tokio::runtime::Runtime;

use crate::{
    axum, hyper,
    kind::Kind,
    measured::{self, runtime},
    stack::Stack,
    tonic,
    traffic::{Seen, Traffic as _},
};

/// Requests before anything is measured, of each stack.
const WARM_UP: u32 = 5_000;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    /// Of each stack in each round.
    pub(crate) requests: u32,
}

/// What each stack's rounds came to.
pub(crate) type Found = Vec<(Stack, Vec<Round>)>;

/// One stack in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    /// CPU time of a request, in nanoseconds.
    pub(crate) cpu: f64,
    pub(crate) throughput: f64,
    pub(crate) p99_ms: f64,
}

pub(crate) fn measure(kind: Kind, plan: &Plan) -> Result<Found, String> {
    let address = match kind {
        Kind::Axum => None,
        Kind::Hyper => Some(serving(|| async {
            let listener = axum::listener().await?;
            let address = axum::address(&listener)?;
            let app = axum::app();
            Ok((address, async {
                ::axum::serve(listener, app)
                    .await
                    .map_err(|error| error.to_string())
            }))
        })?),
        Kind::Tonic => Some(serving(tonic::serve)?),
    };
    let mut stacks = Stack::of(kind)
        .map(|stack| Measured::start(kind, stack, address))
        .collect::<Result<Vec<_>, _>>()?;
    for stack in &mut stacks {
        stack.round(WARM_UP)?;
    }
    let mut found: Found = stacks.iter().map(|one| (one.stack, Vec::new())).collect();
    for round in 0..plan.rounds {
        for turn in 0..stacks.len() {
            // Each goes first in turn.
            let place = (turn + round) % stacks.len();
            found[place].1.push(stacks[place].round(plan.requests)?);
        }
    }
    Ok(found)
}

/// A server in a thread of its own: here it is whoever calls it that is measured.
fn serving<F, S>(start: fn() -> F) -> Result<SocketAddr, String>
where
    F: 'static,
    S: 'static,
    F: Future<Output = Result<(SocketAddr, S), String>>,
    S: Future<Output = Result<(), String>>,
{
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let served = runtime().and_then(|runtime| {
            runtime.block_on(async {
                let (address, serve) = start().await?;
                let _ = tell.send(address);
                serve.await
            })
        });
        eprintln!("wire: the server has ended: {served:?}");
    });
    told.recv().map_err(|_| "no server".to_owned())
}

/// A process that is measured.
struct Measured {
    stack: Stack,
    process: Child,
    asked: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Whoever calls it, where it is a server.
    caller: Option<(Runtime, hyper::Sender)>,
}

impl Measured {
    fn start(kind: Kind, stack: Stack, address: Option<SocketAddr>) -> Result<Self, String> {
        let this = env::current_exe().map_err(|error| error.to_string())?;
        let address = address.map_or("-".to_owned(), |address| address.to_string());
        let mut process = Command::new(this)
            .args([measured::ARGUMENT, kind.name(), stack.name(), &address])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let pipes = process.stdin.take().zip(process.stdout.take());
        let (asked, answers) = pipes.ok_or("a process without pipes")?;
        let mut measured = Self {
            stack,
            process,
            asked,
            answers: BufReader::new(answers),
            caller: None,
        };
        if kind == Kind::Axum {
            let address = measured.line()?;
            let caller = hyper::client(Stack::Identity, &address)?;
            measured.caller = Some((runtime()?, caller));
        }
        Ok(measured)
    }

    fn round(&mut self, requests: u32) -> Result<Round, String> {
        let (cpu, seen) = if self.caller.is_some() {
            let before = self.cpu()?;
            let seen = self.call(requests)?;
            (self.cpu()? - before, seen)
        } else {
            let answer = self.ask(&requests.to_string())?;
            let mut numbers = answer.split(' ').map(|word| {
                word.parse::<u64>()
                    .map_err(|_| format!("{answer:?}: no figures"))
            });
            let mut next = || numbers.next().unwrap_or(Err("too few figures".to_owned()));
            let (cpu, took, p99) = (next()?, next()?, next()?);
            (cpu, Seen::of_nanos(took, p99))
        };
        Ok(Round {
            cpu: cpu as f64 / f64::from(requests),
            throughput: f64::from(requests) / seen.took.as_secs_f64(),
            p99_ms: seen.p99.as_secs_f64() * 1e3,
        })
    }

    fn call(&mut self, requests: u32) -> Result<Seen, String> {
        let (runtime, caller) = self.caller.as_mut().ok_or("nobody calls")?;
        runtime.block_on(caller.send(requests))
    }

    fn cpu(&mut self) -> Result<u64, String> {
        let answer = self.ask("cpu")?;
        answer.parse().map_err(|_| format!("{answer:?}: no time"))
    }

    fn ask(&mut self, what: &str) -> Result<String, String> {
        writeln!(self.asked, "{what}").map_err(|error| error.to_string())?;
        self.line()
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        let read = self
            .answers
            .read_line(&mut line)
            .map_err(|error| error.to_string())?;
        match read {
            0 => Err(format!("{} has ended", self.stack.name())),
            _ => Ok(line.trim().to_owned()),
        }
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
