//! What a server says of itself, on real axum and tonic servers.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Router,
    body::Body,
    http::StatusCode,
    routing::{get, post_service},
};
use buttress::{
    Buttress, CatchPanicLayer, Cause, GuardLayer, HealthPolicy, Http, Key, LimitPolicy, Plain,
    Policy, Serving,
};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{net::TcpListener, sync::Notify};
use tonic::transport::{Channel, Server};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tower::{BoxError, Layer as _, ServiceExt as _, service_fn};

type Hyper = Client<HttpConnector, Full<Bytes>>;

fn hyper() -> Hyper {
    Client::builder(TokioExecutor::new()).build_http()
}

async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

async fn ask(client: &Hyper, method: Method, uri: String) -> (Response<()>, String) {
    let request = Request::builder().method(method).uri(uri);
    let request = request.body(Full::default()).unwrap();
    let answer = client.request(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    (Response::from_parts(parts, ()), body)
}

async fn see(client: &Hyper, uri: String) -> (u16, String) {
    let (answer, body) = ask(client, Method::GET, uri).await;
    (answer.status().as_u16(), body)
}

fn pages(serving: &Serving) -> Router {
    Router::new()
        .route_service("/livez", serving.livez())
        .route_service("/readyz", serving.readyz())
}

/// A dependency that is out.
async fn broken(root: &Buttress, name: &str) -> GuardLayer<Plain> {
    let layer = root.guard(name, Plain).unwrap();
    let service = layer.layer(service_fn(async |_: ()| {
        Err::<(), _>(BoxError::from("gone"))
    }));
    assert!(service.oneshot(()).await.is_err());
    layer
}

fn root() -> Buttress {
    let policy = Policy::new().health(HealthPolicy::consecutive(1));
    ["db", "mail"]
        .into_iter()
        .fold(Buttress::new(), |root, name| root.policy(name, policy))
}

#[tokio::test]
async fn a_dependency_is_shown_and_fails_readiness_only_where_it_is_required() {
    let root = root();
    let serving = root.serving(["db"]).unwrap();
    let (base, client) = (serve(pages(&serving)).await, hyper());
    let page = async |page: &str| see(&client, format!("{base}/{page}")).await;

    assert_eq!(page("readyz").await, (200, "ok".into()));
    let _mail = broken(&root, "mail").await;
    assert_eq!(page("readyz").await, (200, "ok".into()));
    let verbose =
        "[+]shutdown ok\n[-]mail failed: 0 of 1 take calls; not required\nreadyz check passed\n";
    assert_eq!(page("readyz?verbose").await, (200, verbose.into()));

    let _db = broken(&root, "db").await;
    let failed = "[-]db failed: 0 of 1 take calls\nreadyz check failed\n";
    assert_eq!(page("readyz").await, (503, failed.into()));
    assert_eq!(page("livez").await, (200, "ok".into()));
    assert_eq!(
        page("livez?verbose").await,
        (200, "livez check passed\n".into())
    );

    root.handle("db").unwrap().reset();
    assert_eq!(page("readyz").await, (200, "ok".into()));
}

#[tokio::test]
async fn pages_are_read_and_not_written_and_never_kept() {
    let serving = root().serving([]).unwrap();
    let (base, client) = (serve(pages(&serving)).await, hyper());
    let uri = format!("{base}/livez");
    let (head, body) = ask(&client, Method::HEAD, uri.clone()).await;
    assert_eq!((head.status(), body), (StatusCode::OK, String::new()));
    assert_eq!(head.headers()["cache-control"], "no-store");
    let (post, _) = ask(&client, Method::POST, uri).await;
    assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(post.headers()["allow"], "GET, HEAD");
}

#[tokio::test]
async fn who_drains_is_not_ready_and_answers_what_comes_until_it_stops_and_what_it_has_begun() {
    let serving = Buttress::new().serving([]).unwrap();
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (begun, go) = (Arc::clone(&begun), Arc::clone(&go));
        move || async move {
            begun.notify_one();
            go.notified().await;
            "done"
        }
    };
    let app = pages(&serving)
        .route("/slow", get(slow))
        .route("/quick", get(async || "quick"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    // Until everybody knows. A test says when; a server waits for some seconds.
    let (known, draining) = (Arc::new(Notify::new()), serving.clone());
    let told = Arc::clone(&known);
    let stop = async move {
        draining.draining().await;
        told.notified().await;
    };
    let server = tokio::spawn(
        axum::serve(listener, app)
            .with_graceful_shutdown(stop)
            .into_future(),
    );

    let client = hyper();
    let under_way = tokio::spawn({
        let (client, uri) = (client.clone(), format!("{base}/slow"));
        async move { see(&client, uri).await }
    });
    begun.notified().await;
    serving.drain();
    let (status, body) = see(&client, format!("{base}/readyz")).await;
    assert_eq!(
        (status, &*body),
        (503, "[-]shutdown failed: draining\nreadyz check failed\n")
    );
    assert_eq!(see(&client, format!("{base}/livez")).await.0, 200);
    assert_eq!(see(&client, format!("{base}/quick")).await.0, 200);

    known.notify_one();
    // It has stopped listening when nobody new gets in.
    while tokio::net::TcpStream::connect(base.trim_start_matches("http://"))
        .await
        .is_ok()
    {
        tokio::task::yield_now().await;
    }
    assert!(!server.is_finished(), "a call is under way");
    go.notify_one();
    assert_eq!(under_way.await.unwrap(), (200, "done".into()));
    server.await.unwrap().unwrap();
}

async fn health(base: &str) -> HealthClient<Channel> {
    HealthClient::new(
        Channel::from_shared(base.to_owned())
            .unwrap()
            .connect_lazy(),
    )
}

fn about(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.into(),
    }
}

/// Both ways to serve it: tonic's, and axum's.
async fn both(serving: &Serving) -> [String; 2] {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tonic = format!("http://{}", listener.local_addr().unwrap());
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let server = Server::builder().add_service(serving.grpc());
    tokio::spawn(server.serve_with_incoming(incoming));
    let route = post_service(serving.grpc());
    let axum = Router::new().route("/grpc.health.v1.Health/{*rest}", route);
    [tonic, serve(axum).await]
}

#[tokio::test]
async fn grpc_health_is_what_tonics_own_client_expects() {
    let serving = Buttress::new().serving([]).unwrap();
    serving.offer("inventory.v1.Inventory");
    serving.withdraw("orders.v1.Orders");
    for base in both(&serving).await {
        let mut client = health(&base).await;
        for (name, status) in [
            ("", ServingStatus::Serving),
            ("inventory.v1.Inventory", ServingStatus::Serving),
            ("orders.v1.Orders", ServingStatus::NotServing),
        ] {
            let answer = client.check(about(name)).await.unwrap();
            assert_eq!(answer.into_inner().status(), status, "{name}");
        }
        let unknown = client.check(about("nobody")).await.unwrap_err();
        assert_eq!(unknown.code(), tonic::Code::NotFound);
        let long = client.check(about(&"x".repeat(5_000))).await.unwrap_err();
        assert_eq!(long.code(), tonic::Code::InvalidArgument);
    }
}

#[tokio::test]
async fn who_watches_hears_of_each_change_and_of_the_end() {
    let serving = Buttress::new().serving([]).unwrap();
    let mut streams = Vec::new();
    for base in both(&serving).await {
        let watched = health(&base).await.watch(about("a.A")).await.unwrap();
        streams.push(watched.into_inner());
    }
    let mut all = async |expected: ServingStatus| {
        for stream in &mut streams {
            let said = stream.message().await.unwrap().unwrap();
            assert_eq!(said.status(), expected);
        }
    };
    all(ServingStatus::ServiceUnknown).await;
    serving.offer("a.A");
    all(ServingStatus::Serving).await;
    serving.withdraw("a.A");
    all(ServingStatus::NotServing).await;
    serving.offer("a.A");
    all(ServingStatus::Serving).await;
    serving.drain();
    all(ServingStatus::NotServing).await;
    for stream in &mut streams {
        let end = stream.message().await.unwrap_err();
        assert_eq!(end.code(), tonic::Code::Unavailable);
    }
}

#[tokio::test]
async fn who_watches_hears_of_a_local_check_though_it_tells_nobody() {
    let serving = Buttress::new().serving([]).unwrap();
    let ready = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&ready);
    serving.ready_while("cache", move || asked.load(Ordering::SeqCst));
    let [base, _] = both(&serving).await;
    let watched = health(&base).await.watch(about("")).await.unwrap();
    let mut stream = watched.into_inner();
    let mut next = async || stream.message().await.unwrap().unwrap().status();
    assert_eq!(next().await, ServingStatus::NotServing);
    ready.store(true, Ordering::SeqCst);
    assert_eq!(next().await, ServingStatus::Serving);
}

