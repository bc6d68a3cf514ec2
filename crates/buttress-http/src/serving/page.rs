//! A page for Kubernetes, and whoever asks like it.

use std::{
    convert::Infallible,
    fmt,
    future::{Ready, ready},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE},
};
use http_body_util::Full;
use tower_service::Service;

use super::{Serving, finding::Findings};

/// A page that says how it is: 200 and `ok`, or 503 and what fails; with `?verbose` every check, one a line.
///
/// A tower service that never fails: for axum's `route_service`, or by itself. What it shows are names of policies and counts; where even
/// that is nobody's business, serve it on a port of its own.
///
/// # Examples
///
/// ```
/// # use axum_stand_in::Router; mod axum_stand_in {
/// #     pub struct Router; impl Router { pub fn new() -> Self { Self } pub fn route_service<S>(self, _: &str, _: S) -> Self { self } }
/// # }
/// use buttress_http::Serving;
///
/// fn routes(serving: &Serving) -> Router {
///     Router::new()
///         .route_service("/livez", serving.livez())
///         .route_service("/readyz", serving.readyz())
/// }
/// # let _ = routes;
/// ```
#[derive(Clone)]
pub struct HealthPage {
    serving: Serving,
    find: fn(&Serving) -> Findings,
}

impl HealthPage {
    pub(super) fn new(serving: Serving, find: fn(&Serving) -> Findings) -> Self {
        Self { serving, find }
    }

    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        let mut response = Response::new(Full::default());
        response.headers_mut().insert(CONTENT_TYPE, text);
        let fresh = HeaderValue::from_static("no-store");
        response.headers_mut().insert(CACHE_CONTROL, fresh);
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            let allowed = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, allowed);
            return response;
        }
        let found = (self.find)(&self.serving);
        if !found.pass() {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        *response.body_mut() = Full::from(found.text(is_verbose(request.uri().query())));
        response
    }
}

/// `verbose` among the words of a query, whatever it is set to.
fn is_verbose(query: Option<&str>) -> bool {
    let mut words = query.unwrap_or_default().split('&');
    words.any(|word| word.split('=').next() == Some("verbose"))
}

impl<B> Service<Request<B>> for HealthPage {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(&request)))
    }
}

impl fmt::Debug for HealthPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HealthPage").field(&self.serving).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbose_is_a_word_of_the_query() {
        for (query, verbose) in [
            (None, false),
            (Some(""), false),
            (Some("verbose"), true),
            (Some("verbose="), true),
            (Some("a=b&verbose=1"), true),
            (Some("verbosely"), false),
            (Some("a=verbose"), false),
        ] {
            assert_eq!(is_verbose(query), verbose, "{query:?}");
        }
    }
}
