//! An axum server: a guard per route, health pages, panics answered, and an end that loses nothing.
//!
//! ```text
//! cargo run --example axum_server
//! ```
//!
//! The claim: slow handlers are given up in time, more than can be done is turned away, and a call under way when the server is told to stop
//! is answered.

use std::{process::ExitCode, time::Duration};

use axum::{
    Router,
    extract::Path,
    routing::{get, post},
};
use buttress::{Buttress, CatchPanicLayer, Cause, Http, LimitPolicy, Policy, Serving};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{net::TcpListener, time::sleep};
use tower::BoxError;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// How long until whoever sends calls has read that this server drains: some seconds in earnest.
const NOTICED_WITHIN: Duration = Duration::from_millis(200);

async fn place(Path(millis): Path<u64>) -> String {
    sleep(MS(millis)).await;
    format!("placed after {millis} ms\n")
}

async fn search() -> &'static str {
    panic!("an index that is not there")
}

/// All there is to write.
fn app(buttress: &Buttress, serving: &Serving) -> Result<Router, BoxError> {
    Ok(Router::new()
        .route(
            "/orders/{millis}",
            post(place).route_layer(buttress.guard("orders", Http)?),
        )
        .route(
            "/search",
            get(search).route_layer(buttress.guard("search", Http)?),
        )
        .layer(CatchPanicLayer::new())
        .route_service("/livez", serving.livez())
        .route_service("/readyz", serving.readyz()))
}

#[tokio::main]
async fn main() -> Result<ExitCode, BoxError> {
    let buttress = Buttress::new()
        .policy(
            "orders",
            Policy::new()
                .deadline(MS(500))
                .limit(LimitPolicy::concurrency(4)),
        )
        .policy("search", Policy::new().deadline(MS(100)));
    let serving = buttress.serving([])?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}", listener.local_addr()?);

    // It says that it is not ready, waits until that is known, takes no more connections, and ends what is under way.
    let stop = {
        let serving = serving.clone();
        async move {
            serving.draining().await;
            sleep(NOTICED_WITHIN).await;
        }
    };
    let server = axum::serve(listener, app(&buttress, &serving)?).with_graceful_shutdown(stop);
    let server = tokio::spawn(server.into_future());

    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let ask = |method: Method, path: &str| {
        let (client, uri) = (client.clone(), format!("{base}{path}"));
        async move {
            let request = Request::builder()
                .method(method)
                .uri(uri)
                .body(Empty::new())?;
            let answer = client.request(request).await?;
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await?.to_bytes();
            Ok::<_, BoxError>((status, String::from_utf8_lossy(&body).into_owned()))
        }
    };
    let mut held = true;
    let mut show = |what: &str, (status, body): &(u16, String), expected: u16| {
        println!("{what}: {status} {}", body.trim());
        held &= *status == expected;
    };

    show("an order", &ask(Method::POST, "/orders/10").await?, 200);
    show(
        "a slow one",
        &ask(Method::POST, "/orders/60000").await?,
        504,
    );
    let many: Vec<_> = (0..20)
        .map(|_| tokio::spawn(ask(Method::POST, "/orders/100")))
        .collect();
    let (mut placed, mut refused) = (0, None);
    for one in many {
        match one.await?? {
            (200, _) => placed += 1,
            other => refused = Some(other),
        }
    }
    println!("20 at once: {placed} placed");
    show("  the others", &refused.unwrap_or_default(), 503);
    show("a panic", &ask(Method::GET, "/search").await?, 500);
    let panics = buttress.handle("search")?.snapshot().counts.failures;
    println!("  counted: {} panic", panics.of(Cause::Panic));
    show("ready", &ask(Method::GET, "/readyz?verbose").await?, 200);

    let under_way = tokio::spawn(ask(Method::POST, "/orders/400"));
    while buttress.handle("orders")?.snapshot().counts.in_flight() == 0 {
        sleep(MS(1)).await;
    }
    serving.drain();
    show("told to stop", &ask(Method::GET, "/readyz").await?, 503);
    show(
        "  an order until that is known",
        &ask(Method::POST, "/orders/1").await?,
        200,
    );
    show("  the one under way", &under_way.await??, 200);
    server.await??;
    println!("  stopped");
    Ok(if held && placed == 4 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
