//! The protocol.

use std::error::Error;

use buttress_core::{Call, Describe, Labels, Outcome, Protocol, Receipt, Refusal, Stamp};
use http::{Request, Response};

use crate::{GuardedBody, classify, deadline, hops, refuse};

/// HTTP: 5xx fail, 429 and 503 with `Retry-After` are overload, other 4xx are the caller's fault.
///
/// The service's error type stays what it is; refusals are responses, whose body is a [`GuardedBody`].
///
/// A [`Call`] among the extensions of a request tightens its policy, and so does [`DEADLINE_HEADER`](crate::DEADLINE_HEADER), in which the
/// next server is told how long it is waited for. [`ATTEMPT_HEADER`](crate::ATTEMPT_HEADER) and [`BUDGET_HEADER`](crate::BUDGET_HEADER) tell it of extra
/// sends, so that servers behind each other do not multiply them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Http;

/// [`Http`] for services whose error is a boxed one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoxedHttp;

impl Http {
    /// The same for services whose error is `Box<dyn Error + Send + Sync>`, as under most of tower's own layers.
    #[must_use]
    pub const fn boxed() -> BoxedHttp {
        BoxedHttp
    }
}

impl<B: http_body::Body, E: Error + 'static> Protocol<Response<B>, E> for Http {
    type Response = Response<GuardedBody<B>>;
    type Error = E;

    fn classify(&self, result: Result<&Response<B>, &E>) -> Outcome {
        match result {
            Ok(response) => classify::head(response.status(), response.headers()),
            Err(error) => classify::error(error),
        }
    }

    fn respond(&self, response: Response<B>, receipt: Receipt) -> Self::Response {
        response.map(|body| GuardedBody::new(body, receipt))
    }

    fn fail(&self, error: E) -> E {
        error
    }

    fn refuse(&self, refusal: Refusal) -> Result<Self::Response, E> {
        Ok(refuse::response(refusal))
    }
}

type BoxError = Box<dyn Error + Send + Sync>;

impl<B: http_body::Body> Protocol<Response<B>, BoxError> for BoxedHttp {
    type Response = Response<GuardedBody<B>>;
    type Error = BoxError;

    fn classify(&self, result: Result<&Response<B>, &BoxError>) -> Outcome {
        match result {
            Ok(response) => classify::head(response.status(), response.headers()),
            Err(error) => classify::error(error.as_ref()),
        }
    }

    fn respond(&self, response: Response<B>, receipt: Receipt) -> Self::Response {
        response.map(|body| GuardedBody::new(body, receipt))
    }

    fn fail(&self, error: BoxError) -> BoxError {
        error
    }

    fn refuse(&self, refusal: Refusal) -> Result<Self::Response, BoxError> {
        Ok(refuse::response(refusal))
    }
}

impl<B> Describe<Request<B>> for Http {
    fn labels<'a>(&self, request: &'a Request<B>) -> Labels<'a> {
        Labels::none().method(request.method().as_str())
    }

    fn call(&self, request: &Request<B>) -> Call {
        let mut call: Call = request.extensions().get().copied().unwrap_or_default();
        if let Some(span) = deadline::read(request.headers()) {
            call = call.and(Call::new().within(span));
        }
        call.extra |= hops::read(request.headers());
        call
    }

    fn stamp(&self, request: &mut Request<B>, stamp: &Stamp) {
        let says = |request: &Request<B>| request.headers().contains_key(deadline::DEADLINE_HEADER);
        if let Some(left) = stamp.left
            && (!stamp.discreet || says(request))
        {
            deadline::write(request.headers_mut(), left);
        }
        hops::write(request.headers_mut(), stamp.again, stamp.spent);
    }
}

impl<B> Describe<Request<B>> for BoxedHttp {
    fn labels<'a>(&self, request: &'a Request<B>) -> Labels<'a> {
        Http.labels(request)
    }

    fn call(&self, request: &Request<B>) -> Call {
        Http.call(request)
    }

    fn stamp(&self, request: &mut Request<B>, stamp: &Stamp) {
        Http.stamp(request, stamp);
    }
}
