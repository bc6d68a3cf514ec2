//! What may stand in for a service that fails: a value, a function of the failure, another service.
//!
//! What a stand-in needs of a request is kept before the request is sent, for then it is gone. What is kept of every
//! request costs every call, be it nothing, a key that you take from it, or a copy.
//!
//! # Examples
//!
//! A page that was read earlier, by its path, instead of a failure or a refusal:
//!
//! ```
//! # #[cfg(feature = "http")] {
//! use std::{collections::HashMap, sync::{Arc, Mutex}};
//! use buttress::{FallbackLayer, Http, instead};
//! use http::{Request, Response};
//!
//! let pages: Arc<Mutex<HashMap<String, String>>> = Arc::default();
//! let cached = instead::keyed(
//!     |request: &Request<String>| request.uri().path().to_owned(),
//!     move |path, _| Some(Response::new(pages.lock().ok()?.get(&path)?.clone())),
//! );
//! # fn errs<T: instead::Instead<Http, Request<String>, Response<String>, std::io::Error>>(_: &T) {} errs(&cached);
//! let layer = FallbackLayer::new(Http, cached);
//! # let _ = layer; }
//! ```
//!
//! Around a layer of this crate the body is a [`GuardedBody`](crate::GuardedBody), which is made of a text by `From`.

use std::{
    fmt,
    future::{Future, Ready, ready},
    marker::PhantomData,
};

use buttress_core::{Favoured, Resend};
use tower_service::Service;

use super::Failure;
pub use super::asking::Asking;

/// What stands in for a service whose protocol is `P`.
///
/// The functions of [this module](self) make those that are wanted most.
pub trait Instead<P, Req, Res, Err> {
    /// What it keeps of a request.
    type Kept;
    /// Its answer; none if it has none, and then that of the service stands.
    type Answer: Future<Output = Option<Res>>;

    /// Is its answer judged as the service's own is, and passed over if it is a failure as well? If not, it is taken at
    /// its word: a page that says 503 may be just what is wanted.
    const JUDGED: bool = false;

    /// Keeps what it needs. Done for every call, before the request is sent.
    fn keep(&self, protocol: &P, request: &mut Req) -> Self::Kept;

    /// Answers. Done for calls that have failed.
    fn answer(
        &self,
        protocol: &P,
        kept: Self::Kept,
        failure: Failure<'_, Res, Err>,
    ) -> Self::Answer;
}

/// Always the same answer.
pub const fn value<V: Clone>(value: V) -> Value<V> {
    Value(value)
}

/// What `answer` makes of the failure; none, and the failure stands.
pub const fn with<Res, Err, F>(answer: F) -> With<F, Res, Err>
where
    F: Fn(Failure<'_, Res, Err>) -> Option<Res>,
{
    With(answer, PhantomData)
}

/// What `answer` makes of the failure, and of what `key` took from the request; none, and the failure stands.
pub const fn keyed<Req, K, Res, Err, G, F>(key: G, answer: F) -> Keyed<G, F, Res, Err>
where
    G: Fn(&Req) -> K,
    F: Fn(K, Failure<'_, Res, Err>) -> Option<Res>,
{
    Keyed(key, answer, PhantomData)
}

/// Another service, asked with a copy of the request, where its protocol can make one. If it fails as well, by the same
/// protocol, the first failure stands.
pub const fn service<T: Clone>(service: T) -> Other<T> {
    Other(service)
}

/// Another service, asked with what `key` took from the request. If it fails as well, the first failure stands.
pub const fn keyed_service<Req, K, G, T>(key: G, service: T) -> KeyedOther<G, T>
where
    G: Fn(&Req) -> K,
    T: Service<K> + Clone,
{
    KeyedOther(key, service)
}

/// See [`value`].
#[derive(Clone, Copy, Debug)]
pub struct Value<V>(V);

/// See [`with`].
pub struct With<F, Res, Err>(F, PhantomData<fn() -> (Res, Err)>);

/// See [`keyed`].
pub struct Keyed<G, F, Res, Err>(G, F, PhantomData<fn() -> (Res, Err)>);

/// See [`service`](service()).
#[derive(Clone, Copy, Debug)]
pub struct Other<T>(T);

/// See [`keyed_service`].
#[derive(Clone, Copy, Debug)]
pub struct KeyedOther<G, T>(G, T);

impl<P, Req, Res: Clone, Err> Instead<P, Req, Res, Err> for Value<Res> {
    type Kept = ();
    type Answer = Ready<Option<Res>>;

    fn keep(&self, _: &P, _: &mut Req) {}

    fn answer(&self, _: &P, (): (), _: Failure<'_, Res, Err>) -> Self::Answer {
        ready(Some(self.0.clone()))
    }
}

impl<P, Req, Res, Err, F> Instead<P, Req, Res, Err> for With<F, Res, Err>
where
    F: Fn(Failure<'_, Res, Err>) -> Option<Res>,
{
    type Kept = ();
    type Answer = Ready<Option<Res>>;

    fn keep(&self, _: &P, _: &mut Req) {}

    fn answer(&self, _: &P, (): (), failure: Failure<'_, Res, Err>) -> Self::Answer {
        ready(self.0(failure))
    }
}

impl<P, Req, Res, Err, K, G, F> Instead<P, Req, Res, Err> for Keyed<G, F, Res, Err>
where
    G: Fn(&Req) -> K,
    F: Fn(K, Failure<'_, Res, Err>) -> Option<Res>,
{
    type Kept = K;
    type Answer = Ready<Option<Res>>;

    fn keep(&self, _: &P, request: &mut Req) -> K {
        self.0(request)
    }

    fn answer(&self, _: &P, key: K, failure: Failure<'_, Res, Err>) -> Self::Answer {
        ready(self.1(key, failure))
    }
}

impl<P, Req, Res, Err, T> Instead<P, Req, Res, Err> for Other<T>
where
    P: Resend<Req>,
    T: Service<Req, Response = Res> + Clone,
{
    type Kept = Option<Req>;
    type Answer = Asking<T, Req>;

    const JUDGED: bool = true;

    fn keep(&self, protocol: &P, request: &mut Req) -> Option<Req> {
        protocol.copy(request)
    }

    fn answer(&self, protocol: &P, copy: Option<Req>, _: Failure<'_, Res, Err>) -> Self::Answer {
        let copy = copy.filter(|copy| !protocol.lost(copy));
        copy.iter()
            .for_each(|copy| protocol.favour(copy, Favoured::Copy));
        Asking::new(self.0.clone(), copy)
    }
}

impl<P, Req, Res, Err, K, G, T> Instead<P, Req, Res, Err> for KeyedOther<G, T>
where
    G: Fn(&Req) -> K,
    T: Service<K, Response = Res> + Clone,
{
    type Kept = K;
    type Answer = Asking<T, K>;

    const JUDGED: bool = true;

    fn keep(&self, _: &P, request: &mut Req) -> K {
        self.0(request)
    }

    fn answer(&self, _: &P, key: K, _: Failure<'_, Res, Err>) -> Self::Answer {
        Asking::new(self.1.clone(), Some(key))
    }
}

// Not derived: what they answer with need be neither.
impl<F: Clone, Res, Err> Clone for With<F, Res, Err> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<G: Clone, F: Clone, Res, Err> Clone for Keyed<G, F, Res, Err> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), self.1.clone(), PhantomData)
    }
}

impl<F, Res, Err> fmt::Debug for With<F, Res, Err> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("With")
    }
}

impl<G, F, Res, Err> fmt::Debug for Keyed<G, F, Res, Err> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyed")
    }
}
