//! Several at once.

use std::sync::Arc;

use buttress_core::{Destination, Force, Registry, Snapshot, UnknownName};

use super::{Handle, Subscription};

/// All that goes by one name: the endpoints of a set, the keys of a layer, or everything made from one policy.
///
/// It keeps nothing alive: who belongs to it is looked up each time, and whoever comes later was not meant.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tower::BoxError> {
/// use buttress::{Buttress, Force, Idempotent, Plain, Policy, fixed};
/// use tower::{BoxError, Service, ServiceExt, service_fn};
///
/// let buttress = Buttress::new().policy("db", Policy::new());
/// let replicas = fixed(["10.0.0.1:5432", "10.0.0.2:5432"])?;
/// let mut db = buttress.dispatch("db", Idempotent(Plain), replicas, |_| {
///     service_fn(|id: u32| async move { Ok::<_, BoxError>(id) })
/// })?;
/// db.ready().await?; // the set is read
///
/// db.handles().find("10.0.0.1:5432")?.force(Force::Drain);
/// assert_eq!(buttress.handle("db/10.0.0.1:5432")?.forced(), Some(Force::Drain));
/// buttress.handles("db")?.release();
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Handles {
    registry: Registry,
    scope: Scope,
}

#[derive(Clone, Debug)]
enum Scope {
    One(Destination),
    Policy(Arc<str>),
}

impl Handles {
    /// What one layer watches.
    pub(crate) fn of(destination: &Destination) -> Self {
        Self {
            registry: destination.registry(),
            scope: Scope::One(destination.clone()),
        }
    }

    /// What goes by the name of a policy.
    pub(crate) fn named(registry: &Registry, policy: &str) -> Self {
        Self {
            registry: registry.clone(),
            scope: Scope::Policy(policy.into()),
        }
    }

    /// The name they go by.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.scope {
            Scope::One(destination) => destination.name(),
            Scope::Policy(policy) => policy,
        }
    }

    /// Each of them, in the order they were first seen.
    #[must_use]
    pub fn all(&self) -> Vec<Handle> {
        let vitals = match &self.scope {
            Scope::One(destination) => destination.vitals(),
            Scope::Policy(policy) => self.registry.find(policy).unwrap_or_default(),
        };
        vitals.into_iter().map(Handle::of).collect()
    }

    /// The one at an address, or of a key as it is shown.
    ///
    /// # Errors
    ///
    /// When there is none, or are several.
    pub fn find(&self, endpoint: &str) -> Result<Handle, UnknownName> {
        let all = self.all();
        let mut found = all
            .iter()
            .filter(|one| one.vitals().endpoint().as_deref() == Some(endpoint));
        match (found.next(), found.count()) {
            (Some(one), 0) => Ok(one.clone()),
            (first, more) => {
                let known = all.iter().filter_map(|one| one.vitals().endpoint());
                let unknown = UnknownName::new(endpoint, known.map(|one| one.to_string()));
                Err(unknown.several(more + usize::from(first.is_some())))
            }
        }
    }

    /// Does by hand what `force` says with each of them.
    pub fn force(&self, force: Force) {
        self.all().iter().for_each(|one| one.force(force));
    }

    /// Leaves each of them to itself again.
    pub fn release(&self) {
        self.all().iter().for_each(Handle::release);
    }

    /// Forgets what is known against each of them.
    pub fn reset(&self) {
        self.all().iter().for_each(Handle::reset);
    }

    /// Everything known of each of them.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Snapshot> {
        self.all().iter().map(Handle::snapshot).collect()
    }

    /// What happens to any of them from now on, whenever they come, and to the set as a whole.
    #[must_use]
    pub fn events(&self) -> Subscription {
        Subscription::new(&self.registry, self.name().into(), None)
    }
}
