//! Reads sets of endpoints, one after another.

use std::{
    error::Error,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};

use buttress_core::Endpoint;
use futures_core::Stream;

use super::{EndpointSets, source::Source};
use crate::timer::Timer;

/// How long the first set is waited for before calls are refused instead.
const FIRST_SET: Duration = Duration::from_secs(10);

pub(super) type Problem = Box<dyn Error + Send + Sync>;

/// Sets that nobody reads.
pub(super) struct Sets {
    stream: Pin<Box<dyn Stream<Item = Result<Vec<Endpoint>, Problem>> + Send>>,
    /// Were they read in a runtime that has ended? What they hold of it may panic, which is not to happen in a call.
    pub(super) begun: bool,
}

impl std::fmt::Debug for Sets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sets")
    }
}

impl Sets {
    pub(super) fn new(sets: impl EndpointSets) -> Self {
        Self {
            stream: Box::pin(Boxed { sets }),
            begun: false,
        }
    }

    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Vec<Endpoint>, Problem>>> {
        self.stream.as_mut().poll_next(cx)
    }
}

/// Reads sets for as long as anybody uses them.
pub(super) struct Reader {
    /// None once they are at their end.
    sets: Option<Sets>,
    source: Weak<Source>,
    timer: Pin<Box<Timer>>,
}

impl Reader {
    pub(super) fn new(sets: Sets, source: &Arc<Source>) -> Self {
        Self {
            sets: Some(sets),
            source: Arc::downgrade(source),
            timer: Box::pin(Timer::default()),
        }
    }

    pub(super) async fn read(mut self) {
        let give_up_at = crate::CLOCK.now().after(FIRST_SET);
        let mut waiting = true;
        loop {
            let next = std::future::poll_fn(|cx| {
                // Taken meanwhile: what has panicked is not read on.
                if let Some(mut sets) = self.sets.take() {
                    let next = sets.poll_next(cx);
                    self.sets = Some(sets);
                    if let Poll::Ready(next) = next {
                        return Poll::Ready(Some(next));
                    }
                }
                if waiting {
                    self.timer
                        .as_mut()
                        .poll_until(give_up_at, cx)
                        .map(|()| None)
                } else {
                    Poll::Pending
                }
            })
            .await;
            let Some(source) = self.source.upgrade() else {
                return;
            };
            match next {
                Some(Some(set)) => source.take(set),
                Some(None) => {
                    self.sets = None;
                    return source.give_up();
                }
                None => source.give_up(),
            }
            waiting &= source.version() == 0;
        }
    }
}

/// Its runtime has ended before the sets.
impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(source) = self.source.upgrade() {
            match self.sets.take() {
                Some(sets) => source.unread(Sets {
                    begun: true,
                    ..sets
                }),
                None => source.give_up(),
            }
        }
    }
}

pin_project_lite::pin_project! {
    /// Any stream of sets, its problem boxed.
    struct Boxed<T> {
        #[pin]
        sets: T,
    }
}

impl<T: EndpointSets> Stream for Boxed<T> {
    type Item = Result<Vec<Endpoint>, Problem>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.project()
            .sets
            .poll_next(cx)
            .map(|next| next.map(|set| set.map_err(Into::into)))
    }
}
