//! Background services that are run again when they fail.

mod board;
mod exit;
mod report;
mod run;
mod service;
mod stop;

use std::sync::Arc;

use buttress_core::{Registry, Supervision, SupervisorPolicy};

pub use exit::{Exit, IntoExit};
pub use report::{GaveUp, StartError, Stopped};
pub use stop::Stop;

use crate::{Handle, host};
use board::Board;
use run::Runs;
use service::{Seat, Service};
use stop::Signal;

/// Runs named background services, and runs them again when they fail.
///
/// A service is a function from [`Stop`] to a future. It is run in a task of its own; when it returns an error or panics it
/// is run again, later and later, as its [`SupervisorPolicy`] says. When that does not help it is given up, once:
/// [`failed`](Self::failed) tells whoever can do more about it, and so does an event.
///
/// Each is seen in the registry by its name, with its runs as counts and its failures as outages: MTBF is that of the loop,
/// MTTR the time from its end to the run that lasted. A run that ends before the policy's first wait would be over was no repair.
///
/// Dropping the supervisor aborts its services, each at its next await; [`shutdown`](Self::shutdown) first lets them stop
/// by themselves. A service that holds its own supervisor would keep itself alive: hand it what it needs instead.
///
/// # Panics
///
/// A panic of a service stays in its task. It still passes through the process's panic hook, which prints its text as it is;
/// what is told here goes through [`Redact`](crate::Redact). With `panic = "abort"` it ends the process.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use std::{io, time::Duration};
/// use buttress::{Buttress, Stop, SupervisorPolicy};
///
/// async fn poll_once() -> io::Result<()> { Ok(()) }
///
/// async fn poller(mut stop: Stop) -> io::Result<()> {
///     let mut every = tokio::time::interval(Duration::from_secs(1));
///     loop {
///         tokio::select! {
///             () = &mut stop => return Ok(()),
///             _ = every.tick() => poll_once().await?,
///         }
///     }
/// }
///
/// let buttress = Buttress::new();
/// let supervisor = buttress.supervisor();
/// supervisor.start("poller", SupervisorPolicy::new(), poller).unwrap();
///
/// tokio::select! {
///     failure = supervisor.failed() => eprintln!("{failure}"),
///     () = tokio::time::sleep(Duration::from_secs(10)) => supervisor.shutdown().await, // or a signal
/// }
/// assert!(!supervisor.is_running("poller"));
/// # }
/// ```
#[derive(Debug)]
#[must_use = "its services end when this is dropped"]
pub struct Supervisor {
    board: Arc<Board>,
    registry: Registry,
}

impl Supervisor {
    /// With a registry of its own. [`Buttress::supervisor`](crate::Buttress::supervisor) shares that of the root.
    pub fn new() -> Self {
        Self::within(host::registry())
    }

    pub(crate) fn within(registry: Registry) -> Self {
        Self {
            board: Arc::default(),
            registry,
        }
    }

    /// Runs `service` under `name`, from now on. One that was given up or has ended may be started again.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// # Errors
    ///
    /// Refuses a policy that cannot be, and a name whose service has not ended.
    pub fn start<F, Fut>(
        &self,
        name: &str,
        policy: SupervisorPolicy,
        service: F,
    ) -> Result<(), StartError>
    where
        F: FnMut(Stop) -> Fut + Send + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: IntoExit,
    {
        policy.check().map_err(StartError::Policy)?;
        let runtime = tokio::runtime::Handle::current();
        let (name, stop): (Arc<str>, _) = (name.into(), Arc::new(Signal::default()));
        let (number, before) = self.board.take_place(&name, &stop)?;
        let away = before.is_some();
        let vitals = before.unwrap_or_else(|| host::reported(&name, &self.registry));
        let service = Service {
            seat: Seat {
                board: Arc::clone(&self.board),
                name: Arc::clone(&name),
                number,
            },
            vitals: vitals.clone(),
            policy,
            supervision: Supervision::new(policy, fastrand::u64(..)),
            runs: Runs::new(service),
            stop: stop.listen(),
            away,
        };
        let task = runtime.spawn(service.run()).abort_handle();
        self.board.began(&name, number, &vitals, task);
        Ok(())
    }

    /// Tells the service to stop, at once, and waits until it has.
    ///
    /// Its policy's `stop_within` bounds that: then it is aborted, which an event tells. A service that waits for its next run
    /// has stopped at once. Then it is no longer in the registry.
    ///
    /// # Cancel safety
    ///
    /// The service is told when this is called. Dropping the future changes nothing for it: its deadline is kept.
    pub fn stop(&self, name: &str) -> impl Future<Output = Stopped> + Send + use<> {
        let (board, number) = (Arc::clone(&self.board), self.board.tell_to_stop(name));
        let name = name.to_owned();
        async move {
            match number {
                Some(number) => board.over(&name, number).await,
                None => Stopped::NotRunning,
            }
        }
    }

    /// Is a run of the service under way? Not while it waits for its next.
    #[must_use]
    pub fn is_running(&self, name: &str) -> bool {
        self.board.is_running(name)
    }

    /// Waits for the next service that is given up. Each is told of once, to one caller, also where it was given up before
    /// anybody asked; one that is stopped or started again in the meantime is not.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn failed(&self) -> GaveUp {
        self.board.gave_up().await
    }

    /// Tells every service to stop, all at the same time, and waits until they have.
    ///
    /// # Cancel safety
    ///
    /// As [`stop`](Self::stop).
    pub fn shutdown(&self) -> impl Future<Output = ()> + Send + use<> {
        let names = self.board.names();
        let stopping: Vec<_> = names.iter().map(|name| self.stop(name)).collect();
        async move {
            for stopped in stopping {
                stopped.await;
            }
        }
    }

    /// The service in somebody's hand, from its start until it is done or stopped. One that failed for good stays to be seen.
    #[must_use]
    pub fn handle(&self, name: &str) -> Option<Handle> {
        self.board.vitals(name).map(Handle::of)
    }

    /// Where its services are seen.
    #[must_use]
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }
}

impl Default for Supervisor {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.board.abort();
    }
}
