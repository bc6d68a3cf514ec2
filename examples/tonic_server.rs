//! A tonic server under a guard: what is too much it turns down, what takes too long it gives up, and its clients see which.
//!
//! `cargo run --example tonic_server`

use std::{error::Error, process::ExitCode, time::Duration};

use buttress::{Grpc, GuardLayer, LimitPolicy, Policy};
use buttress_inventory::{
    CountReply, CountRequest, RestockReply, RestockRequest, WatchRequest,
    inventory_client::InventoryClient,
    inventory_server::{Inventory, InventoryServer},
};
use tokio::{net::TcpListener, task::JoinSet, time::sleep};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Code, Request, Response, Status, Streaming,
    transport::{Channel, Server},
};

const AT_ONCE: u32 = 8;

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    // All there is to write: the layer takes any tonic service, and its own clients see ordinary statuses.
    let policy = Policy::new()
        .deadline(Duration::from_millis(300))
        .limit(LimitPolicy::concurrency(AT_ONCE));
    let guard = GuardLayer::with_policy("inventory", Grpc, &policy)?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    tokio::spawn(
        Server::builder()
            .layer(guard.clone())
            .add_service(InventoryServer::new(Stock))
            .serve_with_incoming(TcpListenerStream::new(listener)),
    );
    let client = InventoryClient::new(Channel::from_shared(address)?.connect().await?);

    // As many as may be, and all of them in time.
    let few = calls(&client, "bolt", AT_ONCE).await;
    println!("{AT_ONCE} at once: {few}");
    // Three times as many.
    let many = calls(&client, "bolt", AT_ONCE * 3).await;
    println!("{} at once: {many}", AT_ONCE * 3);
    // One that takes longer than the deadline.
    let late = calls(&client, "needle in the hay", 1).await;
    println!("1 that takes a second: {late}");

    let counts = guard.handle().snapshot().counts;
    println!(
        "the guard has seen {} answered, {} turned down, {} in time out, and {} are under way",
        counts.successes,
        counts.limited,
        counts.failures.total(),
        counts.in_flight()
    );
    let kept = few == Seen::new(AT_ONCE, 0, 0)
        && many.ok >= AT_ONCE
        && many.exhausted > 0
        && many.ok + many.exhausted == AT_ONCE * 3
        && late == Seen::new(0, 0, 1)
        && counts.in_flight() == 0;
    Ok(if kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What clients saw.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    ok: u32,
    exhausted: u32,
    late: u32,
    other: u32,
}

impl Seen {
    const fn new(ok: u32, exhausted: u32, late: u32) -> Self {
        Self {
            ok,
            exhausted,
            late,
            other: 0,
        }
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            ok,
            exhausted,
            late,
            other,
        } = self;
        write!(
            f,
            "{ok} OK, {exhausted} RESOURCE_EXHAUSTED, {late} DEADLINE_EXCEEDED, {other} other"
        )
    }
}

async fn calls(client: &InventoryClient<Channel>, item: &str, calls: u32) -> Seen {
    let mut under_way = JoinSet::new();
    for _ in 0..calls {
        let (mut client, item) = (client.clone(), item.to_owned());
        under_way.spawn(async move { client.count(CountRequest { item }).await });
    }
    let mut seen = Seen::default();
    for reply in under_way.join_all().await {
        match reply.map_err(|status| status.code()) {
            Ok(_) => seen.ok += 1,
            Err(Code::ResourceExhausted) => seen.exhausted += 1,
            Err(Code::DeadlineExceeded) => seen.late += 1,
            Err(_) => seen.other += 1,
        }
    }
    seen
}

/// Counts in a tenth of a second; needles in a whole one.
struct Stock;

#[tonic::async_trait]
impl Inventory for Stock {
    async fn count(&self, request: Request<CountRequest>) -> Result<Response<CountReply>, Status> {
        let needle = request.get_ref().item.starts_with("needle");
        sleep(Duration::from_millis(if needle { 1_000 } else { 100 })).await;
        Ok(Response::new(CountReply {
            count: 7,
            ..CountReply::default()
        }))
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
