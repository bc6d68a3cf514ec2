//! What two answers are compared by.

/// What of an answer is compared.
pub trait Compare<Res> {
    /// Two answers are alike where these are equal.
    type Digest: PartialEq + Send + 'static;

    /// That of an answer; none where answers are not compared.
    fn digest(&self, answer: &Res) -> Option<Self::Digest>;
}

/// Answers of the second service are dropped; it only has to bear the calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped;

/// By what a function says of them. Made by [`MirrorLayer::compared`](super::MirrorLayer::compared).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByDigest<F>(pub(super) F);

impl<Res> Compare<Res> for Dropped {
    type Digest = ();

    fn digest(&self, _: &Res) -> Option<()> {
        None
    }
}

impl<Res, F, D> Compare<Res> for ByDigest<F>
where
    F: Fn(&Res) -> D,
    D: PartialEq + Send + 'static,
{
    type Digest = D;

    fn digest(&self, answer: &Res) -> Option<D> {
        Some(self.0(answer))
    }
}
