//! Sockets that nobody listens on, and such as break.

use std::time::Duration;

use buttress::{
    BreakerState, Buttress, Cause, Endpoint, Grpc, GrpcProbe, Policy, ProbePolicy, fixed,
};
use buttress_inventory::{RestockReply, RestockRequest, inventory_client::InventoryClient};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use crate::{
    ALL, channel, counts, failover, item,
    replica::{Act, Replica},
    replicas, until,
};

/// An address that refuses.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test]
async fn a_dead_port_is_passed_over_though_nobody_vouches() {
    let well = Replica::default();
    let addresses = [nobody().await, well.serve().await, nobody().await];
    let (buttress, mut client) = replicas(failover(), Grpc, &addresses);
    for _ in 0..10 {
        client.count(item()).await.unwrap();
    }
    let dead = counts(&buttress)
        .iter()
        .map(|one| one.failures.of(Cause::Connect))
        .sum::<u64>();
    assert!(dead > 0);
    assert_eq!(well.seen().len(), 10);
}

#[tokio::test]
async fn nobody_to_ask_is_what_the_channel_says() {
    let (_, mut client) = replicas(failover(), Grpc, &[nobody().await]);
    let status = client.count(item()).await.unwrap_err();
    // As a bare channel has it: the last error is passed on.
    let bare = InventoryClient::new(channel(&nobody().await))
        .count(item())
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), bare.code()),
        (Code::Unavailable, Code::Unavailable)
    );
    assert_eq!(status.message(), bare.message());
}

/// A client of a replica that dies when it has the first of three messages, and of another to fall back on; and what becomes of the upload.
async fn upload(grpc: Grpc) -> (Result<RestockReply, Status>, Replica) {
    let (first, standby) = (Replica::always(Act::Hang), Replica::default());
    let buttress = Buttress::new().policy("inventory", failover());
    let primary = Endpoint::new(first.serve().await).unwrap();
    let other = Endpoint::new(standby.serve().await).unwrap().priority(1);
    let connect = |endpoint: &Endpoint| channel(endpoint.address());
    let dispatch = buttress
        .dispatch("inventory", grpc, fixed([primary, other]).unwrap(), connect)
        .unwrap();
    let put = |count| RestockRequest {
        item: "bolt".to_owned(),
        count,
    };
    let (send, items) = mpsc::channel(4);
    send.send(put(1)).await.unwrap();
    let rest = async {
        until("the first has it", || !first.seen().is_empty()).await;
        first.kill();
        for count in [2, 3] {
            // Nobody takes it, if the call has failed already.
            let _ = send.send(put(count)).await;
        }
        drop(send);
    };
    let mut client = InventoryClient::new(dispatch);
    let (reply, ()) = tokio::join!(client.restock(ReceiverStream::new(items)), rest);
    (reply.map(tonic::Response::into_inner), standby)
}

#[tokio::test]
async fn an_upload_survives_the_death_of_its_replica_if_it_is_kept() {
    let (reply, standby) = upload(ALL).await;
    let reply = reply.unwrap();
    assert_eq!(
        (reply.messages, reply.total, standby.seen().len()),
        (3, 6, 1)
    );
    // Nobody vouches for it; and the first of it is not kept.
    for grpc in [Grpc, ALL.replay_up_to(4)] {
        let (reply, standby) = upload(grpc).await;
        let status = reply.unwrap_err();
        assert!(
            matches!(status.code(), Code::Unknown | Code::Unavailable),
            "{status}"
        );
        assert_eq!(standby.seen().len(), 0);
    }
}

#[tokio::test]
async fn connections_that_end_in_order_fail_no_call_though_nobody_vouches() {
    let (one, other) = (Replica::graceful(15), Replica::graceful(20));
    let addresses = [one.serve().await, other.serve().await];
    let (buttress, client) = replicas(failover(), Grpc, &addresses);
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        let mut client = client.clone();
        calls.spawn(async move {
            for _ in 0..100 {
                client.count(item()).await.map(drop)?;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Ok::<(), Status>(())
        });
    }
    for done in calls.join_all().await {
        done.unwrap();
    }
    assert_eq!(
        counts(&buttress)
            .iter()
            .map(|one| one.successes)
            .sum::<u64>(),
        800
    );
}

#[tokio::test]
async fn a_replica_is_probed_by_its_health_service() {
    let (health, service) = tonic_health::server::health_reporter();
    let name = "buttress.inventory.v1.Inventory";
    health
        .set_service_status(name, tonic_health::ServingStatus::Serving)
        .await;
    let replica = Replica::default();
    // One knows the health service, the other does not: that is taken for well.
    let addresses = [replica.serve_with(service).await, replica.serve().await];
    let probe = ProbePolicy::new()
        .interval(Duration::from_millis(20))
        .fast_interval(Duration::from_millis(10))
        .idle_interval(Duration::from_millis(20));
    let buttress = Buttress::new().policy("inventory", Policy::new().probe(probe));
    let connect = |endpoint: &Endpoint| channel(endpoint.address());
    let asks = GrpcProbe::service(name).over(connect);
    let endpoints = fixed(addresses.iter().map(String::as_str)).unwrap();
    let _dispatch = buttress
        .dispatch("inventory", Grpc, endpoints, connect)
        .unwrap()
        .probed(asks);
    let state = |address: &str| {
        let handles = buttress.handles("inventory").ok()?;
        Some(handles.find(address).ok()?.state())
    };
    until("both are known", || state(&addresses[1]).is_some()).await;
    health
        .set_service_status(name, tonic_health::ServingStatus::NotServing)
        .await;
    until("it is out", || {
        state(&addresses[0]) == Some(BreakerState::Open)
    })
    .await;
    assert_eq!(state(&addresses[1]), Some(BreakerState::Closed));
}
