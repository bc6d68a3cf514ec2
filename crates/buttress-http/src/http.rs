//! The protocol.

use std::marker::PhantomData;

use buttress_core::{
    Call, Describe, Discard, Favoured, Labels, Outcome, Protocol, Receipt, Refusal, Resend, Stamp,
};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;

use crate::{
    BoxedErrors, Discarding, Errors, GuardedBody, Replayable, TypedErrors, classify, hints, hops,
    panics, refuse, replay::Kept, resend,
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
    replay: Kept,
    counting: Counting,
    pub(crate) limits: Limits,
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
    replay: Kept::DEFAULT,
    counting: Counting(None),
    limits: Limits::All,
    errors: PhantomData,
};

impl Http {
    /// The same for services whose error is `Box<dyn Error + Send + Sync>`, as under most of tower's own layers.
    #[must_use]
    pub const fn boxed(self) -> BoxedHttp {
        Http {
            replay: self.replay,
            counting: self.counting,
            limits: self.limits,
            errors: PhantomData,
        }
    }
}

impl<E> Http<E> {
    /// Counts answers otherwise, by their status. `None` is as usual.
    ///
    /// What counts otherwise for one route only, is guarded by that route's layer.
    ///
    /// # Examples
    ///
    /// ```
    /// use buttress_core::{Cause, Outcome};
    /// use buttress_http::Http;
    ///
    /// // Everything that is looked up is there: if it is not, the index has failed. And whoever asks for nonsense gets a 500.
    /// let lookups = Http.counting(|status| match status.as_u16() {
    ///     404 => Some(Outcome::Failure(Cause::Error)),
    ///     500 => Some(Outcome::CallerFault),
    ///     _ => None,
    /// });
    /// # use buttress_core::Protocol;
    /// # let said = |status: u16| {
    /// #     let answer = http::Response::builder().status(status).body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
    /// #     Protocol::<_, std::io::Error>::classify(&lookups, Ok(&answer))
    /// # };
    /// assert_eq!(said(404), Outcome::Failure(Cause::Error));
    /// assert_eq!(said(410), Outcome::CallerFault, "as usual");
    /// assert_eq!(said(500), Outcome::CallerFault);
    /// ```
    #[must_use]
    pub const fn counting(mut self, counts: fn(StatusCode) -> Option<Outcome>) -> Self {
        self.counting = Counting(Some(counts));
        self
    }

    /// Says `429 Too Many Requests` where a limit or shedding refuses, and not 503: that it is *this* client that sends too much (RFC 6585
    /// §4). For guards whose keys are the clients, for only then a limit counts whose calls they are.
    ///
    /// # Examples
    ///
    /// ```
    /// use buttress_core::{Limiter, Protocol, Refusal};
    /// use buttress_http::Http;
    ///
    /// let by_tenant = Http.too_many_requests();
    /// let refusal = Refusal::Overloaded { by: Limiter::Concurrency, retry_after: None };
    /// # let refuse = |http: Http, refusal| -> Result<_, std::io::Error> {
    /// #     Protocol::<http::Response<http_body_util::Empty<bytes::Bytes>>, std::io::Error>::refuse(&http, refusal)
    /// # };
    /// assert_eq!(refuse(by_tenant, refusal)?.status(), 429);
    /// assert_eq!(refuse(Http, refusal)?.status(), 503);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub const fn too_many_requests(mut self) -> Self {
        self.limits = Limits::OfOne;
        self
    }

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

impl<E> Http<E> {
    /// How an answer went, by its head.
    pub(crate) fn head(&self, status: StatusCode, headers: &HeaderMap) -> Outcome {
        let otherwise = self.counting.of(status);
        otherwise.unwrap_or_else(|| classify::head(status, headers))
    }
}

/// Whose calls a limit counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Limits {
    /// Everybody's.
    #[default]
    All,
    /// Those of one client.
    OfOne,
}

/// How answers count that count otherwise.
#[derive(Clone, Copy, Debug, Default)]
struct Counting(Option<fn(StatusCode) -> Option<Outcome>>);

impl Counting {
    fn of(self, status: StatusCode) -> Option<Outcome> {
        self.0.and_then(|counts| counts(status))
    }
}

/// By address: the same function may be found to be another, and never another the same.
impl PartialEq for Counting {
    fn eq(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (Some(one), Some(other)) => std::ptr::fn_addr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

impl Eq for Counting {}

impl<B: Body, E, K: Errors<E>> Protocol<Response<B>, E> for Http<K> {
    type Response = Response<GuardedBody<B>>;
    type Error = E;

    fn classify(&self, result: Result<&Response<B>, &E>) -> Outcome {
        match result {
            Ok(response) => panics::outcome(response)
                .unwrap_or_else(|| self.head(response.status(), response.headers())),
            Err(error) => classify::error(K::chain(error)),
        }
    }

    fn resets(&self) -> Option<u32> {
        Some(hops::RESETS)
    }

    fn respond(&self, response: Response<B>, receipt: Receipt) -> Self::Response {
        response.map(|body| GuardedBody::new(body, receipt))
    }

    fn fail(&self, error: E) -> E {
        error
    }

    fn refuse(&self, refusal: Refusal) -> Result<Self::Response, E> {
        Ok(refuse::response(refusal, self.limits))
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
        hints::write(request.headers_mut(), stamp);
    }
}

impl<B: Replayable, K> Resend<Request<B>> for Http<K> {
    fn idempotent(&self, request: &Request<B>) -> bool {
        resend::idempotent(request)
    }

    fn copy(&self, request: &mut Request<B>) -> Option<Request<B>> {
        resend::copy(request, self.replay)
    }

    fn favour(&self, copy: &Request<B>, whom: Favoured) {
        resend::favour(copy, whom);
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
