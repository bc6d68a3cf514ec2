//! Any service as a probe.

use std::{fmt, future::poll_fn};

use buttress_core::{Endpoint, Outcome, Protocol};
use tower_service::Service;

use super::{Probe, ProbeFuture};
use crate::Connect;

/// Asks an endpoint through a service of its own protocol: a request that tells whether it is well, and the protocol's
/// word on the answer.
///
/// What counts is what counts of a call: overload is silent, and the caller's fault proves the endpoint alive. The
/// answer is dropped with its head.
///
/// # Examples
///
/// ```
/// use buttress::{Endpoint, Plain, ServiceProbe};
/// use tower::{BoxError, service_fn};
///
/// let connect = |_: &Endpoint| service_fn(|ping: &'static str| async move { Ok::<_, BoxError>(ping) });
/// let probe = ServiceProbe::new(connect, |_: &Endpoint| "PING", Plain);
/// # fn takes(_: impl buttress::Probe) {} takes(probe);
/// ```
#[derive(Clone)]
pub struct ServiceProbe<C, M, P> {
    connect: C,
    request: M,
    protocol: P,
}

impl<C, M, P> ServiceProbe<C, M, P> {
    /// Sends what `request` makes for an endpoint through what `connect` makes of it: clones of one client, or a new
    /// connection each time. Both are called once a probe.
    pub const fn new(connect: C, request: M, protocol: P) -> Self {
        Self {
            connect,
            request,
            protocol,
        }
    }
}

impl<C, M, Req, P> Probe for ServiceProbe<C, M, P>
where
    C: Connect,
    C::Service: Service<Req> + Send + 'static,
    <C::Service as Service<Req>>::Future: Send,
    M: Fn(&Endpoint) -> Req + Send + Sync + 'static,
    Req: Send + 'static,
    P: Protocol<<C::Service as Service<Req>>::Response, <C::Service as Service<Req>>::Error>
        + Send
        + Sync
        + 'static,
{
    fn ask(&self, endpoint: &Endpoint) -> ProbeFuture {
        let mut service = self.connect.connect(endpoint);
        let (request, protocol) = ((self.request)(endpoint), self.protocol.clone());
        Box::pin(async move {
            match unready(&mut service, &protocol).await {
                Some(outcome) => outcome,
                None => judge(&protocol, &service.call(request).await),
            }
        })
    }
}

/// How it failed to become ready, if it did. The error does not outlive this: it need not be `Send`.
async fn unready<S, Req, P>(service: &mut S, protocol: &P) -> Option<Outcome>
where
    S: Service<Req>,
    P: Protocol<S::Response, S::Error>,
{
    let ready = poll_fn(|cx| service.poll_ready(cx)).await;
    ready.err().map(|error| protocol.classify(Err(&error)))
}

fn judge<Res, Err, P: Protocol<Res, Err>>(protocol: &P, answer: &Result<Res, Err>) -> Outcome {
    protocol.classify(answer.as_ref())
}

impl<C, M, P> fmt::Debug for ServiceProbe<C, M, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceProbe").finish_non_exhaustive()
    }
}
