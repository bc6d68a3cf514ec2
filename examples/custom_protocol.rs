//! A protocol of your own: lines over TCP, judged by what they say.
//!
//! ```text
//! cargo run --example custom_protocol
//! ```
//!
//! `GET key` and `ADD key` are answered with `OK n`, `NONE`, `BUSY seconds` or `ERR why`. The claim: each answer counts as what it is, a
//! failed `GET` is asked elsewhere, and an `ADD` is never sent twice.

use std::{io, process::ExitCode, time::Duration};

use buttress::{
    Buttress, Cause, Describe, Endpoint, HealthPolicy, Labels, Outcome, Policy, Protocol, Receipt,
    Redundancy, Refusal, Resend, fixed,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};
use tower::{BoxError, ServiceExt as _, service_fn};

/// How lines are judged: all that buttress has to be told.
#[derive(Clone, Copy)]
struct Lines;

impl Protocol<String, io::Error> for Lines {
    type Response = String;
    type Error = io::Error;

    fn classify(&self, result: Result<&String, &io::Error>) -> Outcome {
        match result.map(|line| line.split_once(' ').unwrap_or((line, ""))) {
            Ok(("OK", _)) => Outcome::Success,
            Ok(("NONE", _)) => Outcome::CallerFault,
            Ok(("BUSY", seconds)) => {
                let seconds = seconds.parse().ok().map(Duration::from_secs);
                Outcome::Overload(seconds)
            }
            Ok(("ERR", _)) => Outcome::Failure(Cause::Error),
            Ok(_) => Outcome::Failure(Cause::Protocol),
            // Nothing was sent, so even an ADD may go elsewhere.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                Outcome::Failure(Cause::Connect)
            }
            Err(_) => Outcome::Failure(Cause::Reset),
        }
    }

    // A line is over when it is there: the receipt ends with it.
    fn respond(&self, line: String, _: Receipt) -> String {
        line
    }

    fn fail(&self, error: io::Error) -> io::Error {
        error
    }

    fn refuse(&self, refusal: Refusal) -> Result<String, io::Error> {
        Err(io::Error::other(refusal))
    }
}

impl Resend<String> for Lines {
    fn idempotent(&self, request: &String) -> bool {
        request.starts_with("GET ")
    }

    fn copy(&self, request: &mut String) -> Option<String> {
        Some(request.clone())
    }
}

impl Describe<String> for Lines {
    fn labels<'a>(&self, request: &'a String) -> Labels<'a> {
        Labels::none().method(request.split(' ').next().unwrap_or_default())
    }
}

async fn ask(address: String, request: String) -> io::Result<String> {
    let mut socket = BufReader::new(TcpStream::connect(address).await?);
    socket.write_all(format!("{request}\n").as_bytes()).await?;
    let answer = socket.lines().next_line().await?;
    answer.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// A server that says the same to everybody.
async fn saying(answer: &'static str) -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let mut socket = BufReader::new(socket);
            if socket.read_line(&mut String::new()).await.is_ok() {
                let _ = socket.write_all(format!("{answer}\n").as_bytes()).await;
            }
        }
    });
    Ok(address)
}

#[tokio::main]
async fn main() -> Result<ExitCode, BoxError> {
    let well = saying("OK 7").await?;
    let policy = Policy::new()
        .redundancy(Redundancy::failover(2))
        .health(HealthPolicy::consecutive(100));
    let root = Buttress::new().policy("kv", policy);
    let mut held = true;
    println!("first replica  GET       ADD       counted there");
    for (answer, counts, add) in [
        ("NONE", "caller_faults", "NONE"),
        ("ERR disk", "failures", "ERR disk"),
        ("BUSY 3", "overloads", "BUSY 3"),
        ("220 mail", "failures", "220 mail"),
    ] {
        let first = saying(answer).await?;
        // The second is asked where the first has failed.
        let replicas = [(&first, 0), (&well, 1)]
            .map(|(to, priority)| Endpoint::new(to).map(|to| to.priority(priority)));
        let replicas = fixed(replicas.into_iter().collect::<Result<Vec<_>, _>>()?)?;
        let kv = root.dispatch("kv", Lines, replicas, |endpoint| {
            let address = endpoint.address().to_owned();
            service_fn(move |request: String| ask(address.clone(), request))
        })?;
        let got = kv.clone().oneshot("GET a".to_owned()).await?;
        let added = kv.clone().oneshot("ADD a".to_owned()).await?;
        let shot = kv.handles().find(&first)?.snapshot().counts;
        let counted = [
            ("caller_faults", shot.caller_faults),
            ("failures", shot.failures.total()),
            ("overloads", shot.overloads),
        ];
        println!("{answer:14} {got:9} {added:9} {counted:?}");
        let expected = if answer == "NONE" { "NONE" } else { "OK 7" };
        held &= got == expected && added == add;
        held &= counted
            .iter()
            .all(|(name, count)| (*count > 0) == (*name == counts));
    }
    Ok(if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
