//! Real tonic clients and servers on loopback.
#![expect(clippy::unwrap_used, reason = "what a test takes for granted")]

mod client;
mod cuts;
mod hints;
mod raw;
mod replica;
mod server;
mod streams;

use std::time::Duration;

use buttress::{
    BoxedGrpc, Buttress, CLOCK, Counts, Dispatch, Endpoint, Grpc, Guard, GuardLayer, Policy,
    Redundancy, fixed,
};
use buttress_inventory::{CountRequest, inventory_client::InventoryClient};
use tonic::{
    body::Body,
    client::GrpcService,
    transport::{Channel, Endpoint as Address},
};
use tower::{Layer as _, util::BoxCloneSyncService};

const ALL: Grpc = Grpc.idempotent_methods(&["/buttress.inventory.v1.Inventory/"]);

/// What most of tower's own layers make of a channel.
type Boxed = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, tower::BoxError>;
type Replicas = InventoryClient<Dispatch<Channel, Grpc>>;

fn channel(address: &str) -> Channel {
    Address::from_shared(address.to_owned())
        .unwrap()
        .connect_lazy()
}

/// A generated client, over guarded replicas.
fn replicas(policy: Policy, grpc: Grpc, addresses: &[String]) -> (Buttress, Replicas) {
    let buttress = Buttress::new().policy("inventory", policy);
    let endpoints = fixed(addresses.iter().map(String::as_str)).unwrap();
    let connect = |endpoint: &Endpoint| channel(endpoint.address());
    let dispatch = buttress
        .dispatch("inventory", grpc, endpoints, connect)
        .unwrap();
    (buttress, InventoryClient::new(dispatch))
}

/// A generated client, over one guarded channel.
fn guarded(
    policy: Policy,
    address: &str,
) -> (GuardLayer<Grpc>, InventoryClient<Guard<Channel, Grpc>>) {
    let layer = GuardLayer::with_policy("inventory", Grpc, &policy).unwrap();
    let client = InventoryClient::new(layer.layer(channel(address)));
    (layer, client)
}

fn failover() -> Policy {
    Policy::new().redundancy(Redundancy::failover(3))
}

fn item() -> CountRequest {
    CountRequest {
        item: "bolt".to_owned(),
    }
}

/// What is counted of all endpoints.
fn counts(buttress: &Buttress) -> Vec<Counts> {
    let shots = buttress.registry().snapshot(CLOCK.now());
    let endpoints = shots.into_iter().filter(|shot| shot.endpoint.is_some());
    endpoints.map(|shot| shot.counts).collect()
}

/// Waits until it holds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    unreachable!("not in time: {what}");
}

#[test]
fn stacks_are_clone_send_sync_and_static_and_taken_by_generated_clients() {
    const fn shareable<T: Clone + Send + Sync + 'static>() {}
    fn sendable<S: tower::Service<http::Request<Body>, Future: Send + 'static>>() {}
    fn taken<S: GrpcService<Body, ResponseBody: Send + 'static>>() {}
    shareable::<GuardLayer<Grpc>>();
    shareable::<Guard<Channel, Grpc>>();
    shareable::<Replicas>();
    shareable::<Guard<Boxed, BoxedGrpc>>();
    sendable::<Guard<Channel, Grpc>>();
    sendable::<Dispatch<Channel, Grpc>>();
    taken::<Guard<Channel, Grpc>>();
    taken::<Dispatch<Channel, Grpc>>();
    taken::<Dispatch<Boxed, BoxedGrpc>>();
    // Two requests, a channel, and the answer that is waited for.
    let size =
        size_of::<<Dispatch<Channel, Grpc> as tower::Service<http::Request<Body>>>::Future>();
    assert!(size <= 1_400, "{size}");
}
