//! A hyper client.

use bytes::Bytes;
use http::{Request, Response, Uri, uri::InvalidUri};
use http_body::Body;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{BoxError, Service, ServiceExt as _, service_fn, util::BoxCloneSyncService};

use crate::{
    stack::Stack,
    stacks,
    traffic::{Seen, Traffic, drive},
};

type Asked = Request<Empty<Bytes>>;

pub(crate) type HyperClient = Client<HttpConnector, Empty<Bytes>>;

/// In all stacks alike, for each has a type of its own.
pub(crate) type Boxed = BoxCloneSyncService<Asked, (), BoxError>;

/// What each request is sent by.
#[derive(Clone)]
pub(crate) struct Sender {
    service: Boxed,
    uri: Uri,
}

pub(crate) fn client(stack: Stack, address: &str) -> Result<Sender, String> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let uri = format!("http://{address}/").parse();
    Ok(Sender {
        service: stacks::hyper(stack, client, address)?,
        uri: uri.map_err(|error: InvalidUri| error.to_string())?,
    })
}

/// A call is over when its body is.
pub(crate) fn boxed<S, B>(service: S) -> Boxed
where
    S: Service<Asked, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body + Send,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    BoxCloneSyncService::new(service_fn(move |request: Asked| {
        let service = service.clone();
        async move {
            let response = service.oneshot(request).await.map_err(Into::into)?;
            let body = response.into_body().collect().await.map_err(Into::into)?;
            match body.to_bytes().len() {
                0 => Err("an empty answer".into()),
                _ => Ok(()),
            }
        }
    }))
}

impl Traffic for Sender {
    async fn send(&mut self, requests: u32) -> Result<Seen, String> {
        drive(self, requests, |sender: Self| async {
            let mut request = Request::new(Empty::new());
            *request.uri_mut() = sender.uri;
            let answer = sender.service.oneshot(request).await;
            answer.map_err(|error| error.to_string())
        })
        .await
    }
}
