//! Where the network of others ends, and ours begins.

use std::task::{Context, Poll};

use http::{HeaderName, Request};
use tower_layer::Layer;
use tower_service::Service;

use crate::{ATTEMPT_HEADER, BUDGET_HEADER, DEADLINE_HEADER, EPOCH_HEADER};

/// What only hops of our own may say: how long they wait, which send it is, whether there may be more, who the primary is.
///
/// A client's own words are not among them: an `Idempotency-Key`, a `grpc-timeout`.
const OURS: [HeaderName; 6] = [
    DEADLINE_HEADER,
    ATTEMPT_HEADER,
    BUDGET_HEADER,
    EPOCH_HEADER,
    HeaderName::from_static("grpc-previous-rpc-attempts"),
    HeaderName::from_static("grpc-retry-pushback-ms"),
];

/// For servers at the edge: takes from requests what only hops of our own may say.
///
/// Most of it can do no more than make the sender's own request less sure, but what is passed on is believed by every server behind this
/// one, and told in its figures. An epoch can do more: a [`Fence`](buttress_core::Fence) that lets a made-up one pass shuts the primary out. It goes above every guard, for guards read it.
///
/// Stripped: [`DEADLINE_HEADER`], [`ATTEMPT_HEADER`], [`BUDGET_HEADER`], [`EPOCH_HEADER`], `grpc-previous-rpc-attempts`, `grpc-retry-pushback-ms`. Kept: what
/// clients say for themselves, as `Idempotency-Key` and `grpc-timeout`.
///
/// # Examples
///
/// ```
/// # use tower_layer::Layer as _;
/// use buttress_http::TrustBoundaryLayer;
///
/// # struct Server;
/// let edge = TrustBoundaryLayer::new().layer(Server);
/// # let _ = edge;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrustBoundaryLayer {
    _private: (),
}

/// A service at the edge. See [`TrustBoundaryLayer`].
#[derive(Clone, Copy, Debug)]
pub struct TrustBoundary<S> {
    inner: S,
}

impl TrustBoundaryLayer {
    /// Nobody outside is trusted.
    #[must_use]
    pub const fn new() -> Self {
        Self { _private: () }
    }
}

impl<S> Layer<S> for TrustBoundaryLayer {
    type Service = TrustBoundary<S>;

    fn layer(&self, inner: S) -> TrustBoundary<S> {
        TrustBoundary { inner }
    }
}

impl<S, B> Service<Request<B>> for TrustBoundary<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        for name in &OURS {
            request.headers_mut().remove(name);
        }
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        future::{Ready, ready},
    };

    use buttress_core::{Call, Describe as _};
    use http::HeaderMap;

    use super::*;
    use crate::Http;

    #[derive(Clone)]
    struct Echo;

    impl Service<Request<()>> for Echo {
        type Response = (HeaderMap, Call);
        type Error = Infallible;
        type Future = Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<()>) -> Self::Future {
            let call = Http.call(&request);
            ready(Ok((request.headers().clone(), call)))
        }
    }

    #[tokio::test]
    async fn what_only_our_hops_may_say_is_taken_and_the_rest_is_kept() {
        let mut request = Request::new(());
        for name in OURS {
            request.headers_mut().append(&name, "2".parse().unwrap());
            request
                .headers_mut()
                .append(&name, "spent".parse().unwrap());
        }
        let told = Http.call(&request);
        assert!(told.extra && told.within.is_some());
        let key = HeaderName::from_static("idempotency-key");
        request.headers_mut().insert(&key, "k1".parse().unwrap());
        let mut edge = TrustBoundaryLayer::new().layer(Echo);
        let (headers, call) = edge.call(request).await.unwrap();
        assert_eq!(call, Call::new());
        assert_eq!(headers.keys().collect::<Vec<_>>(), [&key]);
    }
}
