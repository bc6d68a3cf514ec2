//! Servers that are well, and clients that are under guard.

use std::time::Duration;

use axum::{Router, body::Body, response::IntoResponse as _, routing::any};
use buttress::{At, Buttress, Dispatch, Endpoint, HealthPolicy, Http, Policy, Redundancy, fixed};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::net::{TcpListener, TcpStream};

pub(super) type Hyper = Client<HttpConnector, Full<Bytes>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

pub(super) fn client(version: Version) -> Hyper {
    Client::builder(TokioExecutor::new())
        .http2_only(version == Version::Two)
        .build_http()
}

pub(super) fn request(method: Method, uri: &str) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(uri);
    request.body(Full::from("payload")).unwrap()
}

pub(super) async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

/// A replica that is well, in either version.
pub(super) async fn well() -> String {
    let parts = || tokio_stream::iter(["o", "k"].map(Ok::<_, std::io::Error>));
    let app = Router::new()
        .route("/", any(async || "ok"))
        .route("/empty", any(async || StatusCode::NO_CONTENT))
        .route("/parts", any(async move || Body::from_stream(parts())))
        .route(
            "/sick",
            any(async || StatusCode::BAD_GATEWAY.into_response()),
        );
    serve(app).await
}

/// Nobody listens there.
pub(super) async fn dead() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A server that does to each connection what `handle` does, one at a time.
pub(super) async fn scripted<F>(handle: impl Fn(TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(handle(socket));
        }
    });
    format!("http://{address}")
}

/// Long enough for whoever is well, and not too long to be waited for.
pub(super) const PATIENCE: Duration = Duration::from_millis(400);

/// The first is asked first, the second where the first has failed.
pub(super) fn in_turn<S: Clone>(
    first: &str,
    second: &str,
    connect: impl Fn(&Endpoint) -> S + Send + Sync + 'static,
) -> (Buttress, Dispatch<At<S>, Http>) {
    let policy = Policy::new()
        .attempt_timeout(PATIENCE)
        .redundancy(Redundancy::failover(2))
        .health(HealthPolicy::consecutive(1_000));
    let root = Buttress::new().policy("work", policy);
    let ends = [(first, 0), (second, 1)];
    let ends = ends.map(|(to, priority)| Endpoint::new(to).unwrap().priority(priority));
    let connect = move |to: &Endpoint| At::new(to, connect(to));
    let dispatch = root.dispatch("work", Http, fixed(ends).unwrap(), connect);
    (root, dispatch.unwrap())
}
