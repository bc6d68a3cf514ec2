//! What a protocol cannot know about the haste of requests.

use buttress_core::{Call, Describe, Labels, Stamp};

use crate::pass_on::pass_on;

/// A protocol, and what each request asks for beside its policy: the second part says so.
///
/// What the protocol knows of it, such as a deadline that came with the request, holds as well.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use buttress::{Call, GuardLayer, Plain, Tightened};
///
/// struct Query { patience: Duration }
///
/// let patient = Tightened::new(Plain, |query: &Query| Call::new().within(query.patience));
/// let layer = GuardLayer::new("db", patient);
/// # let _ = layer;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tightened<P, F>(P, F);

impl<P, F> Tightened<P, F> {
    /// The requests of `protocol`, each with what `ask` says it asks for.
    pub const fn new<Req>(protocol: P, ask: F) -> Self
    where
        // Said here, too, for without it no closure is taken to lend its request.
        F: Fn(&Req) -> Call,
    {
        Self(protocol, ask)
    }
}

impl<P, F, Req> Describe<Req> for Tightened<P, F>
where
    P: Describe<Req>,
    F: Fn(&Req) -> Call,
{
    fn labels<'a>(&self, request: &'a Req) -> Labels<'a> {
        self.0.labels(request)
    }

    fn call(&self, request: &Req) -> Call {
        self.1(request).and(self.0.call(request))
    }

    fn stamp(&self, request: &mut Req, stamp: &Stamp) {
        self.0.stamp(request, stamp);
    }
}

pass_on!(Tightened);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Labelled, Nanos, Plain};

    #[test]
    fn the_tighter_part_counts_through_every_wrapper() {
        let millis = |millis| Call::new().within(Duration::from_millis(millis));
        let inner = Tightened::new(Plain, move |_: &u32| millis(200).no_retry());
        let labelled = Labelled::new(inner, |_: &u32| Labels::none().route("/orders"));
        let both = Tightened::new(labelled, move |wait: &u32| millis(u64::from(*wait)));
        for (wait, due) in [(100, 100), (300, 200)] {
            let call = both.call(&wait);
            assert_eq!(call.due(Nanos::ZERO), Nanos::new(due * 1_000_000));
            assert!(call.no_retry);
        }
        assert_eq!(both.labels(&1).route, Some("/orders"));
    }
}
