//! A guard on a tonic server.

use std::time::Duration;

use buttress::{Cause, Grpc, GuardLayer, LimitPolicy, Policy};
use buttress_inventory::{inventory_client::InventoryClient, inventory_server::InventoryServer};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Code,
    server::NamedService,
    service::LayerExt as _,
    transport::{Channel, Server},
};

use crate::{
    channel, item,
    replica::{Act, Replica},
    until,
};

async fn behind(layer: &GuardLayer<Grpc>, replica: Replica) -> InventoryClient<Channel> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = Server::builder()
        .layer(layer.clone())
        .add_service(InventoryServer::new(replica))
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(server);
    InventoryClient::new(channel(&address))
}

#[tokio::test]
async fn the_statuses_of_handlers_are_counted() {
    let layer = GuardLayer::new("inventory", Grpc);
    let replica = Replica::default()
        .once(Act::Fail(Code::Unavailable, None))
        .once(Act::Fail(Code::InvalidArgument, None));
    let mut client = behind(&layer, replica).await;
    for code in [Code::Unavailable, Code::InvalidArgument] {
        assert_eq!(client.count(item()).await.unwrap_err().code(), code);
    }
    client.count(item()).await.unwrap();
    until("all are over", || {
        layer.handle().snapshot().counts.finished() == 3
    })
    .await;
    let counts = layer.handle().snapshot().counts;
    assert_eq!(
        (
            counts.failures.of(Cause::Error),
            counts.caller_faults,
            counts.successes
        ),
        (1, 1, 1)
    );
}

#[tokio::test]
async fn a_full_server_and_a_late_one_say_so_in_their_codes() {
    let policy = Policy::new()
        .deadline(Duration::from_millis(150))
        .limit(LimitPolicy::concurrency(1));
    let layer = GuardLayer::with_policy("inventory", Grpc, &policy).unwrap();
    let replica = Replica::always(Act::Hang);
    let mut client = behind(&layer, replica.clone()).await;
    let mut other = client.clone();
    let late = tokio::spawn(async move { other.count(item()).await });
    until("one is under way", || replica.seen().len() == 1).await;
    let full = client.count(item()).await.unwrap_err();
    assert_eq!(full.code(), Code::ResourceExhausted);
    assert!(full.message().starts_with("overloaded"), "{full}");
    let late = late.await.unwrap().unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
    assert!(late.message().starts_with("no answer within"), "{late}");
    assert_eq!(layer.handle().snapshot().counts.in_flight(), 0);
}

#[tokio::test]
async fn a_single_service_keeps_its_name_under_a_guard() {
    fn name<S: NamedService>(_: &S) -> &'static str {
        S::NAME
    }
    let layer = GuardLayer::new("inventory", Grpc);
    let service = layer.named_layer(InventoryServer::new(Replica::default()));
    assert_eq!(name(&service), "buttress.inventory.v1.Inventory");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (_, health) = tonic_health::server::health_reporter();
    let server = Server::builder()
        .add_service(health)
        .add_service(service)
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(server);
    let mut client = InventoryClient::new(channel(&address));
    assert_eq!(client.count(item()).await.unwrap().get_ref().count, 7);
    until("it is over", || {
        layer.handle().snapshot().counts.successes == 1
    })
    .await;
}
