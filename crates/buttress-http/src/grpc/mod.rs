//! gRPC: over HTTP/2, with a status of its own at the end.

pub(crate) mod attempts;
mod errors;
mod filled;
mod first;
mod head;
mod message;
mod probe;
mod pushback;
mod refuse;
pub(crate) mod status;
pub(crate) mod timeout;

use std::{
    error::Error,
    marker::PhantomData,
    task::{Context, Poll},
};

use buttress_core::{
    Call, Describe, Discard, Favoured, Labels, Outcome, Protocol, Receipt, Refusal, Resend, Stamp,
};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;

use crate::{
    BoxedErrors, Discarding, Errors, GuardedBody, Replayable, TypedErrors, hints, hops, panics,
    replay::Kept, resend,
};

pub use attempts::PREVIOUS_ATTEMPTS_HEADER;
pub use filled::Filled;
pub use probe::GrpcProbe;
pub use pushback::PUSHBACK_HEADER;
pub use timeout::GRPC_TIMEOUT_HEADER;

type BoxError = Box<dyn Error + Send + Sync>;

/// gRPC: a call went as its `grpc-status` says, in the trailers or in a head that is all there is.
///
/// The service's error type stays what it is. Refusals are answers of a head alone, so that a generated client sees the right code and a
/// message, and the [`Refusal`] itself in their extensions; the body becomes a [`GuardedBody`]. For layers under tonic's clients and
/// servers, and under anything else that speaks gRPC over [`http`]; guards on a server whose calls come as gRPC-Web belong
/// below the layer that translates.
///
/// # How a call went
///
/// | status | is | may be sent again |
/// |---|---|---|
/// | `OK` 0 | success | |
/// | `CANCELLED` 1 | no evidence: somebody no longer wanted it. But tonic says so when its own server's time was over, in words by which it is known: a failure, and their timeout | no |
/// | `UNKNOWN` 2, any number above 16, and what is no number | the endpoint's failure | yes |
/// | `INVALID_ARGUMENT` 3, `NOT_FOUND` 5, `ALREADY_EXISTS` 6, `PERMISSION_DENIED` 7, `FAILED_PRECONDITION` 9, `OUT_OF_RANGE` 11, `UNIMPLEMENTED` 12, `UNAUTHENTICATED` 16 | the caller's fault: the endpoint is well | no |
/// | `DEADLINE_EXCEEDED` 4 | the endpoint's failure: their timeout | yes |
/// | `RESOURCE_EXHAUSTED` 8 | overload: throttled, never ejected | yes |
/// | `ABORTED` 10 | the caller's fault: whoever lost a race begins it anew from its start, which is more than this call | no |
/// | `INTERNAL` 13, `DATA_LOSS` 15 | the endpoint's failure | yes |
/// | `UNAVAILABLE` 14 | the endpoint's failure | yes |
/// | any failure or overload with [`grpc-retry-pushback-ms`](PUSHBACK_HEADER) | overload, for that long, at most 30 s | then |
/// | the same with one below zero, or that is no number | overload | never |
/// | none at the end of an answer | the endpoint's failure: not the protocol | yes |
///
/// *May* means: given evidence that it does no harm, a copy of the request, and budget. Sources: the
/// [status codes](https://github.com/grpc/grpc/blob/master/doc/statuscodes.md), where `UNAVAILABLE` is the one that asks to send the same call
/// again and `ABORTED` the one that does not; proposal [A6](https://github.com/grpc/proposal/blob/master/A6-client-retries.md). Those that
/// count are those of linkerd's proxy.
///
/// What is no gRPC answer goes by its HTTP status, as in the
/// [mapping](https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md), but for what proxies say of themselves: 429, and 503 with
/// `Retry-After`, are overload, 504 is their timeout. A body dropped before its trailers is a cancelled call; one that ends without any has failed.
///
/// # When a call is over, and how long it took
///
/// It is over with its trailers, and holds its permit until then. It took as long as its first message did, or its trailers where there is none:
/// of a call with one answer that is the same, and a stream of many may go on for hours without being taken for slow or for one that
/// hangs. Deadlines and attempt timeouts hold for all of it: whoever wants streams without an end gives them a policy of their own.
/// A stream that is cut by one ends with `DEADLINE_EXCEEDED` in its trailers.
///
/// Where it can be sent again, [`Dispatch`] waits for the first message or the trailers, and only then lets go of the request: an answer that
/// fails before it says anything fails over. Nothing else waits: a call that nobody vouched for is passed on as its head comes, as is
/// everything under a guard. So a method whose client waits for a head before it sends its first message must not be vouched for. What is
/// read early is kept in the extensions of the answer, which costs such a call four allocations.
///
/// # Which calls may be sent twice
///
/// gRPC does not tell. Evidence is a list of [methods](Self::idempotent_methods), or a [`Call`] among the extensions of the request that says
/// [`idempotent`](Call::idempotent). What was provably not sent, or not looked at, is sent again without.
///
/// # What is read and written
///
/// [`grpc-timeout`](GRPC_TIMEOUT_HEADER) tightens the deadline, and says what is left of it to whoever is called. It never says more than the request did, and
/// where it says anything it is put right even if the policy does not tell deadlines. [`grpc-previous-rpc-attempts`](PREVIOUS_ATTEMPTS_HEADER)
/// is written on extra sends; what comes with one, or with [`BUDGET_HEADER`](crate::BUDGET_HEADER) or
/// [`ATTEMPT_HEADER`](crate::ATTEMPT_HEADER), is not sent twice. Refusals say in [`grpc-retry-pushback-ms`](PUSHBACK_HEADER) when to come back.
///
/// The route of a call is its path, such as `/buttress.inventory.v1.Inventory/Count`.
///
/// # Examples
///
/// ```
/// use buttress_core::{Cause, Outcome, Protocol};
/// use buttress_http::Grpc;
/// use http_body_util::Empty;
///
/// type Answer = http::Response<Empty<bytes::Bytes>>;
/// let classify = |status: &str| {
///     let answer = http::Response::builder().header("grpc-status", status);
///     let answer: Answer = answer.body(Empty::new()).unwrap();
///     Protocol::<Answer, std::io::Error>::classify(&Grpc, Ok(&answer))
/// };
/// assert_eq!(classify("0"), Outcome::Success);
/// assert_eq!(classify("5"), Outcome::CallerFault);
/// assert_eq!(classify("14"), Outcome::Failure(Cause::Error));
/// assert_eq!(classify("8"), Outcome::Overload(None));
/// ```
///
/// [`Dispatch`]: https://docs.rs/buttress/latest/buttress/struct.Dispatch.html
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grpc<E = TypedErrors> {
    idempotent: &'static [&'static str],
    replay: Kept,
    errors: PhantomData<E>,
}

