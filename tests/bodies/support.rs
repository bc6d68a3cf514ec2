//! Servers that do as they are told, and clients.

use std::{
    collections::VecDeque,
    error::Error,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, body::Body};
use buttress::Endpoint;
use bytes::Bytes;
use http::Request;
use http_body::Frame;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
};

pub type BoxError = Box<dyn Error + Send + Sync>;

pub type Hyper<B = Body> = Client<HttpConnector, B>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    One,
    Two,
}

pub const BOTH: [Version; 2] = [Version::One, Version::Two];

pub fn hyper<B>(version: Version) -> Hyper<B>
where
    B: http_body::Body<Data: Send> + Send,
{
    Client::builder(TokioExecutor::new())
        .http2_only(version == Version::Two)
        .build_http()
}

pub async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

/// Does the same with every connection.
pub async fn raw<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    format!("http://{address}")
}

/// Answers the first bytes of each connection with these, and closes it, or resets it.
pub async fn answering(answer: &'static [u8], reset: bool) -> String {
    raw(move |mut stream| async move {
        let mut asked = [0; 1024];
        if stream.read(&mut asked).await.is_ok() && stream.write_all(answer).await.is_ok() {
            close(stream, reset);
        }
    })
    .await
}

pub fn close(stream: TcpStream, reset: bool) {
    if reset {
        // No lingering: what was not sent is thrown away, and the peer is told so.
        stream.set_zero_linger().unwrap();
    }
    drop(stream);
}

/// An address where nobody listens, nor will: it stays taken.
pub fn nobody() -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    std::mem::forget(socket);
    format!("http://{address}")
}

pub fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::empty()).unwrap()
}

/// Waits until something is so, which nothing tells of.
pub async fn until(is: impl Fn() -> bool) {
    let asked = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asked)
        .await
        .expect("it never is");
}

/// A body of these frames, and then nothing, for ever if it stalls.
pub struct Frames {
    pub frames: VecDeque<Result<Frame<Bytes>, BoxError>>,
    pub stalls: bool,
    /// Before an error, it waits once: what was said before is sent then.
    pub waited: bool,
}

impl Frames {
    pub fn new<const N: usize>(frames: [Result<Frame<Bytes>, BoxError>; N]) -> Self {
        Self {
            frames: frames.into(),
            stalls: false,
            waited: false,
        }
    }

    pub fn stalling(mut self) -> Self {
        self.stalls = true;
        self
    }
}

pub fn data(text: &'static str) -> Result<Frame<Bytes>, BoxError> {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if matches!(self.frames.front(), Some(Err(_))) && !self.waited {
            self.waited = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match self.frames.pop_front() {
            None if self.stalls => Poll::Pending,
            frame => Poll::Ready(frame),
        }
    }
}

/// A client whose requests go to one endpoint.
pub struct Towards<B>(pub Hyper<B>, pub String);

impl<B> Clone for Towards<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), self.1.clone())
    }
}

impl<B> Towards<B> {
    pub fn new(client: &Hyper<B>, endpoint: &Endpoint) -> Self {
        Self(client.clone(), endpoint.address().to_owned())
    }
}

impl<B> tower::Service<Request<B>> for Towards<B>
where
    B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    type Response = http::Response<hyper::body::Incoming>;
    type Error = hyper_util::client::legacy::Error;
    type Future = hyper_util::client::legacy::ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        *request.uri_mut() = format!("{}{}", self.1, request.uri().path())
            .parse()
            .expect("a checked address");
        self.0.request(request)
    }
}
