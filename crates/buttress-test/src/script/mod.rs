//! A service that does what a script says, and notes how it was treated.

mod future;
mod handle;
mod state;

use std::{
    fmt, mem,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tower_service::Service;

use self::state::{Place, Reservation, Shared};
pub use self::{
    future::ScriptedFuture,
    handle::{Counts, Script, Violation},
};
use crate::BoxError;

/// What `poll_ready` of a [`Scripted`] does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Readiness {
    /// Ready at once.
    Ready,
    /// Pending until this much tokio time has passed, or until [`Script::release`]; then ready.
    PendingOnce(Duration),
    /// Pending until [`Script::release`], which may never come; then ready.
    Never,
    /// Fails with a [`ScriptedError`] of this text.
    Err(String),
}

/// What the future of a [`Scripted`] does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// Gives the request back after this many pending polls, each of which wakes its task at once.
    Ok {
        /// How many polls are answered by `Pending` first.
        pending: usize,
    },
    /// Fails at its first poll with a [`ScriptedError`] of this text.
    Err(String),
    /// Gives the request back on [`Script::release`], and until then is pending.
    Hang,
    /// Gives the request back this much tokio time after the call, or on [`Script::release`].
    After(Duration),
}

/// The error of a [`Scripted`]; it displays as the text in the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptedError(String);

impl fmt::Display for ScriptedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ScriptedError {}

/// An echoing service, driven by the [`Script`] which it shares with its clones.
///
/// Each attempt at readiness takes the next [`Readiness`] and each call the next [`Answer`]; with none left the standing one holds,
/// which is at first `Ready` and `Ok { pending: 0 }`.
///
/// A breach of the tower contract does not panic, since a layer could hide it: it is noted, see [`Script::violations`].
///
/// # Panics
///
/// [`Readiness::PendingOnce`] and [`Answer::After`] panic outside a tokio runtime with time enabled.
///
/// # Examples
///
/// ```
/// use std::future::poll_fn;
/// use buttress_test::{Answer, Scripted};
/// use tower_service::Service;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), buttress_test::BoxError> {
/// let mut service = Scripted::new();
/// let script = service.script();
/// script.answer_next(Answer::Err("down".into()));
///
/// poll_fn(|cx| service.poll_ready(cx)).await?;
/// assert_eq!(service.call(1).await.unwrap_err().to_string(), "down");
///
/// poll_fn(|cx| service.poll_ready(cx)).await?;
/// assert_eq!(service.call(2).await?, 2);
/// assert_eq!(script.counts().calls, 2);
/// assert!(script.violations().is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Scripted {
    shared: Arc<Shared>,
    step: Step,
}

/// How far this one clone has come to being ready. Never shared.
#[derive(Debug)]
enum Step {
    Idle,
    Waiting(Place),
    Reserved(Reservation),
    Failed,
}

impl Scripted {
    /// A service that is always ready and echoes at once.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Arc::new(Shared::default()))
    }

    /// The handle through which this service and all its clones are driven and read.
    #[must_use]
    pub fn script(&self) -> Script {
        Script::new(Arc::clone(&self.shared))
    }

    fn with(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            step: Step::Idle,
        }
    }
}

impl Default for Scripted {
    fn default() -> Self {
        Self::new()
    }
}

/// A clone shares the script, and is not ready.
impl Clone for Scripted {
    fn clone(&self) -> Self {
        Self::with(Arc::clone(&self.shared))
    }
}

impl Service<u64> for Scripted {
    type Response = u64;
    type Error = BoxError;
    type Future = ScriptedFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.shared.lock().counts.ready_polls += 1;
        loop {
            self.step = match &mut self.step {
                // Idle | Failed -> by script
                Step::Idle | Step::Failed => match self.shared.next_readiness() {
                    Readiness::Ready => Step::Reserved(Reservation::new(&self.shared)),
                    Readiness::PendingOnce(after) => {
                        Step::Waiting(Place::new(&self.shared, Some(after)))
                    }
                    Readiness::Never => Step::Waiting(Place::new(&self.shared, None)),
                    Readiness::Err(text) => {
                        self.step = Step::Failed;
                        return Poll::Ready(Err(ScriptedError(text).into()));
                    }
                },
                // Waiting -> Reserved
                Step::Waiting(place) => {
                    ready!(place.poll(cx));
                    Step::Reserved(Reservation::new(&self.shared))
                }
                // Kept until used
                Step::Reserved(_) => return Poll::Ready(Ok(())),
            };
        }
    }

    fn call(&mut self, request: u64) -> ScriptedFuture {
        let breach = match mem::replace(&mut self.step, Step::Idle) {
            // Used up
            Step::Reserved(reservation) => {
                drop(reservation);
                None
            }
            Step::Idle | Step::Waiting(_) => Some(Violation::CallWithoutReady),
            Step::Failed => Some(Violation::CallAfterError),
        };
        self.shared.lock().violations.extend(breach);
        ScriptedFuture::new(&self.shared, request)
    }
}
