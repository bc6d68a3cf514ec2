//! An axum server.

use std::net::{Ipv4Addr, SocketAddr};

use ::axum::{Router, routing::get};
use tokio::net::TcpListener;

use crate::{stack::Stack, stacks};

/// Says where, and serves until the process ends.
pub(crate) async fn serve(stack: Stack) -> Result<(), String> {
    let app = stacks::axum(stack, app())?;
    let listener = listener().await?;
    println!("{}", address(&listener)?);
    let served = ::axum::serve(listener, app).await;
    served.map_err(|error| error.to_string())
}

pub(crate) fn app() -> Router {
    Router::new().route("/", get(async || "as many as you like"))
}

pub(crate) async fn listener() -> Result<TcpListener, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    listener.map_err(|error| error.to_string())
}

pub(crate) fn address(listener: &TcpListener) -> Result<SocketAddr, String> {
    listener.local_addr().map_err(|error| error.to_string())
}
