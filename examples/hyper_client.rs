//! A hyper client over three replicas, one of which dies under load.
//!
//! ```text
//! cargo run --example hyper_client
//! ```
//!
//! The claim: of 600 calls none fails, and the dead replica is hardly asked.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use axum::{Router, routing::get};
use buttress::{At, Buttress, Http, Policy, Redundancy, fixed};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{net::TcpListener, runtime::Runtime, task::JoinSet, time::sleep};
use tower::{BoxError, ServiceExt as _};

#[tokio::main]
async fn main() -> Result<ExitCode, BoxError> {
    let mut replicas = Vec::new();
    for _ in 0..3 {
        replicas.push(Replica::start().await?);
    }
    let addresses = replicas
        .iter()
        .map(|replica| format!("http://{}", replica.address));
    let addresses: Vec<_> = addresses.collect();

    // All there is to write: the policy, and a client that goes where it is told.
    let buttress = Buttress::new().policy(
        "inventory",
        Policy::new()
            .deadline(Duration::from_secs(2))
            .redundancy(Redundancy::failover(3)),
    );
    let hyper = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let inventory = buttress.dispatch(
        "inventory",
        Http,
        fixed(addresses.clone())?,
        move |endpoint| At::new(endpoint, hyper.clone()),
    )?;

    let mut calls = JoinSet::new();
    for call in 0..600 {
        if call == 200 {
            replicas.remove(0).die();
        }
        let request = Request::get(format!("/stock/{call}")).body(Empty::new())?;
        let asked = inventory.clone().oneshot(request);
        calls.spawn(async move {
            let answer = asked.await?;
            Ok::<_, BoxError>(
                answer.status().is_success()
                    && answer.into_body().collect().await?.to_bytes() == "12 left",
            )
        });
        sleep(Duration::from_millis(2)).await;
    }
    let well = calls
        .join_all()
        .await
        .into_iter()
        .filter(|well| matches!(well, Ok(true)));
    let failed = 600 - well.count();

    println!("{failed} of 600 calls failed");
    for shot in inventory.handles().snapshot() {
        let (good, bad) = (shot.counts.successes, shot.counts.failures.total());
        println!(
            "  {}: {good} good, {bad} failed, {:?}",
            shot.name(),
            shot.health
        );
    }
    let dead = inventory.handles().find(&addresses[0])?.snapshot();
    let noticed = (1..30).contains(&dead.counts.failures.total());
    replicas.into_iter().for_each(Replica::die);
    Ok(if failed == 0 && noticed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A server with a runtime of its own: when that goes, its connections go with it, as with a process.
struct Replica {
    address: SocketAddr,
    runtime: Runtime,
}

impl Replica {
    async fn start() -> Result<Self, BoxError> {
        let stock = async || {
            sleep(Duration::from_millis(5)).await;
            "12 left"
        };
        let app = Router::new().route("/stock/{id}", get(stock));
        let runtime = Runtime::new()?;
        let (address, _) = runtime
            .spawn(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                let address = listener.local_addr()?;
                let serving = tokio::spawn(async move { axum::serve(listener, app).await });
                Ok::<_, std::io::Error>((address, serving))
            })
            .await??;
        Ok(Self { address, runtime })
    }

    fn die(self) {
        self.runtime.shutdown_background();
    }
}
