//! reqwest's client, guarded and over replicas, with its own types.
//!
//! ```text
//! cargo run --example reqwest_client
//! ```
//!
//! The claim: a call outlives a dead replica and still knows its URL; a POST is sent twice to nobody; and what is refused says so in a response.

use std::{process::ExitCode, time::Duration};

use axum::{
    Router,
    http::StatusCode,
    routing::{get, post},
};
use buttress::{At, Buttress, HealthPolicy, Http, Policy, Redundancy, Refusal, fixed};
use reqwest::{Client, Method, Request};
use tokio::net::TcpListener;
use tower::{BoxError, Layer as _, ServiceExt as _};

#[tokio::main]
async fn main() -> Result<ExitCode, BoxError> {
    let app = Router::new()
        .route("/v1/stock", get(async || "12 left"))
        .route("/v1/orders", post(async || StatusCode::BAD_GATEWAY));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let well = format!("http://{}/v1", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });
    // Nobody listens there any more.
    let dead = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let dead = format!("http://{dead}/v1");

    let buttress = Buttress::new()
        .policy(
            "shop",
            Policy::new()
                .deadline(Duration::from_secs(2))
                .redundancy(Redundancy::failover(3)),
        )
        .policy("lone", Policy::new().health(HealthPolicy::consecutive(1)));
    let client = Client::builder().no_proxy().build()?;

    let mut held = true;
    let mut claim = |what: &str, holds: bool| {
        println!("{} {what}", if holds { "yes" } else { "NO " });
        held &= holds;
    };

    // Two base addresses are replicas of one another: requests name neither.
    let replicas = fixed([&*dead, &*well])?;
    let to = client.clone();
    let shop = buttress.dispatch("shop", Http, replicas, move |endpoint| {
        At::new(endpoint, to.clone())
    })?;
    let mut answered = 0;
    for _ in 0..20 {
        let request = Request::new(Method::GET, "http://shop/stock".parse()?);
        let answer = shop.clone().oneshot(request).await?;
        let located = answer.url().as_str() == format!("{well}/stock");
        answered += u32::from(located && answer.text().await? == "12 left");
    }
    claim(
        "20 of 20 calls are answered, and say by whom",
        answered == 20,
    );

    let before = shop.handles().find(&well)?.snapshot().counts.started;
    let order = Request::new(Method::POST, "http://shop/orders".parse()?);
    let status = shop.clone().oneshot(order).await?.status();
    let sent = shop.handles().find(&well)?.snapshot().counts.started - before;
    claim(
        "a POST that failed was sent once",
        status == 502 && sent == 1,
    );

    // One service, and no other to ask.
    let lone = buttress.guard("lone", Http)?.layer(client);
    let ask = async || {
        let request = Request::new(Method::GET, dead.parse()?);
        Ok::<_, BoxError>(lone.clone().oneshot(request).await)
    };
    let failed = ask().await?;
    claim(
        "without a replica the error is reqwest's own",
        failed.is_err_and(|error| error.is_connect()),
    );
    let refused = ask().await??;
    let ours = matches!(refused.extensions().get(), Some(Refusal::Open { .. }));
    claim(
        "then nobody is asked for a while",
        ours && refused.status() == 503,
    );
    println!("    {}", refused.text().await?.trim());
    Ok(if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