/// [`Grpc`](struct@Grpc) for services whose error is a boxed one: `Grpc.boxed()`.
pub type BoxedGrpc = Grpc<BoxedErrors>;

/// gRPC, as it comes: of no method is it known that it is idempotent.
#[expect(
    non_upper_case_globals,
    reason = "one word names the protocol, as a type and as a value"
)]
pub const Grpc: Grpc = Grpc {
    idempotent: &[],
    replay: Kept::DEFAULT,
    errors: PhantomData,
};

impl Grpc {
    /// The same for services whose error is `Box<dyn Error + Send + Sync>`, as under most of tower's own layers.
    #[must_use]
    pub const fn boxed(self) -> BoxedGrpc {
        Grpc {
            idempotent: self.idempotent,
            replay: self.replay,
            errors: PhantomData,
        }
    }
}

impl<E> Grpc<E> {
    /// The methods that may be handled twice, by your word: `/package.Service/Method`, or `/package.Service/` for all of a service.
    ///
    /// # Examples
    ///
    /// ```
    /// use buttress_http::Grpc;
    ///
    /// const INVENTORY: Grpc = Grpc.idempotent_methods(&["/buttress.inventory.v1.Inventory/Count"]);
    /// # let _ = INVENTORY;
    /// ```
    #[must_use]
    pub const fn idempotent_methods(mut self, methods: &'static [&'static str]) -> Self {
        self.idempotent = methods;
        self
    }

    /// Sets how many bytes are kept of a request, so that it can be sent again: 64 KiB by default. The call is committed to its first send
    /// by whatever is longer.
    #[must_use]
    pub const fn replay_up_to(mut self, bytes: usize) -> Self {
        self.replay = self.replay.each(bytes);
        self
    }

    /// Sets how many bytes may be kept of the requests of all calls in the process for one of these to keep any more: 64 MiB by default.
    #[must_use]
    pub const fn replay_total(mut self, bytes: usize) -> Self {
        self.replay = self.replay.total(bytes);
        self
    }

    fn vouched(&self, path: &str) -> bool {
        self.idempotent
            .iter()
            .any(|method| *method == path || method.ends_with('/') && path.starts_with(method))
    }
}

impl<B, E, K> Protocol<Response<B>, E> for Grpc<K>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
    K: Errors<E>,
{
    type Response = Response<GuardedBody<B>>;
    type Error = E;

    fn classify(&self, result: Result<&Response<B>, &E>) -> Outcome {
        match result {
            Ok(response) => panics::outcome(response).unwrap_or_else(|| head::judge(response)),
            Err(error) => errors::judge(K::chain(error)),
        }
    }

    fn poll_begun(&self, response: &mut Response<B>, cx: &mut Context<'_>) -> Poll<()> {
        first::poll(response, cx)
    }

    fn resets(&self) -> Option<u32> {
        Some(hops::RESETS)
    }

    fn respond(&self, response: Response<B>, receipt: Receipt) -> Self::Response {
        first::respond(response, receipt)
    }

    fn fail(&self, error: E) -> E {
        error
    }

    fn refuse(&self, refusal: Refusal) -> Result<Self::Response, E> {
        Ok(refuse::response(refusal))
    }
}

