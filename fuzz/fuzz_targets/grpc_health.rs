//! What a health service answers.

#![no_main]

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    pin::pin,
    task::{Context, Poll, Waker},
};

use buttress_core::{Endpoint, Outcome};
use buttress_http::GrpcProbe;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full, combinators::WithTrailers};
use libfuzzer_sys::fuzz_target;

/// Answers so, and that all is well.
struct Says(Bytes);

type Trailers = Ready<Option<Result<HeaderMap, Infallible>>>;

impl tower_service::Service<Request<Full<Bytes>>> for Says {
    type Response = Response<WithTrailers<Full<Bytes>, Trailers>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Full<Bytes>>) -> Self::Future {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let body = Full::new(self.0.clone()).with_trailers(ready(Some(Ok(trailers))));
        ready(Ok(Response::new(body)))
    }
}

fuzz_target!(|answer: &[u8]| {
    let answer = Bytes::copy_from_slice(answer);
    let said = answer.clone();
    let ask = GrpcProbe::service("x").over(move |_: &Endpoint| Says(answer.clone()));
    let Poll::Ready(outcome) =
        pin!(ask(&Endpoint::itself())).poll(&mut Context::from_waker(Waker::noop()))
    else {
        unreachable!("nothing is waited for")
    };
    // Whoever serves says at least that.
    assert!(outcome != Outcome::Success || said.len() >= 7);
});
