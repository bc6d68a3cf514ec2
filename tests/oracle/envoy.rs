//! Envoy, between a client and the servers.

use std::{
    net::{SocketAddr, TcpListener},
    process::Stdio,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::{
    fault::{Fault, Times},
    installed,
    server::Servers,
};

/// Names the cluster that a request is for.
pub(crate) const CLUSTER: &str = "x-cluster";

/// Killed when dropped.
#[derive(Debug)]
pub(crate) struct Envoy {
    pub(crate) address: SocketAddr,
    _process: Child,
}

impl Envoy {
    /// In front of these servers.
    pub(crate) async fn start(servers: &Servers) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let process = Command::new(installed("envoy"))
            .args(["--config-yaml", &config(servers, address).to_string()])
            .args(["--concurrency", "1", "--disable-hot-restart"])
            .args(["--log-level", "critical"])
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let listens = async {
            while TcpStream::connect(address).await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(20), listens).await.unwrap();
        Self {
            address,
            _process: process,
        }
    }
}

/// The cluster with the endpoints that a fault is about.
pub(crate) fn cluster(http2: bool, fault: Fault, times: Times) -> String {
    let kind = match (fault, times) {
        (Fault::Refused, Times::Once) => "half",
        (Fault::Refused, Times::Always) => "dead",
        _ => "live",
    };
    format!("{kind}{}", if http2 { 2 } else { 1 })
}

fn config(servers: &Servers, address: SocketAddr) -> Value {
    let half = [servers.dead[0], servers.live[0]];
    let sets = [
        ("live", servers.live),
        ("half", half),
        ("dead", servers.dead),
    ];
    let clusters: Vec<_> = [false, true]
        .into_iter()
        .flat_map(|http2| sets.map(|(name, endpoints)| set(name, http2, endpoints)))
        .collect();
    json!({ "static_resources": {
        "listeners": [{ "name": "all", "address": socket(address), "filter_chains": [{ "filters": [manager()] }] }],
        "clusters": clusters,
    }})
}

fn manager() -> Value {
    let grpc = "deadline-exceeded,internal,resource-exhausted,unavailable,connect-failure,refused-stream,reset";
    json!({ "name": "http", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "all",
        "http_filters": [{ "name": "envoy.filters.http.router", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
        }}],
        "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": [
            { "match": { "prefix": "/", "grpc": {} }, "route": route(grpc) },
            { "match": { "prefix": "/" }, "route": route("connect-failure,refused-stream,reset,5xx,retriable-4xx") },
        ]}]},
    }})
}

fn route(retry_on: &str) -> Value {
    json!({ "cluster_header": CLUSTER, "timeout": "5s", "retry_policy": {
        "retry_on": retry_on,
        "num_retries": 2,
        "per_try_timeout": "0.4s",
        "host_selection_retry_max_attempts": 3,
        "retry_host_predicate": [{ "name": "envoy.retry_host_predicates.previous_hosts", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
        }}],
    }})
}

fn set(name: &str, http2: bool, endpoints: [SocketAddr; 2]) -> Value {
    let name = format!("{name}{}", if http2 { 2 } else { 1 });
    let endpoints = endpoints.map(|address| json!({ "endpoint": { "address": socket(address) } }));
    let protocol = if http2 {
        "http2_protocol_options"
    } else {
        "http_protocol_options"
    };
    json!({
        "name": name,
        "connect_timeout": "1s",
        "load_assignment": { "cluster_name": name, "endpoints": [{ "lb_endpoints": endpoints }] },
        "typed_extension_protocol_options": { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": { protocol: {} },
            // No case hears of a connection that another has left.
            "common_http_protocol_options": { "max_requests_per_connection": 1 },
        }},
    })
}

fn socket(address: SocketAddr) -> Value {
    let (ip, port) = (address.ip().to_string(), address.port());
    json!({ "socket_address": { "address": ip, "port_value": port } })
}
