//! Where endpoints come from.

use std::{
    convert::Infallible,
    error::Error,
    pin::Pin,
    task::{Context, Poll},
};

use buttress_core::{Endpoint, InvalidEndpoint};
use futures_core::Stream;

/// Whole sets of endpoints, one after another: any `Stream` of them, fallible. An error keeps the last set.
pub trait EndpointSets:
    Stream<Item = Result<Vec<Endpoint>, Self::Problem>> + Send + 'static
{
    /// What may go wrong on the way.
    type Problem: Into<Box<dyn Error + Send + Sync>>;
}

impl<T, E> EndpointSets for T
where
    T: Stream<Item = Result<Vec<Endpoint>, E>> + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    type Problem = E;
}

/// A set that never changes.
///
/// # Errors
///
/// Says which address is malformed, and how.
///
/// # Examples
///
/// ```
/// let replicas = buttress::fixed(["http://10.0.0.1:80", "http://10.0.0.2:80"])?;
/// # let _ = replicas;
/// assert!(buttress::fixed(["http://10.0.0.1:port"]).unwrap_err().to_string().contains("10.0.0.1:port"));
/// # Ok::<(), buttress::InvalidEndpoint>(())
/// ```
pub fn fixed<I>(endpoints: I) -> Result<Fixed, InvalidEndpoint>
where
    I: IntoIterator,
    I::Item: TryInto<Endpoint>,
    InvalidEndpoint: From<<I::Item as TryInto<Endpoint>>::Error>,
{
    let set = endpoints
        .into_iter()
        .map(TryInto::try_into)
        .collect::<Result<Vec<Endpoint>, _>>()?;
    Ok(Fixed(Some(set)))
}

/// One set, and no other after it. Made by [`fixed`].
#[derive(Clone, Debug)]
pub struct Fixed(Option<Vec<Endpoint>>);

impl Stream for Fixed {
    type Item = Result<Vec<Endpoint>, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().map(Ok))
    }
}
