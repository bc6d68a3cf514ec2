//! One replica of the inventory, on a socket of its own, that does as it is told.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    time::Duration,
};

use buttress_inventory::{
    CountReply, CountRequest, RestockReply, RestockRequest, WatchRequest,
    inventory_server::{Inventory, InventoryServer},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, task::JoinSet, time::timeout};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{
    Code, Request, Response, Status, Streaming,
    codegen::Service,
    metadata::{MetadataMap, MetadataValue},
};

/// What it does with the next call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Answer,
    /// Fails, before anything is said; perhaps pushing back.
    Fail(Code, Option<&'static str>),
    /// Never answers.
    Hang,
    /// Streams one message and then nothing, or so many milliseconds between messages.
    Every(u64),
    /// Streams one message and then fails.
    FailAfterOne(Code),
}

/// The replica, from without.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replica {
    acts: Arc<Mutex<VecDeque<Act>>>,
    always: Arc<Mutex<Option<Act>>>,
    seen: Arc<Mutex<Vec<MetadataMap>>>,
    connections: Arc<Mutex<JoinSet<()>>>,
    /// After how many milliseconds a connection says that it takes no more calls.
    lives: Option<u64>,
}

impl Replica {
    pub(crate) fn always(act: Act) -> Self {
        let replica = Self::default();
        *replica.always.lock().unwrap() = Some(act);
        replica
    }

    /// Its connections end after so many milliseconds, in order: by GOAWAY.
    pub(crate) fn graceful(millis: u64) -> Self {
        Self {
            lives: Some(millis),
            ..Self::default()
        }
    }

    pub(crate) fn once(self, act: Act) -> Self {
        self.acts.lock().unwrap().push_back(act);
        self
    }

    /// The metadata of the calls so far.
    pub(crate) fn seen(&self) -> Vec<MetadataMap> {
        self.seen.lock().unwrap().clone()
    }

    fn next(&self, metadata: &MetadataMap) -> Act {
        self.seen.lock().unwrap().push(metadata.clone());
        let next = self.acts.lock().unwrap().pop_front();
        next.or(*self.always.lock().unwrap()).unwrap_or(Act::Answer)
    }

    /// Serves, and says where.
    pub(crate) async fn serve(&self) -> String {
        self.serve_with(InventoryServer::new(self.clone())).await
    }

    /// The same through layers.
    pub(crate) async fn serve_with<S, B>(&self, service: S) -> String
    where
        S: Service<
                http::Request<hyper::body::Incoming>,
                Response = http::Response<B>,
                Error = Infallible,
            > + Clone
            + Send
            + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (connections, lives) = (Arc::clone(&self.connections), self.lives);
        let accepting = async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = TowerToHyperService::new(service.clone());
                let builder = auto::Builder::new(TokioExecutor::new()).http2_only();
                connections.lock().unwrap().spawn(async move {
                    let mut connection =
                        pin!(builder.serve_connection(TokioIo::new(stream), service));
                    if let Some(millis) = lives {
                        let life = Duration::from_millis(millis);
                        if timeout(life, connection.as_mut()).await.is_ok() {
                            return;
                        }
                        connection.as_mut().graceful_shutdown();
                    }
                    let _ = connection.await;
                });
            }
        };
        self.connections.lock().unwrap().spawn(accepting);
        address
    }

    /// Closes all sockets.
    pub(crate) fn kill(&self) {
        self.connections.lock().unwrap().abort_all();
    }
}

fn failure(code: Code, pushback: Option<&'static str>) -> Status {
    let mut status = Status::new(code, "as it is told");
    if let Some(pushback) = pushback {
        let value = MetadataValue::from_static(pushback);
        status
            .metadata_mut()
            .insert("grpc-retry-pushback-ms", value);
    }
    status
}

fn reply(count: u64) -> CountReply {
    CountReply {
        count,
        replica: String::new(),
    }
}

#[tonic::async_trait]
impl Inventory for Replica {
    async fn count(&self, request: Request<CountRequest>) -> Result<Response<CountReply>, Status> {
        match self.next(request.metadata()) {
            Act::Answer => Ok(Response::new(reply(7))),
            Act::Fail(code, pushback) => Err(failure(code, pushback)),
            Act::Hang => std::future::pending().await,
            act => Err(Status::internal(format!("{act:?} is no answer"))),
        }
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<CountReply, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let act = self.next(request.metadata());
        let changes = request.get_ref().changes;
        let counts = tokio_stream::iter((0..changes).map(|count| Ok(reply(count.into()))));
        Ok(Response::new(match act {
            Act::Answer => Box::pin(counts),
            Act::Every(millis) => Box::pin(counts.throttle(Duration::from_millis(millis))),
            Act::Hang => Box::pin(counts.take(1).chain(tokio_stream::pending())),
            Act::FailAfterOne(code) => Box::pin(
                counts
                    .take(1)
                    .chain(tokio_stream::once(Err(failure(code, None)))),
            ),
            Act::Fail(code, pushback) => Box::pin(tokio_stream::once(Err(failure(code, pushback)))),
        }))
    }

    async fn restock(
        &self,
        request: Request<Streaming<RestockRequest>>,
    ) -> Result<Response<RestockReply>, Status> {
        let metadata = request.metadata().clone();
        let mut items = request.into_inner();
        let first = items.message().await?;
        let act = self.next(&metadata);
        let (mut messages, mut total) = (0, 0);
        if let Act::Hang = act {
            return std::future::pending().await;
        }
        let mut item = first;
        while let Some(RestockRequest { count, .. }) = item {
            messages += 1;
            total += count;
            item = items.message().await?;
        }
        match act {
            Act::Fail(code, pushback) => Err(failure(code, pushback)),
            _ => Ok(Response::new(RestockReply { messages, total })),
        }
    }
}
