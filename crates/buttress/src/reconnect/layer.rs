//! Makes [`Reconnect`]s.

use std::{fmt, future::poll_fn};

use buttress_core::{Outcome, PolicyError, ReconnectPolicy, Registry};
use tower_layer::Layer;
use tower_service::Service;

use super::{Reconnect, attempt::Maker, link::Link, rules::Rules};
use crate::{Handle, host};

/// Keeps a service that breaks alive, by making it anew.
///
/// It is made by a function to a future, or by a tower service that makes services (`MakeService`), and by one attempt at a
/// time for all callers. When that fails, there is a wait that grows, and meanwhile calls are refused with the time after
/// which to try again.
///
/// A connection broke when its `poll_ready` fails, or a call on it ends as [`breaks_on`](Self::breaks_on) says. One that had
/// served a call is made again at once. One that had not proves nothing: there is a wait, as if it could not be made. It is made
/// when it is next needed, not before. One on which calls hang breaks nothing: that is for the keepalive of the connection to
/// find out.
///
/// Its state is born here, and seen in the registry: attempts to connect as counts, and times without a connection that works
/// as outages, from when one broke until the next has served a call.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), tower::BoxError> {
/// use std::io;
/// use buttress::{Plain, ReconnectLayer};
/// use tower::{BoxError, Service, ServiceExt, service_fn, util::BoxCloneService};
///
/// type Client = BoxCloneService<u32, u32, BoxError>;
///
/// async fn connect(_address: &str) -> io::Result<Client> {
///     Ok(BoxCloneService::new(service_fn(async |id| Ok(id + 1))))
/// }
///
/// let db = ReconnectLayer::new("db", Plain).over(|| connect("10.0.0.1:5432"));
/// assert_eq!(db.oneshot(1).await?, 2);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ReconnectLayer<P> {
    protocol: P,
    rules: Rules,
}

impl<P> ReconnectLayer<P> {
    /// Under the default policy.
    pub fn new(name: &str, protocol: P) -> Self {
        Self::born(name, protocol, ReconnectPolicy::new(), &host::registry())
    }

    /// Under `policy`.
    ///
    /// # Errors
    ///
    /// Refuses a policy that cannot be.
    pub fn with_policy(
        name: &str,
        protocol: P,
        policy: ReconnectPolicy,
    ) -> Result<Self, PolicyError> {
        Self::within(name, protocol, policy, &host::registry())
    }

    pub(crate) fn within(
        name: &str,
        protocol: P,
        policy: ReconnectPolicy,
        registry: &Registry,
    ) -> Result<Self, PolicyError> {
        policy.check()?;
        Ok(Self::born(name, protocol, policy, registry))
    }

    fn born(name: &str, protocol: P, policy: ReconnectPolicy, registry: &Registry) -> Self {
        Self {
            protocol,
            rules: Rules::new(policy, host::reported(name, registry)),
        }
    }

    /// Sets which calls mean that their connection is of no more use: by default those that failed of
    /// [`Connect`](crate::Cause::Connect), [`Reset`](crate::Cause::Reset) or [`Protocol`](crate::Cause::Protocol).
    ///
    /// [`Plain`](crate::Plain) and [`Foreign`](crate::Foreign) know no such causes, so that by default only `poll_ready` tells.
    /// Where every error of a call means a broken connection, say so:
    ///
    /// ```
    /// use buttress::{Outcome, Plain, ReconnectLayer};
    ///
    /// let layer = ReconnectLayer::new("db", Plain).breaks_on(|outcome| matches!(outcome, Outcome::Failure(_)));
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn breaks_on(mut self, breaks: fn(Outcome) -> bool) -> Self {
        self.rules.breaks = breaks;
        self
    }

    /// After an outage calls come back by degrees, through the breaker of `guard`, which is around this.
    ///
    /// A guard that has opened its own breaker tests and ramps anyhow. This is for outages that it did not see, as when
    /// nobody called. A connection that could be made again at the first attempt was never away, and nothing is held back.
    ///
    /// ```
    /// use buttress::{GuardLayer, Plain, ReconnectLayer};
    ///
    /// let guard = GuardLayer::new("db", Plain);
    /// let reconnect = ReconnectLayer::new("db, connection", Plain).reentering(&guard.handle());
    /// # let _ = reconnect;
    /// ```
    #[must_use]
    pub fn reentering(mut self, guard: &Handle) -> Self {
        self.rules.reenters = Some(guard.vitals().clone());
        self
    }

    /// The connection in somebody's hand: to look at it, and to hear what happens.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::of(self.rules.vitals.clone())
    }

    /// A service that is made by `connect`, when it is first needed and whenever it broke.
    ///
    /// Nothing is asked of an error to connect but its text, which an event tells; calls are refused with
    /// [`Refusal::Disconnected`](crate::Refusal::Disconnected).
    pub fn over<F, Fut, S, E>(&self, connect: F) -> Reconnect<S, P>
    where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output = Result<S, E>> + Send + 'static,
        S: Clone + Send + 'static,
        E: fmt::Display,
        P: Clone,
    {
        let link = Link::new(self.rules.clone(), Maker::new(connect));
        Reconnect::new(link, self.protocol.clone())
    }
}

/// For services that make services, and are told nothing: where they are to be told a target, `map_request` tells it.
impl<M, P: Clone> Layer<M> for ReconnectLayer<P>
where
    M: Service<(), Response: Clone + Send + 'static, Error: fmt::Display> + Clone + Send + 'static,
    M::Future: Send,
{
    type Service = Reconnect<M::Response, P>;

    fn layer(&self, maker: M) -> Self::Service {
        self.over(move || {
            let mut maker = maker.clone();
            async move {
                poll_fn(|cx| maker.poll_ready(cx)).await?;
                maker.call(()).await
            }
        })
    }
}
