//! gRPC: a call that may be handled twice, and one of which that is not known.

use std::net::SocketAddr;

use buttress::{Buttress, Endpoint, Grpc, fixed};
use buttress_inventory::{CountRequest, inventory_client::InventoryClient};
use http::HeaderValue;
use tonic::{
    Code, Request, Status,
    metadata::MetadataValue,
    transport::{Channel, Endpoint as Server},
};

use crate::{
    core::Core,
    envoy::{self, CLUSTER, Envoy},
    fault::{
        Fault::{self, *},
        Times::{self, *},
    },
    http::policy,
    row::{Row, cell},
    server::Servers,
};

const fn row(
    name: &'static str,
    (fault, times): (Fault, Times),
    seen: [&'static str; 6],
    why: &'static str,
) -> Row<6> {
    Row { name, fault, times, seen, why }
}

const U: [&str; 6] = ["3, UNAVAILABLE"; 6];

/// May be handled twice: the C core, Envoy, buttress. May not: the same.
#[rustfmt::skip]
const TABLE: [Row<6>; 27] = [
    row("connection refused", (Refused, Always), U, ""),
    row("connection refused by one", (Refused, Once), U, ""),
    row("reset before any answer", (Reset, Always), U, ""),
    row("reset before any answer, once", (Reset, Once), U, ""),
    row("reset after the head", (ResetAfterHead, Always), U, ""),
    row("reset after the head, once", (ResetAfterHead, Once), U, ""),
    row("reset after a message", (ResetAfterMessage, Always), U, ""),
    row("no answer", (Hang, Always), U, ""),
    row("no answer, once", (Hang, Once), U, ""),
    row("stream refused", (RefusedStream, Always), U, ""),
    row("stream refused, once", (RefusedStream, Once), U, ""),
    row("GOAWAY, not processed, once", (GoneBefore, Once), U, ""),
    row("GOAWAY, perhaps processed, once", (GoneWith, Once), U, ""),
    row("UNAVAILABLE", (Head(14, None), Always), U, ""),
    row("UNAVAILABLE, once", (Head(14, None), Once), U, ""),
    row("UNAVAILABLE in trailers", (Trailers(14), Always), U, ""),
    row("UNAVAILABLE in trailers, once", (Trailers(14), Once), U, ""),
    row("RESOURCE_EXHAUSTED", (Head(8, None), Always), U, ""),
    row("DEADLINE_EXCEEDED", (Head(4, None), Always), U, ""),
    row("INTERNAL", (Head(13, None), Always), U, ""),
    row("UNKNOWN", (Head(2, None), Always), U, ""),
    row("ABORTED", (Head(10, None), Always), U, ""),
    row("CANCELLED", (Head(1, None), Always), U, ""),
    row("UNAVAILABLE, push-back 50 ms", (Head(14, Some("50")), Always), U, ""),
    row("UNAVAILABLE, push-back -1", (Head(14, Some("-1")), Always), U, ""),
    row("UNAVAILABLE, push-back 60 s", (Head(14, Some("60000")), Always), U, ""),
    row("HTTP 503", (Status(503, None), Always), U, ""),
];

#[tokio::test]
#[ignore = "needs Envoy and gRPC's C core: `cargo xtask verify`"]
async fn agrees_with_the_c_core_and_with_envoy_or_says_why_not() {
    let servers = Servers::start().await;
    let envoy = Envoy::start(&servers).await;
    let mut core = Core::start();
    let mut wrong = Vec::new();
    for row in TABLE {
        let (fault, times) = (row.fault, row.times);
        let endpoints = servers.endpoints(fault, times);
        let mut seen = Vec::new();
        for idempotent in [true, false] {
            servers.play(fault, times);
            let got = core.call(endpoints, idempotent).await;
            seen.push(cell(servers.seen(), got));

            servers.play(fault, times);
            let mut request = Request::new(CountRequest::default());
            let cluster: HeaderValue = envoy::cluster(true, fault, times).parse().unwrap();
            let cluster = MetadataValue::try_from(cluster.as_bytes()).unwrap();
            request.metadata_mut().insert(CLUSTER, cluster);
            let mut client = InventoryClient::new(channel(envoy.address));
            let got = name(client.count(request).await.err());
            seen.push(cell(servers.seen(), got));

            servers.play(fault, times);
            let got = dispatched(endpoints, idempotent).await;
            seen.push(cell(servers.seen(), got));
        }
        wrong.extend(row.check(&seen.try_into().unwrap(), &[&[0, 1, 2], &[3, 4, 5]]));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn channel(address: impl std::fmt::Display) -> Channel {
    Server::from_shared(format!("http://{address}"))
        .unwrap()
        .connect_lazy()
}

/// Through buttress.
async fn dispatched(endpoints: [SocketAddr; 2], idempotent: bool) -> String {
    let grpc = if idempotent {
        Grpc.idempotent_methods(&["/buttress.inventory.v1.Inventory/Count"])
    } else {
        Grpc
    };
    let endpoints = fixed(endpoints.map(|address| address.to_string())).unwrap();
    let connect = |endpoint: &Endpoint| channel(endpoint.address());
    let root = Buttress::new().policy("oracle", policy());
    let service = root.dispatch("oracle", grpc, endpoints, connect).unwrap();
    let mut client = InventoryClient::new(service);
    name(client.count(CountRequest::default()).await.err())
}

/// As gRPC spells it.
fn name(status: Option<Status>) -> String {
    let code = status.map_or(Code::Ok, |status| status.code());
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}
