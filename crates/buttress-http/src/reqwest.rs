//! reqwest's client, which has requests, responses and errors of its own.

use std::{
    error::Error,
    task::{Context, Poll},
};

use buttress_core::{
    Call, Cause, Describe, Labels, Outcome, Protocol, Receipt, Refusal, Resend, Stamp,
};
use reqwest::{Body, Request, Response, ResponseBuilderExt as _};
use tower_service::Service;

use crate::{At, Errors, GuardedBody, Http, classify, hints, hops, refuse, resend};

/// Its response stays what it is, [`url`](Response::url) and all, with the body under guard. Refusals are responses, too; whoever gets
/// one finds the [`Refusal`] in its [`extensions`](Response::extensions), and no `url`, for nobody was asked.
///
/// A timeout of reqwest's own, of the client or of the request, is one of each attempt.
impl<E, K: Errors<E>> Protocol<Response, E> for Http<K> {
    type Response = Response;
    type Error = E;

    fn classify(&self, result: Result<&Response, &E>) -> Outcome {
        match result {
            Ok(response) => self.head(response.status(), response.headers()),
            Err(error) => judge(K::chain(error)),
        }
    }

    fn resets(&self) -> Option<u32> {
        Some(hops::RESETS)
    }

    fn respond(&self, response: Response, receipt: Receipt) -> Response {
        let url = response.url().clone();
        let (mut parts, body) = http::Response::<Body>::from(response).into_parts();
        // On its way the address is lost, and only a builder puts it back.
        if let Ok(located) = http::Response::builder().url(url).body(()) {
            parts.extensions.extend(located.into_parts().0.extensions);
        }
        let body = Body::wrap(GuardedBody::new(body, receipt));
        http::Response::from_parts(parts, body).into()
    }

    fn fail(&self, error: E) -> E {
        error
    }

    fn refuse(&self, refusal: Refusal) -> Result<Response, E> {
        Ok(refuse::words(refusal, self.limits).into())
    }
}

/// What reqwest says of its error, before its words are looked at.
fn judge(error: &(dyn Error + 'static)) -> Outcome {
    match classify::links(error).find_map(|one| one.downcast_ref::<reqwest::Error>()) {
        // A request that cannot be built was never sent.
        Some(error) if error.is_builder() => Outcome::Refused,
        // Before the timeout: one of the connection is that, too.
        Some(error) if error.is_connect() => Outcome::Failure(Cause::Connect),
        Some(error) if error.is_timeout() => Outcome::Failure(Cause::Timeout),
        _ => classify::error(error),
    }
}

impl<K> Describe<Request> for Http<K> {
    fn labels<'a>(&self, request: &'a Request) -> Labels<'a> {
        Labels::none().method(request.method().as_str())
    }

    fn call(&self, request: &Request) -> Call {
        hints::read(request.headers()).and(Call::new())
    }

    fn stamp(&self, request: &mut Request, stamp: &Stamp) {
        hints::write(request.headers_mut(), stamp);
    }
}

/// Copied where reqwest can: a body that is a stream is sent once.
impl<K> Resend<Request> for Http<K> {
    fn idempotent(&self, request: &Request) -> bool {
        resend::evident(request.method(), request.headers())
    }

    fn copy(&self, request: &mut Request) -> Option<Request> {
        request.try_clone()
    }
}

impl<S: Service<Request>> Service<Request> for At<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.get_mut().poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> S::Future {
        if let Some(place) = self.place() {
            let url = request.url_mut();
            let path = format!("{}{}", place.base, url.path());
            // A URL of http has a host, and may have any other.
            let _ = url.set_scheme(place.scheme.as_str());
            let _ = url.set_host(Some(place.authority.host()));
            let _ = url.set_port(place.authority.port_u16());
            url.set_path(&path);
        }
        self.get_mut().call(request)
    }
}
