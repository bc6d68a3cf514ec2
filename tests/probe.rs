//! Active probes over real sockets: servers that are well, that say they are not, that refuse, and that hang.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use axum::{Router, http::StatusCode, routing::get};
use buttress::{
    BreakerState, Buttress, CLOCK, Dispatch, Endpoint, EventKind, Health, Http, HttpProbe, Policy,
    Probe, ProbePolicy, TcpProbe, fixed,
};
use bytes::Bytes;
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::net::TcpListener;

type Hyper = Client<HttpConnector, Full<Bytes>>;

fn hyper() -> Hyper {
    Client::builder(TokioExecutor::new()).build_http()
}

/// Quick, so that the test is: every figure a fiftieth of the default.
fn policy() -> Policy {
    let probe = ProbePolicy::new()
        .interval(Duration::from_millis(40))
        .fast_interval(Duration::from_millis(10))
        .idle_interval(Duration::from_millis(40))
        .timeout(Duration::from_millis(200));
    Policy::new().probe(probe)
}

async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

/// Nobody calls these: what is known of them is known by probes.
fn probed(buttress: &Buttress, addresses: &[&String], probe: impl Probe) -> Dispatch<Hyper, Http> {
    let endpoints = fixed(addresses.iter().map(|address| address.as_str())).unwrap();
    let client = hyper();
    let connect = move |_: &Endpoint| client.clone();
    buttress
        .dispatch("probed", Http, endpoints, connect)
        .unwrap()
        .probed(probe)
}

fn healthz() -> impl Probe {
    let client = hyper();
    HttpProbe::get("/healthz")
        .unwrap()
        .over(move |_: &Endpoint| client.clone())
}

/// Waits until it holds of the events so far.
async fn until(
    buttress: &Buttress,
    what: &str,
    mut holds: impl FnMut(&[(String, EventKind)]) -> bool,
) {
    let told = || {
        let events = buttress.registry().events().since(0).events;
        let named = events
            .into_iter()
            .map(|event| (event.endpoint.unwrap_or_default().to_string(), event.kind));
        named.collect::<Vec<_>>()
    };
    for _ in 0..500 {
        if holds(&told()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    unreachable!("not in time: {what}; {:?}", told());
}

fn opened(address: &str) -> impl Fn(&[(String, EventKind)]) -> bool {
    move |events| {
        events
            .iter()
            .any(|(of, kind)| of == address && matches!(kind, EventKind::Opened { .. }))
    }
}

fn state(buttress: &Buttress, address: &str) -> (BreakerState, Health) {
    let shots = buttress.registry().snapshot(CLOCK.now());
    let shot = shots
        .iter()
        .find(|shot| shot.endpoint.as_deref() == Some(address))
        .unwrap();
    (shot.state, shot.health)
}

#[tokio::test]
async fn a_server_that_says_it_is_ill_is_out_and_is_called_again_when_it_is_well() {
    static WELL: AtomicBool = AtomicBool::new(true);
    async fn page() -> StatusCode {
        if WELL.load(Ordering::SeqCst) {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
    let ill = serve(Router::new().route("/healthz", get(page))).await;
    let well = serve(Router::new().route("/healthz", get(async || "well"))).await;
    let buttress = Buttress::new().policy("probed", policy());
    let _service = probed(&buttress, &[&ill, &well], healthz());
    WELL.store(false, Ordering::SeqCst);
    until(&buttress, "out", opened(&ill)).await;
    assert_eq!(
        state(&buttress, &well),
        (BreakerState::Closed, Health::Healthy)
    );
}

#[tokio::test]
async fn servers_that_refuse_or_hang_are_out_though_nobody_calls() {
    let well = serve(Router::new().route("/healthz", get(async || "well"))).await;
    let also = serve(Router::new().route("/healthz", get(async || "well"))).await;
    // Bound, so that it accepts, and never answered.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hung = format!("http://{}", silent.local_addr().unwrap());
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refusing = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let buttress = Buttress::new().policy("probed", policy());
    let _service = probed(&buttress, &[&well, &also, &hung, &refusing], healthz());
    until(&buttress, "hung is out", opened(&hung)).await;
    until(&buttress, "refusing is out", opened(&refusing)).await;
    assert_eq!(state(&buttress, &well).0, BreakerState::Closed);
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_found_without_a_protocol() {
    let listening = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let well = listening.local_addr().unwrap().to_string();
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refusing = gone.local_addr().unwrap().to_string();
    drop(gone);
    let buttress = Buttress::new().policy("probed", policy());
    let _service = probed(&buttress, &[&well, &refusing], TcpProbe::new());
    until(&buttress, "refusing is out", opened(&refusing)).await;
    assert_eq!(state(&buttress, &well).0, BreakerState::Closed);
}

#[tokio::test]
async fn probing_ends_with_the_last_service() {
    static ASKED: AtomicBool = AtomicBool::new(false);
    let buttress = Buttress::new().policy("probed", policy());
    let service = probed(
        &buttress,
        &[&"10.0.0.1:80".to_owned()],
        |_: &Endpoint| async {
            ASKED.store(true, Ordering::SeqCst);
            Ok::<(), &str>(())
        },
    );
    until(&buttress, "asked", |_| ASKED.load(Ordering::SeqCst)).await;
    drop(service);
    tokio::time::sleep(Duration::from_millis(50)).await;
    ASKED.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!ASKED.load(Ordering::SeqCst));
}
