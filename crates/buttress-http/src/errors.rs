//! Which errors the services of a protocol have.

use std::error::Error;

type BoxError = Box<dyn Error + Send + Sync>;

/// Errors that are looked into to judge a call. For [`TypedErrors`] those of a type of their own, for [`BoxedErrors`] boxed ones.
///
/// There is no bound that both meet: hence a protocol for each.
#[diagnostic::on_unimplemented(
    message = "`{E}` cannot be looked into by this protocol",
    note = "for services whose error is `Box<dyn Error + Send + Sync>` there is `.boxed()`: `Http.boxed()`",
    note = "any other error has to implement `std::error::Error`"
)]
pub trait Errors<E>: Clone {
    /// The first link of its chain.
    fn chain(error: &E) -> &(dyn Error + 'static);
}

/// Of a type of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TypedErrors;

/// `Box<dyn Error + Send + Sync>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoxedErrors;

impl<E: Error + 'static> Errors<E> for TypedErrors {
    fn chain(error: &E) -> &(dyn Error + 'static) {
        error
    }
}

impl Errors<BoxError> for BoxedErrors {
    fn chain(error: &BoxError) -> &(dyn Error + 'static) {
        &**error
    }
}
