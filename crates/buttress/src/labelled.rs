//! What a protocol cannot know about the kinds of requests.

use buttress_core::{Call, Describe, Labels, Stamp};

use crate::pass_on::pass_on;

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

    fn call(&self, request: &Req) -> Call {
        self.0.call(request)
    }

    fn stamp(&self, request: &mut Req, stamp: &Stamp) {
        self.0.stamp(request, stamp);
    }
}

pass_on!(Labelled);

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