/// A handler that panics, under a guard, with a layer that catches it inside or outside of the guard.
async fn panicking(outside: bool) {
    async fn panics() -> Response<Body> {
        panic!("secret")
    }
    let layer = GuardLayer::new("orders", Http);
    let handler = Router::new()
        .route("/panics", get(panics))
        .route("/well", get(async || "well"));
    let app = if outside {
        handler.layer(layer.clone()).layer(CatchPanicLayer::new())
    } else {
        handler.layer(CatchPanicLayer::new()).layer(layer.clone())
    };
    let (base, accepted) = counting(app).await;
    let client = hyper();
    for _ in 0..3 {
        let (answer, body) = ask(&client, Method::GET, format!("{base}/panics")).await;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let problem: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (&problem["status"], &problem["reason"]),
            (&500.into(), &"panicked".into())
        );
        assert!(!body.contains("secret"));
        let well = see(&client, format!("{base}/well")).await;
        assert_eq!(well, (200, "well".into()));
    }
    let connections = accepted.load(Ordering::SeqCst);
    assert_eq!(connections, 1, "the connection lives");
    let counts = layer.handle().snapshot().counts;
    assert_eq!(
        (
            counts.failures.of(Cause::Panic),
            counts.failures.total(),
            counts.successes,
            counts.in_flight()
        ),
        (3, 3, 3, 0),
        "outside: {outside}"
    );
}

