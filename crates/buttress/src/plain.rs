//! Services that are neither HTTP nor gRPC.

use std::{
    error::Error,
    fmt,
    future::{Ready, ready},
    task::{Context, Poll},
};

use buttress_core::{
    Call, Cause, Describe, Discard, Labels, Outcome, Protocol, Receipt, Refusal, Resend, Stamp,
};

/// Any service whose error can be made from a [`Refusal`] (`BoxError` can): `Err` is failure, `Ok` is success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plain;

/// Any service at all: its error becomes [`Fault`], which also carries refusals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Foreign;

/// The error of a service under [`Foreign`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault<E> {
    /// We said no.
    Refused(Refusal),
    /// The service's own, unchanged.
    Inner(E),
}

/// A protocol whose owner vouches that every request may be handled twice. Copies are made by `Clone`.
///
/// # Examples
///
/// ```
/// use buttress::{Idempotent, Plain, Policy, Redundancy, RetryLayer};
///
/// let layer = RetryLayer::new("search", Idempotent(Plain), &Policy::new().redundancy(Redundancy::failover(3)))?;
/// # let _ = layer; Ok::<(), buttress::PolicyError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Idempotent<P>(pub P);

impl<Res, Err: From<Refusal>> Protocol<Res, Err> for Plain {
    type Response = Res;
    type Error = Err;

    fn classify(&self, result: Result<&Res, &Err>) -> Outcome {
        ok_or_failed(&result)
    }

    fn respond(&self, response: Res, _: Receipt) -> Res {
        response
    }

    fn fail(&self, error: Err) -> Err {
        error
    }

    fn refuse(&self, refusal: Refusal) -> Result<Res, Err> {
        Err(refusal.into())
    }
}

impl<Res, Err> Protocol<Res, Err> for Foreign {
    type Response = Res;
    type Error = Fault<Err>;

    fn classify(&self, result: Result<&Res, &Err>) -> Outcome {
        ok_or_failed(&result)
    }

    fn respond(&self, response: Res, _: Receipt) -> Res {
        response
    }

    fn fail(&self, error: Err) -> Fault<Err> {
        Fault::Inner(error)
    }

    fn refuse(&self, refusal: Refusal) -> Result<Res, Fault<Err>> {
        Err(Fault::Refused(refusal))
    }
}

impl<P: Protocol<Res, Err>, Res, Err> Protocol<Res, Err> for Idempotent<P> {
    type Response = P::Response;
    type Error = P::Error;

    fn classify(&self, result: Result<&Res, &Err>) -> Outcome {
        self.0.classify(result)
    }

    fn poll_begun(&self, response: &mut Res, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_begun(response, cx)
    }

    fn resets(&self) -> Option<u32> {
        self.0.resets()
    }

    fn agree(&self, one: &Res, other: &Res) -> bool {
        self.0.agree(one, other)
    }

    fn respond(&self, response: Res, receipt: Receipt) -> P::Response {
        self.0.respond(response, receipt)
    }

    fn fail(&self, error: Err) -> P::Error {
        self.0.fail(error)
    }

    fn refuse(&self, refusal: Refusal) -> Result<P::Response, P::Error> {
        self.0.refuse(refusal)
    }
}

impl<Req: Clone, P> Resend<Req> for Idempotent<P> {
    fn idempotent(&self, _: &Req) -> bool {
        true
    }

    fn copy(&self, request: &mut Req) -> Option<Req> {
        Some(request.clone())
    }
}

impl<Res> Discard<Res> for Plain {
    type Discarding = Ready<()>;

    fn discard(&self, _: Res) -> Ready<()> {
        ready(())
    }
}

impl<Res> Discard<Res> for Foreign {
    type Discarding = Ready<()>;

    fn discard(&self, _: Res) -> Ready<()> {
        ready(())
    }
}

impl<P: Discard<Res>, Res> Discard<Res> for Idempotent<P> {
    type Discarding = P::Discarding;

    fn discard(&self, response: Res) -> P::Discarding {
        self.0.discard(response)
    }
}

impl<Req> Describe<Req> for Plain {}

impl<Req> Describe<Req> for Foreign {}

impl<P: Describe<Req>, Req> Describe<Req> for Idempotent<P> {
    fn labels<'a>(&self, request: &'a Req) -> Labels<'a> {
        self.0.labels(request)
    }

    fn call(&self, request: &Req) -> Call {
        self.0.call(request)
    }

    fn stamp(&self, request: &mut Req, stamp: &Stamp) {
        self.0.stamp(request, stamp);
    }
}

/// Nobody vouched for the request: it is sent once. See [`Idempotent`].
impl<Req> Resend<Req> for Plain {
    fn idempotent(&self, _: &Req) -> bool {
        false
    }

    fn copy(&self, _: &mut Req) -> Option<Req> {
        None
    }
}

/// Nobody vouched for the request: it is sent once. See [`Idempotent`].
impl<Req> Resend<Req> for Foreign {
    fn idempotent(&self, _: &Req) -> bool {
        false
    }

    fn copy(&self, _: &mut Req) -> Option<Req> {
        None
    }
}

const fn ok_or_failed<Res, Err>(result: &Result<&Res, &Err>) -> Outcome {
    match result {
        Ok(_) => Outcome::Success,
        Err(_) => Outcome::Failure(Cause::Error),
    }
}

impl<E: fmt::Display> fmt::Display for Fault<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: Error + 'static> Error for Fault<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Inner(error) => error.source(),
        }
    }
}
