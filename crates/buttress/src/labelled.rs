//! What a protocol cannot know about the kinds of requests.

use buttress_core::{Attempt, Describe, Labels, Outcome, Protocol, Refusal, Resend};

/// A protocol, and what kind of request each is: the second part says so, in words of which there are few.
///
/// With routes said, a fault of one route is told from a fault of a replica, and no replica is ejected for it.
///
/// # Examples
///
/// ```
/// use buttress::{GuardLayer, Labelled, Labels, Plain};
///
/// struct Query { table: &'static str }
///
/// let by_table = Labelled(Plain, |query: &Query| Labels::none().route(query.table));
/// let layer = GuardLayer::new("db", by_table);
/// # let _ = layer;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Labelled<P, F>(pub P, pub F);

impl<P, F, Req> Describe<Req> for Labelled<P, F>
where
    F: for<'a> Fn(&'a Req) -> Labels<'a>,
{
    fn labels<'a>(&self, request: &'a Req) -> Labels<'a> {
        self.1(request)
    }
}

impl<P, F: Clone, Res, Err> Protocol<Res, Err> for Labelled<P, F>
where
    P: Protocol<Res, Err>,
{
    type Response = P::Response;
    type Error = P::Error;

    fn classify(&self, result: Result<&Res, &Err>) -> Outcome {
        self.0.classify(result)
    }

    fn respond(&self, response: Res, outcome: Outcome, attempt: Option<Attempt>) -> P::Response {
        self.0.respond(response, outcome, attempt)
    }

    fn fail(&self, error: Err) -> P::Error {
        self.0.fail(error)
    }

    fn refuse(&self, refusal: Refusal) -> Result<P::Response, P::Error> {
        self.0.refuse(refusal)
    }
}

impl<P: Resend<Req>, F, Req> Resend<Req> for Labelled<P, F> {
    fn idempotent(&self, request: &Req) -> bool {
        self.0.idempotent(request)
    }

    fn copy(&self, request: &mut Req) -> Option<Req> {
        self.0.copy(request)
    }
}
