//! A generated tonic client, and the server it calls.

use std::{net::SocketAddr, pin::Pin};

use ::tonic::{
    Request, Response, Status, Streaming,
    body::Body,
    client::GrpcService,
    transport::{Endpoint, Server, server::TcpIncoming},
};
use buttress_inventory::{
    CountReply, CountRequest, RestockReply, RestockRequest, WatchRequest,
    inventory_client::InventoryClient,
    inventory_server::{Inventory, InventoryServer},
};
use bytes::Bytes;
use tower::{BoxError, ServiceExt as _, service_fn, util::BoxCloneSyncService};

use crate::{
    axum::{address, listener},
    stack::Stack,
    stacks,
    traffic::{Seen, Traffic, drive},
};

/// In all stacks alike, for each has a type of its own.
pub(crate) type Boxed = BoxCloneSyncService<CountRequest, u64, BoxError>;

/// What each request is sent by.
#[derive(Clone)]
pub(crate) struct Sender(Boxed);

/// To be called within a runtime. It connects when it is first used.
pub(crate) fn client(stack: Stack, address: &str) -> Result<Sender, String> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"));
    let endpoint = endpoint.map_err(|error| error.to_string())?;
    let channel = endpoint.tcp_nodelay(true).connect_lazy();
    Ok(Sender(stacks::tonic(stack, channel, address)?))
}

/// The generated client over a service.
pub(crate) fn boxed<S>(service: S) -> Boxed
where
    S: GrpcService<Body> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    S::ResponseBody: http_body::Body<Data = Bytes> + Send + 'static,
    <S::ResponseBody as http_body::Body>::Error: Into<BoxError> + Send,
{
    let client = InventoryClient::new(service);
    BoxCloneSyncService::new(service_fn(move |request: CountRequest| {
        let mut client = client.clone();
        async move {
            let reply = client.count(request).await?;
            Ok(reply.into_inner().count)
        }
    }))
}

impl Traffic for Sender {
    async fn send(&mut self, requests: u32) -> Result<Seen, String> {
        drive(self, requests, |sender: Self| async {
            let request = CountRequest {
                item: "bolts".to_owned(),
            };
            match sender.0.oneshot(request).await {
                Ok(7) => Ok(()),
                Ok(other) => Err(format!("{other} is not what was asked for")),
                Err(error) => Err(error.to_string()),
            }
        })
        .await
    }
}

/// Where, and what serves until the process ends.
pub(crate) async fn serve() -> Result<(SocketAddr, impl Future<Output = Result<(), String>>), String>
{
    let listener = listener().await?;
    let address = address(&listener)?;
    let served = Server::builder()
        .add_service(InventoryServer::new(Store))
        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)));
    Ok((address, async {
        served.await.map_err(|error| error.to_string())
    }))
}

#[derive(Clone, Copy)]
struct Store;

type Watching = Pin<Box<dyn tokio_stream::Stream<Item = Result<CountReply, Status>> + Send>>;

#[::tonic::async_trait]
impl Inventory for Store {
    type WatchStream = Watching;

    async fn count(&self, _: Request<CountRequest>) -> Result<Response<CountReply>, Status> {
        Ok(Response::new(CountReply {
            count: 7,
            replica: String::new(),
        }))
    }

    async fn watch(&self, _: Request<WatchRequest>) -> Result<Response<Watching>, Status> {
        Err(Status::unimplemented("not of this bench"))
    }

    async fn restock(
        &self,
        _: Request<Streaming<RestockRequest>>,
    ) -> Result<Response<RestockReply>, Status> {
        Err(Status::unimplemented("not of this bench"))
    }
}
