//! What a protocol reads in the end of a body.

use buttress_core::{Outcome, Refusal};
use http::HeaderMap;

/// How a body whose head did not decide tells how the call went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grammar {
    /// What its trailers say.
    pub(crate) trailers: fn(&HeaderMap) -> Outcome,
    /// How it went if it comes to its end without any.
    pub(crate) missing: Outcome,
    /// The trailers that say no, where a body can. Without, a body that is cut ends with an error.
    pub(crate) cut: fn(Refusal) -> Option<HeaderMap>,
}
