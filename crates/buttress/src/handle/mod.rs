//! What people do with what is known: look at it, take it in hand, listen.

mod set;
mod subscription;

use buttress_core::{Attempt, BreakerState, Force, Health, Refusal, Snapshot, Vitals};

pub use set::Handles;
pub use subscription::Subscription;

use crate::clock::CLOCK;

/// One service, endpoint or key in somebody's hand: to look at it, to take it out or bring it back, and to hear what
/// happens to it.
///
/// It comes from the layer itself ([`GuardLayer::handle`](crate::GuardLayer::handle)) or by name from the root
/// ([`Buttress::handle`](crate::Buttress::handle)). Clones are handles on the same; what is known lives as long as they.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tower::BoxError> {
/// use buttress::{BreakerLayer, Force, Plain, BreakerState};
/// use tower::{BoxError, Layer, ServiceExt, service_fn};
///
/// let layer = BreakerLayer::new("db", Plain);
/// let handle = layer.handle();
/// let service = layer.layer(service_fn(async |id: u32| Ok::<_, BoxError>(id + 1)));
///
/// handle.force(Force::Drain);
/// assert_eq!(service.clone().oneshot(1).await.unwrap_err().to_string(), "taken out by hand");
/// handle.release();
/// assert_eq!(service.oneshot(1).await?, 2);
/// assert_eq!(handle.snapshot().counts.successes, 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Handle(Vitals);

impl Handle {
    pub(crate) const fn of(vitals: Vitals) -> Self {
        Self(vitals)
    }

    /// Its name: that of the policy, and behind a slash its address or key, where there are several.
    #[must_use]
    pub fn name(&self) -> String {
        self.0.name()
    }

    /// What its breaker does with calls.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        self.0.state()
    }

    /// Is it well?
    #[must_use]
    pub fn health(&self) -> Health {
        self.0.health()
    }

    /// What is done with it by hand, if anything.
    #[must_use]
    pub fn forced(&self) -> Option<Force> {
        self.0.forced()
    }

    /// Does by hand what `force` says, whatever is known of it, until it is [released](Self::release).
    pub fn force(&self, force: Force) {
        self.0.force(Some(force), CLOCK.now());
    }

    /// Leaves it to itself again. Whoever was taken out comes back by degrees.
    pub fn release(&self) {
        self.0.force(None, CLOCK.now());
    }

    /// Forgets what is known against it: calls flow. Counts and past outages stay.
    pub fn reset(&self) {
        self.0.reset(CLOCK.now());
    }

    /// Everything known, as plain data.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.0.snapshot(CLOCK.now())
    }

    /// What happens to it from now on.
    #[must_use]
    pub fn events(&self) -> Subscription {
        let (policy, endpoint) = (self.0.policy().into(), self.0.endpoint());
        let registry = self.0.destination().registry();
        Subscription::new(&registry, policy, Some(endpoint))
    }

    /// Asks for one attempt, where there is no service to wrap.
    ///
    /// # Errors
    ///
    /// Refused while the breaker is open, and while it is taken out by hand.
    pub fn admit(&self) -> Result<Attempt, Refusal> {
        self.0.admit()
    }

    /// Its record, for whoever has a clock of their own: decisions at any time, as a model or a replay makes them.
    #[must_use]
    pub const fn vitals(&self) -> &Vitals {
        &self.0
    }
}