impl<B, K> Describe<Request<B>> for Grpc<K> {
    fn labels<'a>(&self, request: &'a Request<B>) -> Labels<'a> {
        Labels::none().route(request.uri().path())
    }

    fn call(&self, request: &Request<B>) -> Call {
        let said = request.extensions().get().copied().unwrap_or_default();
        hints::read(request.headers()).and(said)
    }

    fn stamp(&self, request: &mut Request<B>, stamp: &Stamp) {
        if let Some(left) = stamp.left {
            timeout::shorten(request.headers_mut(), left, stamp.discreet);
        }
        attempts::write(request.headers_mut(), stamp.again);
        hops::write(request.headers_mut(), &stamp.again(0));
    }
}

impl<B: Body, K> Discard<Response<B>> for Grpc<K> {
    type Discarding = Discarding<B>;

    fn discard(&self, response: Response<B>) -> Discarding<B> {
        Discarding::of(response.into_body())
    }
}

impl<B: Replayable, K> Resend<Request<B>> for Grpc<K> {
    fn idempotent(&self, request: &Request<B>) -> bool {
        self.vouched(request.uri().path())
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderValue;
    use http_body_util::Empty;

    use super::*;

    type Asked = Request<Empty<Bytes>>;

    fn request(path: &str, headers: &[(&'static str, &str)]) -> Asked {
        let mut request = Asked::default();
        *request.uri_mut() = path.parse().unwrap();
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).unwrap();
            request.headers_mut().append(*name, value);
        }
        request
    }

    #[test]
    fn only_what_is_vouched_for_may_be_handled_twice() {
        let grpc = Grpc.idempotent_methods(&["/a.B/Get", "/a.C/"]);
        for (path, vouched) in [
            ("/a.B/Get", true),
            ("/a.B/GetAll", false),
            ("/a.B/", false),
            ("/a.C/Any", true),
            ("/a.CD/Any", false),
        ] {
            let request = request(path, &[]);
            assert_eq!(Resend::idempotent(&grpc, &request), vouched, "{path}");
            assert_eq!(Resend::idempotent(&grpc.boxed(), &request), vouched);
            assert!(!Resend::idempotent(&Grpc, &request));
        }
        assert_eq!(
            Grpc.labels(&request("/a.B/Get", &[])),
            Labels::none().route("/a.B/Get")
        );
    }

    #[test]
    fn a_request_tells_what_it_asks_for() {
        let second = Duration::from_secs(1);
        for (headers, call) in [
            (&[][..], Call::new()),
            (&[("grpc-timeout", "1S")], Call::new().within(second)),
            (
                &[("grpc-timeout", "1S"), ("grpc-previous-rpc-attempts", "1")],
                Call::new().within(second).extra(),
            ),
            (&[("x-buttress-budget", "spent")], Call::new().extra()),
            (&[("x-envoy-attempt-count", "2")], Call::new().extra()),
        ] {
            assert_eq!(Grpc.call(&request("/a.B/Get", headers)), call);
        }
        let mut asked = request("/a.B/Get", &[("grpc-timeout", "2S")]);
        asked
            .extensions_mut()
            .insert(Call::new().within(second).idempotent());
        assert_eq!(Grpc.call(&asked), Call::new().within(second).idempotent());
    }

    #[test]
    fn an_attempt_is_stamped() {
        let left = Duration::from_millis(250);
        for (headers, stamp, timeout) in [
            (&[][..], Stamp::new().left(left), Some("250m")),
            (&[], Stamp::new().left(left).discreet(true), None),
            (
                &[("grpc-timeout", "1S")],
                Stamp::new().left(left).discreet(true),
                Some("250m"),
            ),
            (
                &[("grpc-timeout", "100m")],
                Stamp::new().left(left),
                Some("100m"),
            ),
            (&[("grpc-timeout", "1S")], Stamp::new().again(1), Some("1S")),
        ] {
            let mut asked = request("/a.B/Get", headers);
            Grpc.stamp(&mut asked, &stamp);
            let said = asked.headers().get("grpc-timeout");
            assert_eq!(said.map(HeaderValue::as_bytes), timeout.map(str::as_bytes));
        }
        let mut asked = request("/a.B/Get", &[]);
        Grpc.stamp(&mut asked, &Stamp::new().again(2).spent(true));
        assert_eq!(asked.headers()["grpc-previous-rpc-attempts"], "2");
        assert_eq!(asked.headers()["x-buttress-budget"], "spent");
        assert_eq!(asked.headers().len(), 2);
    }
}
