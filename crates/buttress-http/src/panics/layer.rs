//! Makes [`CatchPanic`]s.

use tower_layer::Layer;

use super::CatchPanic;

/// Answers in the place of a service that panics, in `call` or while it is polled: 500 and a problem, or `INTERNAL` where gRPC asked.
/// Without it, whoever called finds the connection cut, and on HTTP/2 every other call on it as well.
///
/// Outside of a guard or within, one panic is counted as one failure of [`Cause::Panic`](buttress_core::Cause::Panic), and the answer says
/// nothing of it but [`Panicked`](super::Panicked), in its extensions. What the panic says goes where the panic hook sends it.
/// Put it outside of everything, so that layers that panic are answered for, too. Panics in a body come too late to be answered.
///
/// # Examples
///
/// ```
/// use buttress_http::CatchPanicLayer;
/// use http::{Request, Response};
/// use http_body_util::Empty;
/// use tower_layer::Layer;
/// use tower_service::Service;
///
/// # #[derive(Clone)] struct Handler;
/// # impl Service<Request<()>> for Handler {
/// #     type Response = Response<Empty<bytes::Bytes>>; type Error = std::convert::Infallible;
/// #     type Future = std::future::Ready<Result<Self::Response, Self::Error>>;
/// #     fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> { std::task::Poll::Ready(Ok(())) }
/// #     fn call(&mut self, _: Request<()>) -> Self::Future { panic!("of a handler") }
/// # }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let answer = CatchPanicLayer::new().layer(Handler).call(Request::new(())).await.unwrap();
/// assert_eq!(answer.status(), 500);
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CatchPanicLayer(());

impl CatchPanicLayer {
    /// It has nothing to say.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for CatchPanicLayer {
    type Service = CatchPanic<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CatchPanic(inner)
    }
}
