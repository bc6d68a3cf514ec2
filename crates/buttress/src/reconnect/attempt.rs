//! One attempt to connect, in a task of its own.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, Weak},
    thread,
    time::Duration,
};

use buttress_core::{Cause, Nanos, print_duration};
use tokio::{task::AbortHandle, time::timeout_at};

use super::link::Link;
use crate::{clock::instant, waiters::lock};

/// Makes connections.
pub(super) struct Maker<S>(Arc<Mutex<Make<S>>>);

type Make<S> = dyn FnMut() -> Made<S> + Send;

/// A connection, or in its own words why there is none.
type Made<S> = Pin<Box<dyn Future<Output = Result<S, String>> + Send>>;

impl<S> Maker<S> {
    pub(super) fn new<F, Fut, E>(mut connect: F) -> Self
    where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output = Result<S, E>> + Send + 'static,
        E: fmt::Display,
    {
        Self(Arc::new(Mutex::new(move || -> Made<S> {
            let made = connect();
            Box::pin(async move { made.await.map_err(|error| format!("{error:#}")) })
        })))
    }
}

/// An attempt under way, of which its link is told however it ends.
pub(super) struct Attempt<S: Clone + Send + 'static> {
    /// Weak: with the last service that could use it, it is over.
    link: Weak<Link<S>>,
    pub(super) number: u64,
    pub(super) began: Nanos,
    ended: bool,
}

impl<S: Clone + Send + 'static> Attempt<S> {
    pub(super) fn new(link: &Arc<Link<S>>, number: u64, began: Nanos) -> Self {
        Self {
            link: Arc::downgrade(link),
            number,
            began,
            ended: false,
        }
    }

    /// A task, for it is to be driven whoever goes away: if callers drove it, those who have less patience than it takes to
    /// connect would begin again and again and never get there.
    pub(super) fn spawn(mut self, maker: &Maker<S>, timeout: Duration) -> AbortHandle {
        let make = Arc::clone(&maker.0);
        let task = async move {
            // In the task, for it may panic.
            let made = lock(&make)();
            let made = match timeout_at(instant(self.began.after(timeout)), made).await {
                Ok(made) => made.map_err(|why| (Cause::Connect, why)),
                Err(_) => {
                    let after = print_duration(timeout);
                    Err((Cause::Timeout, format!("no connection within {after}")))
                }
            };
            self.ends(made);
        };
        tokio::spawn(task).abort_handle()
    }

    fn ends(&mut self, made: Result<S, (Cause, String)>) {
        self.ended = true;
        if let Some(link) = self.link.upgrade() {
            link.ended(self, made);
        }
    }
}

impl<S: Clone + Send + 'static> Drop for Attempt<S> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let (cause, why) = if thread::panicking() {
            (Cause::Panic, "making the connection panicked")
        } else {
            (Cause::Connect, "the runtime has ended")
        };
        self.ends(Err((cause, why.to_owned())));
    }
}
