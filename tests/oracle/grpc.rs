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
        ENHANCE_YOUR_CALM,
        Fault::{self, *},
        INTERNAL_ERROR, REFUSED_STREAM,
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
    Row {
        name,
        fault,
        times,
        seen,
        why,
    }
}

/// May be handled twice: the C core, Envoy, buttress. May not: the same. The page has the notes.
#[rustfmt::skip]
const TABLE: [Row<6>; 30] = [
    row("connection refused", (Refused, Always), ["0, UNAVAILABLE", "0, UNAVAILABLE", "0, UNAVAILABLE", "0, UNAVAILABLE", "0, UNAVAILABLE", "0, UNAVAILABLE"], ""),
    row("connection refused by one", (Refused, Once), ["1, OK", "1, OK", "1, OK", "1, OK", "1, OK", "1, OK"], ""),
    row("reset before any answer", (Reset, Always), ["3, UNAVAILABLE", "3, UNAVAILABLE", "3, UNKNOWN", "1, UNAVAILABLE", "3, UNAVAILABLE", "1, UNKNOWN"], "1"),
    row("reset before any answer, once", (Reset, Once), ["2, OK", "2, OK", "2, OK", "1, UNAVAILABLE", "2, OK", "1, UNKNOWN"], "1"),
    row("reset after the head", (ResetAfterHead, Always), ["1, UNAVAILABLE", "1, INTERNAL", "3, UNKNOWN", "1, UNAVAILABLE", "1, INTERNAL", "1, UNKNOWN"], "2"),
    row("reset after the head, once", (ResetAfterHead, Once), ["1, UNAVAILABLE", "1, INTERNAL", "2, OK", "1, UNAVAILABLE", "1, INTERNAL", "1, UNKNOWN"], "2"),
    row("reset after a message", (ResetAfterMessage, Always), ["1, UNAVAILABLE", "1, INTERNAL", "1, UNKNOWN", "1, UNAVAILABLE", "1, INTERNAL", "1, UNKNOWN"], ""),
    row("no answer", (Hang, Always), ["3, CANCELLED", "3, UNAVAILABLE", "3, DEADLINE_EXCEEDED", "1, DEADLINE_EXCEEDED", "3, UNAVAILABLE", "1, DEADLINE_EXCEEDED"], "1"),
    row("no answer, once", (Hang, Once), ["2, OK", "2, OK", "2, OK", "1, DEADLINE_EXCEEDED", "2, OK", "1, DEADLINE_EXCEEDED"], "1"),
    row("stream refused", (ResetStream(REFUSED_STREAM), Always), ["3, UNAVAILABLE", "3, UNAVAILABLE", "3, UNAVAILABLE", "1, UNAVAILABLE", "3, UNAVAILABLE", "3, UNAVAILABLE"], "3"),
    row("stream refused, once", (ResetStream(REFUSED_STREAM), Once), ["2, OK", "2, OK", "2, OK", "1, UNAVAILABLE", "2, OK", "2, OK"], "3"),
    row("stream reset, INTERNAL_ERROR, once", (ResetStream(INTERNAL_ERROR), Once), ["2, OK", "2, OK", "2, OK", "1, INTERNAL", "2, OK", "1, INTERNAL"], "1"),
    row("stream reset, ENHANCE_YOUR_CALM, once", (ResetStream(ENHANCE_YOUR_CALM), Once), ["2, OK", "2, OK", "2, OK", "1, RESOURCE_EXHAUSTED", "2, OK", "1, RESOURCE_EXHAUSTED"], "1"),
    row("GOAWAY, not processed, once", (GoneBefore, Once), ["2, OK", "2, OK", "2, OK", "2, OK", "2, OK", "2, OK"], ""),
    row("GOAWAY, perhaps processed, once", (GoneWith, Once), ["2, OK", "2, OK", "2, OK", "1, UNAVAILABLE", "2, OK", "1, UNKNOWN"], "1"),
    row("GOAWAY with an error, perhaps processed, once", (BrokenWith, Once), ["2, OK", "2, OK", "2, OK", "1, UNAVAILABLE", "2, OK", "1, UNKNOWN"], "1"),
    row("UNAVAILABLE", (Head(14, None), Always), ["3, UNAVAILABLE", "3, UNAVAILABLE", "3, UNAVAILABLE", "1, UNAVAILABLE", "3, UNAVAILABLE", "1, UNAVAILABLE"], "1"),
    row("UNAVAILABLE, once", (Head(14, None), Once), ["2, OK", "2, OK", "2, OK", "1, UNAVAILABLE", "2, OK", "1, UNAVAILABLE"], "1"),
    row("UNAVAILABLE in trailers", (Trailers(14), Always), ["1, UNAVAILABLE", "1, UNAVAILABLE", "3, UNAVAILABLE", "1, UNAVAILABLE", "1, UNAVAILABLE", "1, UNAVAILABLE"], "2"),
    row("UNAVAILABLE in trailers, once", (Trailers(14), Once), ["1, UNAVAILABLE", "1, UNAVAILABLE", "2, OK", "1, UNAVAILABLE", "1, UNAVAILABLE", "1, UNAVAILABLE"], "2"),
    row("RESOURCE_EXHAUSTED", (Head(8, None), Always), ["3, RESOURCE_EXHAUSTED", "3, RESOURCE_EXHAUSTED", "3, RESOURCE_EXHAUSTED", "1, RESOURCE_EXHAUSTED", "3, RESOURCE_EXHAUSTED", "1, RESOURCE_EXHAUSTED"], "1"),
    row("DEADLINE_EXCEEDED", (Head(4, None), Always), ["3, DEADLINE_EXCEEDED", "3, DEADLINE_EXCEEDED", "3, DEADLINE_EXCEEDED", "1, DEADLINE_EXCEEDED", "3, DEADLINE_EXCEEDED", "1, DEADLINE_EXCEEDED"], "1"),
    row("INTERNAL", (Head(13, None), Always), ["3, INTERNAL", "3, INTERNAL", "3, INTERNAL", "1, INTERNAL", "3, INTERNAL", "1, INTERNAL"], "1"),
    row("UNKNOWN", (Head(2, None), Always), ["3, UNKNOWN", "1, UNKNOWN", "3, UNKNOWN", "1, UNKNOWN", "1, UNKNOWN", "1, UNKNOWN"], "4"),
    row("ABORTED", (Head(10, None), Always), ["1, ABORTED", "1, ABORTED", "1, ABORTED", "1, ABORTED", "1, ABORTED", "1, ABORTED"], ""),
    row("CANCELLED", (Head(1, None), Always), ["1, CANCELLED", "1, CANCELLED", "1, CANCELLED", "1, CANCELLED", "1, CANCELLED", "1, CANCELLED"], ""),
    row("UNAVAILABLE, push-back 50 ms", (Head(14, Some("50")), Always), ["3, UNAVAILABLE", "3, UNAVAILABLE", "3, UNAVAILABLE", "1, UNAVAILABLE", "3, UNAVAILABLE", "1, UNAVAILABLE"], "1"),
    row("UNAVAILABLE, push-back 60 s", (Head(14, Some("60000")), Always), ["1, DEADLINE_EXCEEDED", "3, UNAVAILABLE", "2, UNAVAILABLE", "1, UNAVAILABLE", "3, UNAVAILABLE", "1, UNAVAILABLE"], "1, 5, 6"),
    row("UNAVAILABLE, push-back -1", (Head(14, Some("-1")), Always), ["1, UNAVAILABLE", "3, UNAVAILABLE", "1, UNAVAILABLE", "1, UNAVAILABLE", "3, UNAVAILABLE", "1, UNAVAILABLE"], "1, 5"),
    row("HTTP 503", (Status(503, None), Always), ["3, UNAVAILABLE", "1, UNAVAILABLE", "3, UNAVAILABLE", "1, UNAVAILABLE", "1, UNAVAILABLE", "1, UNAVAILABLE"], "7"),
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
