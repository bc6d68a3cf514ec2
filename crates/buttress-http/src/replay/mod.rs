//! Bodies that can be sent a second time.

use std::sync::{OnceLock, atomic::Ordering};

mod account;
mod bodies;
mod error;
mod favour;
mod once;
mod part;
mod state;
mod tee;
#[cfg(test)]
mod tests;

use account::HELD;
pub use error::ReplayError;
pub(crate) use favour::Favour;
pub use once::Once;

/// What linkerd2-proxy keeps of a request.
const EACH: usize = 64 * 1024;

/// A thousand calls that keep as much as they may.
const TOTAL: usize = 1024 * EACH;

/// A body that can be sent a second time.
///
/// Bodies that are there as a whole are cloned. The boxed ones are kept as they are first read, up to the [limits](struct@crate::Http) of
/// the protocol. Whatever else is sent once, as [`Once`] or by one line of your own:
///
/// ```
/// use buttress_http::{Replay, Replayable};
///
/// struct Upload(/* … */);
///
/// impl Replayable for Upload {
///     fn replay(&mut self, _: &Replay) -> Option<Self> { None }
/// }
/// ```
///
/// A body that arrives, as hyper's `Incoming`, is boxed first:
///
/// ```
/// use buttress_http::Replayable;
/// use http_body_util::{BodyExt as _, combinators::BoxBody};
/// # type Incoming = http_body_util::Full<bytes::Bytes>;
///
/// type BoxError = Box<dyn std::error::Error + Send + Sync>;
///
/// fn replayable(body: Incoming) -> BoxBody<bytes::Bytes, BoxError> {
///     body.map_err(BoxError::from).boxed()
/// }
/// # fn is<B: Replayable>(_: B) {}
/// # is(replayable(Incoming::default()));
/// ```
pub trait Replayable: Sized {
    /// A second one, made before the first is sent. `None` where that cannot be.
    fn replay(&mut self, replay: &Replay) -> Option<Self>;

    /// Can it no longer be read from its beginning, for more of it has gone by than is kept? Asked before it is sent.
    fn lost(&self) -> bool {
        false
    }
}

/// How much may be kept of bodies that are read once, so that they can be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    each: usize,
    total: usize,
}

impl Kept {
    /// 64 KiB of each call (linkerd2-proxy's figure), 64 MiB of all together.
    pub(crate) const DEFAULT: Self = Self {
        each: EACH,
        total: TOTAL,
    };

    pub(crate) const fn each(mut self, bytes: usize) -> Self {
        self.each = bytes;
        self
    }

    pub(crate) const fn total(mut self, bytes: usize) -> Self {
        self.total = bytes;
        self
    }
}

impl Default for Kept {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// One copying of a body: how much may be kept of it, and the way to what it made.
#[derive(Debug, Default)]
pub struct Replay {
    kept: Kept,
    favour: OnceLock<Favour>,
}

impl Replay {
    pub(crate) const fn of(kept: Kept) -> Self {
        Self {
            kept,
            favour: OnceLock::new(),
        }
    }

    /// Is there room for a body that is at least so long, and are there not too many others?
    fn has_room(&self, least: u64) -> bool {
        least <= self.kept.each as u64 && Self::held() < self.kept.total
    }

    /// The way to the tee that it made, if it made one.
    pub(crate) fn favour(self) -> Option<Favour> {
        self.favour.into_inner()
    }

    /// How many bytes may be kept of one body.
    #[must_use]
    pub const fn most(&self) -> usize {
        self.kept.each
    }

    /// How many bytes are kept now, in the whole process.
    #[must_use]
    pub fn held() -> usize {
        // Relaxed: a figure, of no moment.
        HELD.load(Ordering::Relaxed)
    }
}
