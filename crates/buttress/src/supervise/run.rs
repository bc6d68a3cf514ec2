//! One run of a service, in a task of its own.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use tokio::task::JoinHandle;

use super::{
    Exit, IntoExit,
    stop::{Signal, Stop},
};
use crate::waiters::lock;

/// Begins runs of one service.
pub(super) struct Runs(Box<dyn Fn(Stop) -> JoinHandle<Exit> + Send>);

impl Runs {
    pub(super) fn new<F, Fut>(service: F) -> Self
    where
        F: FnMut(Stop) -> Fut + Send + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: IntoExit,
    {
        let service = Arc::new(Mutex::new(service));
        Self(Box::new(move |stop| {
            let service = Arc::clone(&service);
            // All of it is the user's, and may panic: making the future, running it, and the text of its error.
            tokio::spawn(async move {
                let run = lock(&service)(stop);
                run.await.into_exit()
            })
        }))
    }

    pub(super) fn begin(&self) -> Run {
        let signal = Arc::new(Signal::default());
        Run {
            task: (self.0)(signal.listen()),
            signal,
        }
    }
}

/// A run under way. It ends with this value at the latest.
pub(super) struct Run {
    task: JoinHandle<Exit>,
    signal: Arc<Signal>,
}

impl Run {
    /// How it ended, panics included.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Exit> {
        Pin::new(&mut self.task)
            .poll(cx)
            .map(|ended| ended.unwrap_or_else(Exit::of_task))
    }

    /// It is to stop.
    pub(super) fn stop(&self) {
        self.signal.trip();
    }

    /// It is to end at its next await.
    pub(super) fn abort(&self) {
        self.task.abort();
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.abort();
        // What it has started is to end with it.
        self.stop();
    }
}
