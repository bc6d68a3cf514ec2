//! What a protocol cannot know about the kinds of requests.

use buttress_core::{Attempt, Describe, Labels, Outcome, Protocol, Refusal, Resend};

/// A protocol, and what kind of request each is: the second part says so, in words of which there are few.
///
/// What it leaves unsaid, the protocol says, such as the method of an HTTP request.
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
/// let by_table = Labelled::new(Plain, |query: &Query| Labels::none().route(query.table));
/// let layer = GuardLayer::new("db", by_table);
/// # let _ = layer;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Labelled<P, F>(P, F);

impl<P, F> Labelled<P, F> {
    /// The requests of `protocol`, with the labels that `describe` gives them.
    pub const fn new<Req>(protocol: P, describe: F) -> Self
    where
        // Said here, too, for without it no closure is taken to lend from its request.
        F: for<'a> Fn(&'a Req) -> Labels<'a>,
    {
        Self(protocol, describe)
    }
}

impl<P, F, Req> Describe<Req> for Labelled<P, F>
where
    P: Describe<Req>,
    F: for<'a> Fn(&'a Req) -> Labels<'a>,
{
    fn labels<'a>(&self, request: &'a Req) -> Labels<'a> {
        let (mut said, known) = (self.1(request), self.0.labels(request));
        said.route = said.route.or(known.route);
        said.method = said.method.or(known.method);
        said.caller = said.caller.or(known.caller);
        said.priority = said.priority.or(known.priority);
        said
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Plain;

    #[test]
    fn the_second_part_goes_before_and_the_protocol_says_the_rest() {
        let inner = Labelled::new(Plain, |route: &String| {
            Labels::none().method("GET").route(route)
        });
        let both = Labelled::new(inner, |_: &String| Labels::none().route("/orders"));
        let request = String::from("/");
        let labels = both.labels(&request);
        assert_eq!(labels, Labels::none().method("GET").route("/orders"));
    }
}
