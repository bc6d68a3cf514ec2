//! A timer that exists only while something is awaited.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll},
};

use buttress_core::Nanos;
use tokio::time::{Sleep, sleep_until};

use crate::clock::instant;

pin_project_lite::pin_project! {
    /// Made when a call first pends: an answer that is there at once pays for no timer.
    #[derive(Debug, Default)]
    pub(crate) struct Timer {
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl Timer {
    /// Ready once `at` has come. The task is woken then.
    ///
    /// A timer is set anew whenever `at` is earlier or later than what it was set for.
    pub(crate) fn poll_until(self: Pin<&mut Self>, at: Nanos, cx: &mut Context<'_>) -> Poll<()> {
        let mut sleep = self.project().sleep;
        let at = instant(at);
        match sleep.as_mut().as_pin_mut() {
            None => sleep.set(Some(sleep_until(at))),
            Some(set) if set.deadline() != at => set.reset(at),
            Some(_) => {}
        }
        sleep
            .as_pin_mut()
            .map_or(Poll::Ready(()), |sleep| sleep.poll(cx))
    }
}