/// Serves it, and counts connections.
async fn counting(app: Router) -> (String, Arc<std::sync::atomic::AtomicU32>) {
    struct Counted(TcpListener, Arc<std::sync::atomic::AtomicU32>);

    impl axum::serve::Listener for Counted {
        type Io = tokio::net::TcpStream;
        type Addr = std::net::SocketAddr;

        async fn accept(&mut self) -> (Self::Io, Self::Addr) {
            let accepted = axum::serve::Listener::accept(&mut self.0).await;
            self.1.fetch_add(1, Ordering::SeqCst);
            accepted
        }

        fn local_addr(&self) -> std::io::Result<Self::Addr> {
            self.0.local_addr()
        }
    }

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let accepted = Arc::default();
    let counted = Counted(listener, Arc::clone(&accepted));
    tokio::spawn(async move { axum::serve(counted, app).await });
    (base, accepted)
}

#[tokio::test]
async fn a_panic_is_answered_and_counted_once_wherever_it_is_caught() {
    panicking(true).await;
    panicking(false).await;
}

#[tokio::test]
async fn without_anybody_to_catch_it_a_panic_cuts_the_connection_and_is_counted_all_the_same() {
    async fn panics() -> Response<Body> {
        panic!("secret")
    }
    let layer = GuardLayer::new("orders", Http);
    let base = serve(Router::new().route("/", get(panics)).layer(layer.clone())).await;
    let request = Request::get(&base).body(Full::<Bytes>::default()).unwrap();
    assert!(hyper().request(request).await.is_err());
    let counts = layer.handle().snapshot().counts;
    assert_eq!(counts.failures.of(Cause::Panic), 1);
}

#[tokio::test]
async fn a_tenant_with_too_many_calls_is_told_so() {
    let policy = Policy::new().limit(LimitPolicy::concurrency(1));
    let layer = GuardLayer::with_policy("orders", Http.too_many_requests(), &policy)
        .unwrap()
        .by(|request: &Request<Body>| Key::from(request.uri().path()));
    let app = Router::new()
        .route("/{tenant}", get(async || "well"))
        .layer(layer.clone());
    let (base, client) = (serve(app).await, hyper());
    let tenants = ["a", "b"].map(|tenant| format!("{base}/{tenant}"));
    assert_eq!(see(&client, tenants[0].clone()).await, (200, "well".into()));
    let held = layer.handles().find("/a").unwrap().admit().unwrap();
    let (refused, body) = ask(&client, Method::GET, tenants[0].clone()).await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (429, &"1".parse().unwrap())
    );
    assert!(
        body.contains(r#""title":"Too Many Requests","status":429"#),
        "{body}"
    );
    assert!(body.contains(r#""reason":"concurrency""#), "{body}");
    assert_eq!(see(&client, tenants[1].clone()).await, (200, "well".into()));
    drop(held);
    assert_eq!(see(&client, tenants[0].clone()).await, (200, "well".into()));
}
