//! Bodies of our own requests.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, combinators};

/// A body that can be made of what it is to say, as [`GrpcProbe`](super::GrpcProbe) has to.
pub trait Filled {
    /// It says `bytes`, and no more.
    fn filled(bytes: Bytes) -> Self;
}

impl Filled for Full<Bytes> {
    fn filled(bytes: Bytes) -> Self {
        Self::new(bytes)
    }
}

impl<E> Filled for combinators::BoxBody<Bytes, E> {
    fn filled(bytes: Bytes) -> Self {
        Full::new(bytes).map_err(|never| match never {}).boxed()
    }
}

impl<E> Filled for combinators::UnsyncBoxBody<Bytes, E> {
    fn filled(bytes: Bytes) -> Self {
        Full::new(bytes)
            .map_err(|never| match never {})
            .boxed_unsync()
    }
}

#[cfg(feature = "tonic")]
impl Filled for tonic::body::Body {
    fn filled(bytes: Bytes) -> Self {
        Self::new(Full::new(bytes))
    }
}
