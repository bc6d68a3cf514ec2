//! The protocol.

use std::marker::PhantomData;

use buttress_core::{
    Call, Describe, Discard, Labels, Outcome, Protocol, Receipt, Refusal, Resend, Stamp,
};
use http::{Request, Response};
use http_body::Body;

use crate::{
    BoxedErrors, Discarding, Errors, GuardedBody, Replay, Replayable, TypedErrors, classify,
    deadline, hints, hops, panics, refuse, resend,
};

/// HTTP: 5xx fail, 429 and 503 with `Retry-After` are overload, other 4xx are the caller's fault.
///
/// Its value is [`Http`](const@Http). The service's error type stays what it is; refusals are responses, whose body is a [`GuardedBody`].
///
/// A [`Call`] among the extensions of a request tightens its policy, and so does [`DEADLINE_HEADER`](crate::DEADLINE_HEADER), in which the
/// next server is told how long it is waited for. [`ATTEMPT_HEADER`](crate::ATTEMPT_HEADER) and [`BUDGET_HEADER`](crate::BUDGET_HEADER) tell it of extra
/// sends, so that servers behind each other do not multiply them.
///
/// Requests are sent again where their method or a key of theirs says that no harm comes of it, and where their body is [`Replayable`].
///
/// # Examples
///
/// ```
/// use buttress_http::Http;
///
/// // Uploads of up to 1 MiB can be sent again, while all calls together keep no more than 256 MiB of them.
/// let http = Http.replay_up_to(1 << 20).replay_total(256 << 20);
/// assert_ne!(http, Http);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Http<E = TypedErrors> {
    replay: Replay,
    errors: PhantomData<E>,
}

/// [`Http`](struct@Http) for services whose error is a boxed one: `Http.boxed()`.
pub type BoxedHttp = Http<BoxedErrors>;

/// HTTP, as it comes.
#[allow(
    non_upper_case_globals,
    reason = "one word names the protocol, as a type and as a value"
)]
pub const Http: Http = Http {
    replay: Replay::DEFAULT,
    errors: PhantomData,
};

impl Http {
    /// The same for services whose error is `Box<dyn Error + Send + Sync>`, as under most of tower's own layers.
    #[must_use]
    pub const fn boxed(self) -> BoxedHttp {
        Http {
            replay: self.replay,
            errors: PhantomData,
        }
    }
}

impl<E> Http<E> {
    /// Sets how many bytes are kept of a body that is read once, so that it can be sent again: 64 KiB by default. The call is committed
    /// to its first send by whatever is longer.
    #[must_use]
    pub const fn replay_up_to(mut self, bytes: usize) -> Self {
        self.replay = self.replay.each(bytes);
        self
    }

    /// Sets how many bytes may be kept of the bodies of all calls in the process for one of these to keep any more: 64 MiB by default.
    #[must_use]
    pub const fn replay_total(mut self, bytes: usize) -> Self {
        self.replay = self.replay.total(bytes);
        self
    }
}

impl<B: Body, E, K: Errors<E>> Protocol<Response<B>, E> for Http<K> {
    type Response = Response<GuardedBody<B>>;
    type Error = E;

    fn classify(&self, result: Result<&Response<B>, &E>) -> Outcome {
        match result {
            Ok(response) => panics::outcome(response)
                .unwrap_or_else(|| classify::head(response.status(), response.headers())),
            Err(error) => classify::error(K::chain(error)),
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

impl<B, K> Describe<Request<B>> for Http<K> {
    fn labels<'a>(&self, request: &'a Request<B>) -> Labels<'a> {
        Labels::none().method(request.method().as_str())
    }

    fn call(&self, request: &Request<B>) -> Call {
        let said = request.extensions().get().copied().unwrap_or_default();
        hints::read(request.headers()).and(said)
    }

    fn stamp(&self, request: &mut Request<B>, stamp: &Stamp) {
        let says = |request: &Request<B>| request.headers().contains_key(deadline::DEADLINE_HEADER);
        if let Some(left) = stamp.left
            && (!stamp.discreet || says(request))
        {
            deadline::write(request.headers_mut(), left);
        }
        hops::write(request.headers_mut(), stamp);
    }
}

impl<B: Replayable, K> Resend<Request<B>> for Http<K> {
    fn idempotent(&self, request: &Request<B>) -> bool {
        resend::idempotent(request)
    }

    fn copy(&self, request: &mut Request<B>) -> Option<Request<B>> {
        resend::copy(request, &self.replay)
    }

    fn lost(&self, copy: &Request<B>) -> bool {
        copy.body().lost()
    }
}

impl<B: Body, K> Discard<Response<B>> for Http<K> {
    type Discarding = Discarding<B>;

    fn discard(&self, response: Response<B>) -> Discarding<B> {
        Discarding::of(response.into_body())
    }
}
