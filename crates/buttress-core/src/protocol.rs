//! The doors for HTTP, gRPC and your own service.

use std::task::{Context, Poll};

use crate::{Outcome, Receipt, Refusal};

/// What only the protocol can tell about an answer: how did it go, when is it over, how do we say no.
///
/// `Res` and `Err` are what the wrapped service answers with.
pub trait Protocol<Res, Err>: Clone {
    /// What the caller receives.
    type Response;
    /// What the caller receives when it fails.
    type Error;

    /// How did it go?
    fn classify(&self, result: Result<&Res, &Err>) -> Outcome;

    /// Has enough of a response come for [`classify`](Self::classify) to judge it? By default it has, at once.
    ///
    /// Asked where something else could still be done: of calls that may be handled twice, by [`Resend`]'s word, under a policy that sends
    /// again. What is read meanwhile is kept in the response, and belongs to the answer that [`respond`](Self::respond) passes on. While it
    /// is pending the attempt goes on, and its time with it.
    fn poll_begun(&self, _response: &mut Res, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// How many calls an endpoint may see dropped in half a minute, for others were answered first. Servers may take more for an attack.
    /// By default as many as there are. Asked of a [hedge](crate::Redundancy::hedge) and a [race](crate::Redundancy::race), where
    /// the policy does not say.
    fn resets(&self) -> Option<u32> {
        None
    }

    /// Do two good answers agree? Asked of a [quorum](crate::Redundancy::quorum). By default they do: then it counts how many have
    /// done what they were asked to. Only answers that were judged alike are compared: a "no" to the caller is no "yes".
    fn agree(&self, _one: &Res, _other: &Res) -> bool {
        true
    }

    /// Passes a response on. Whoever knows when the answer is over ends the `receipt`; dropped, it ends as the response was judged.
    fn respond(&self, response: Res, receipt: Receipt) -> Self::Response;

    /// Passes an inner error on. Its attempt is finished.
    fn fail(&self, error: Err) -> Self::Error;

    /// Says no.
    ///
    /// # Errors
    ///
    /// Protocols without a response that can say no do it with an error.
    fn refuse(&self, refusal: Refusal) -> Result<Self::Response, Self::Error>;
}

/// What becomes of an answer that nobody wants: that of a copy.
pub trait Discard<Res> {
    /// Ready once it is over.
    type Discarding: Future<Output = ()>;

    /// Reads it as far as its outcome needs, and drops it.
    fn discard(&self, response: Res) -> Self::Discarding;
}

/// What only the protocol can tell about a request: may it be handled twice, can it be copied.
pub trait Resend<Req> {
    /// Is there evidence that handling it twice does no harm: a method, a key, the owner's word?
    fn idempotent(&self, request: &Req) -> bool;

    /// A second one, made before the first is sent. `None` where that cannot be.
    fn copy(&self, request: &mut Req) -> Option<Req>;

    /// Can a copy no longer be sent, for more of what was sent first has gone by than is kept, or it has failed? Asked when it is to be
    /// sent. Then the call is committed to what was sent, and counts as [committed](crate::CallCounts::committed).
    fn lost(&self, _copy: &Req) -> bool {
        false
    }

    /// Who goes on, where a copy and what it was made of share something that cannot be kept for both. Said when one of them matters less: of a
    /// copy that nobody waits for, as a mirrored one, and of what has failed when a copy is sent in its place. Of two that are under way beside
    /// each other whoever is ahead goes on.
    fn favour(&self, _copy: &Req, _whom: Favoured) {}
}

/// Which of a copy and what it was made of matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Favoured {
    /// What was there first: the caller's own.
    Original,
    /// What was made of it: it takes the place of what has failed.
    Copy,
}
