//! A generated tonic client over three replicas, one of which dies while it is called: no call fails.
//!
//! `cargo run --example tonic_client`

use std::{collections::HashMap, error::Error, process::ExitCode, time::Duration};

use buttress::{Buttress, CLOCK, Grpc, Policy, Redundancy, fixed};
use buttress_inventory::{
    CountReply, CountRequest, RestockReply, RestockRequest, WatchRequest,
    inventory_client::InventoryClient,
    inventory_server::{Inventory, InventoryServer},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, task::JoinSet, time::sleep};
use tonic::{Request, Response, Status, Streaming, transport::Channel};

const CALLS: u32 = 1_000;

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let (mut servers, mut addresses) = (HashMap::new(), Vec::new());
    for name in ["a", "b", "c"] {
        let (address, server) = serve(Replica(name)).await?;
        servers.insert(name.to_owned(), server);
        addresses.push(address);
    }

    // All there is to write. Counting may be done twice, which nobody but us can know.
    let policy = Policy::new()
        .deadline(Duration::from_secs(1))
        .redundancy(Redundancy::failover(3));
    let buttress = Buttress::new().policy("inventory", policy);
    let grpc = Grpc.idempotent_methods(&["/buttress.inventory.v1.Inventory/Count"]);
    let replicas = buttress.dispatch("inventory", grpc, fixed(addresses)?, |endpoint| {
        Channel::builder(endpoint.address().parse().expect("a checked address")).connect_lazy()
    })?;
    let mut client = InventoryClient::new(replicas);

    let (mut failed, began) = (0, CLOCK.now());
    for call in 0..CALLS {
        let item = "bolt".to_owned();
        match client.count(CountRequest { item }).await {
            // Whoever answers then: it is called, and will be missed.
            Ok(reply) if call == CALLS / 3 => {
                let replica = reply.into_inner().replica;
                println!("replica {replica} dies, and all its sockets with it");
                servers.remove(&replica);
            }
            Ok(_) => {}
            Err(status) => {
                println!("call {call}: {status}");
                failed += 1;
            }
        }
        sleep(Duration::from_millis(1)).await;
    }
    println!(
        "{CALLS} calls in {:.1?}, {failed} failed",
        CLOCK.now().since(began)
    );

    let mut covered = 0;
    for shot in buttress.registry().snapshot(CLOCK.now()) {
        let Some(endpoint) = &shot.endpoint else {
            continue;
        };
        let (counts, failures) = (shot.counts, shot.counts.failures.total());
        covered += failures;
        println!(
            "{endpoint}: {} answered, {failures} failed, breaker {:?}",
            counts.successes, shot.state
        );
    }
    // Without a failure of the replica nothing was shown.
    Ok(if failed == 0 && covered > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Serves on a port of its own. Aborting the tasks closes its sockets.
async fn serve(replica: Replica) -> std::io::Result<(String, JoinSet<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let service = TowerToHyperService::new(InventoryServer::new(replica));
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            connections.spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                let _ = builder
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    Ok((address, server))
}

struct Replica(&'static str);

#[tonic::async_trait]
impl Inventory for Replica {
    async fn count(&self, _: Request<CountRequest>) -> Result<Response<CountReply>, Status> {
        let replica = self.0.to_owned();
        Ok(Response::new(CountReply { count: 7, replica }))
    }

    type WatchStream = tokio_stream::Empty<Result<CountReply, Status>>;

    async fn watch(&self, _: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(tokio_stream::empty()))
    }

    async fn restock(
        &self,
        _: Request<Streaming<RestockRequest>>,
    ) -> Result<Response<RestockReply>, Status> {
        Ok(Response::new(RestockReply::default()))
    }
}
