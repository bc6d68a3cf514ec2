//! What servers do instead of answering.

/// What a server does instead of answering.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Nothing listens.
    Refused,
    /// The connection is reset.
    Reset,
    /// A head says 200, and then the connection is reset.
    ResetAfterHead,
    /// A head and a message, and then the connection is reset. HTTP/2 only.
    ResetAfterMessage,
    /// An answer with this status, and this `Retry-After`.
    Status(u16, Option<&'static str>),
    /// No answer.
    Hang,
    /// HTTP/2: the stream is reset, with this code.
    ResetStream(u32),
    /// HTTP/2: the connection is given up, and this stream was not processed.
    GoneBefore,
    /// HTTP/2: the connection is given up, and this stream may have been processed.
    GoneWith,
    /// HTTP/2: the same, by an error.
    BrokenWith,
    /// gRPC: a head that is all there is, with a status, and this push-back.
    Head(u8, Option<&'static str>),
    /// gRPC: a head without a status, and trailers with this one.
    Trailers(u8),
}

/// Not looked at.
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const INTERNAL_ERROR: u32 = 2;
/// Too much of whatever it was.
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    /// The first request, or the first endpoint.
    Once,
    /// All of them.
    Always,
}
