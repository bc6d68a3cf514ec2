//! The bodies that can be sent again.

use std::fmt::Display;

use bytes::{Buf, Bytes};
use http_body::Body;
use http_body_util::{
    Empty, Full,
    combinators::{BoxBody, UnsyncBoxBody},
};

use super::{Replay, ReplayError, Replayable, tee::Tee};

macro_rules! cloned {
    ($($body:ty),*) => {$(
        /// Cloned.
        impl Replayable for $body {
            fn replay(&mut self, _: &Replay) -> Option<Self> {
                Some(self.clone())
            }
        }
    )*};
}

cloned!((), Bytes, String, Vec<u8>, &'static [u8], &'static str);

impl<D: Buf + Clone> Replayable for Full<D> {
    fn replay(&mut self, _: &Replay) -> Option<Self> {
        Some(self.clone())
    }
}

impl<D> Replayable for Empty<D> {
    fn replay(&mut self, _: &Replay) -> Option<Self> {
        Some(Self::new())
    }
}

/// Kept as it is first read.
impl<E: From<ReplayError> + Display + 'static> Replayable for BoxBody<Bytes, E> {
    fn replay(&mut self, replay: &Replay) -> Option<Self> {
        split(self, replay, E::from, Self::new)
    }

    fn lost(&self) -> bool {
        is_lost(self)
    }
}

/// Kept as it is first read.
impl<E: From<ReplayError> + Display + 'static> Replayable for UnsyncBoxBody<Bytes, E> {
    fn replay(&mut self, replay: &Replay) -> Option<Self> {
        split(self, replay, E::from, Self::new)
    }

    fn lost(&self) -> bool {
        is_lost(self)
    }
}

/// Kept as it is first read.
#[cfg(feature = "axum")]
impl Replayable for axum_core::body::Body {
    fn replay(&mut self, replay: &Replay) -> Option<Self> {
        // Boxed by us: axum takes its own box as it is, and would put any other body in two.
        split(self, replay, axum_core::Error::new, |tee| {
            Self::new(UnsyncBoxBody::new(tee))
        })
    }

    fn lost(&self) -> bool {
        is_lost(self)
    }
}

/// Kept as it is first read.
#[cfg(feature = "tonic")]
impl Replayable for tonic::body::Body {
    fn replay(&mut self, replay: &Replay) -> Option<Self> {
        let status = |error| tonic::Status::from_error(Box::new(error));
        split(self, replay, status, |tee| {
            Self::new(UnsyncBoxBody::new(tee))
        })
    }

    fn lost(&self) -> bool {
        is_lost(self)
    }
}

/// Puts one side of a tee in the place of the body, and gives the other. `None` for one that is too long, as a lost one is.
fn split<B>(
    body: &mut B,
    replay: &Replay,
    error: fn(ReplayError) -> B::Error,
    boxed: fn(Tee<B>) -> B,
) -> Option<B>
where
    B: Body<Data = Bytes, Error: Display> + Default + Unpin + Send + 'static,
{
    if body.is_end_stream() {
        return Some(B::default());
    }
    if !replay.has_room(body.size_hint().lower()) {
        return None;
    }
    let [first, second] = Tee::split(std::mem::take(body), replay.kept, error);
    let _ = replay.favour.set(first.favour());
    *body = boxed(first);
    Some(boxed(second))
}

/// Of what is in a box, its length is all that is told. No body is so long.
fn is_lost(body: &impl Body) -> bool {
    body.size_hint().lower() == super::tee::LOST
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::replay::Kept;

    type BoxError = Box<dyn std::error::Error + Send + Sync>;

    fn full(text: &'static str) -> Full<Bytes> {
        Full::new(Bytes::from_static(text.as_bytes()))
    }

    async fn text<B: Body<Error: std::fmt::Debug>>(body: B) -> Bytes {
        body.collect().await.unwrap().to_bytes()
    }

    /// Reads three copies of it, of which the third is one of the second.
    async fn thrice<B>(mut one: B)
    where
        B: Replayable + Body<Error: std::fmt::Debug>,
    {
        let mut two = one.replay(&Replay::default()).unwrap();
        let three = two.replay(&Replay::default()).unwrap();
        assert_eq!(one.size_hint().exact(), Some(4));
        assert_eq!(three.size_hint().exact(), Some(4));
        assert_eq!(text(one).await, "text");
        assert_eq!(text(three).await, "text");
        assert_eq!(text(two).await, "text");
    }

    #[tokio::test]
    async fn every_copy_of_a_boxed_body_is_the_whole() {
        thrice(full("text")).await;
        thrice(String::from("text")).await;
        thrice(full("text").map_err(BoxError::from).boxed()).await;
        thrice(full("text").map_err(BoxError::from).boxed_unsync()).await;
        #[cfg(feature = "axum")]
        thrice(axum_core::body::Body::new(full("text"))).await;
        #[cfg(feature = "tonic")]
        thrice(tonic::body::Body::new(full("text"))).await;
    }

    #[tokio::test]
    async fn an_empty_one_is_no_tee_and_a_long_one_is_sent_once() {
        let empty = Empty::new().map_err(BoxError::from);
        let copy = empty
            .boxed()
            .replay(&Replay::of(Kept::DEFAULT.each(0)))
            .unwrap();
        assert!(copy.is_end_stream());
        let mut long = full("text").map_err(BoxError::from).boxed();
        assert!(long.replay(&Replay::of(Kept::DEFAULT.each(3))).is_none());
        assert_eq!(text(long).await, "text");
    }

    #[cfg(feature = "axum")]
    #[tokio::test]
    async fn a_lost_copy_says_so_through_every_box() {
        let parts = [Ok::<_, BoxError>(http_body::Frame::data(
            Bytes::from_static(b"text"),
        ))];
        let mut body = axum_core::body::Body::new(super::super::tests::Parts(parts.into()));
        let tight = Replay::of(Kept::DEFAULT.each(3));
        let mut copy = body.replay(&tight).unwrap();
        assert!(!copy.lost());
        let copy_of_copy = copy.replay(&tight).unwrap();
        assert_eq!(text(body).await, "text");
        assert!(copy.lost() && copy_of_copy.lost());
        assert!(copy.replay(&tight).is_none());
        let error = copy.collect().await.unwrap_err().into_inner();
        assert_eq!(error.downcast_ref(), Some(&ReplayError::Behind));
    }
}
