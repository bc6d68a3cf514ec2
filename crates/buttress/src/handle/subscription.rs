//! What happens, as it happens.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use buttress_core::{Event, Registry};
use futures_core::Stream;

/// Events that wait for a reader. An endpoint that opens and recovers makes ten.
const WAITING: usize = 256;

/// What happens to whatever it was made for, from then on.
///
/// Never waited for: the last 256 events are kept for a reader who is slow, and those that are not are
/// [counted](Self::missed). It does not end.
///
/// # Cancel safety
///
/// [`next`](Self::next) may be dropped at any time: no event is lost by it.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use buttress::{EventKind, Force, HealthLayer, Plain};
///
/// let handle = HealthLayer::new("db", Plain).handle();
/// let mut events = handle.events();
/// handle.force(Force::Drain);
/// assert_eq!(events.next().await.kind, EventKind::Forced(Some(Force::Drain)));
/// assert!(events.try_next().is_none());
/// # }
/// ```
pub struct Subscription {
    inbox: Arc<Inbox>,
    /// Held for as long as it is to be told.
    _listener: Arc<dyn Fn(&Event) + Send + Sync>,
}

#[derive(Debug, Default)]
struct Inbox(Mutex<Mail>);

#[derive(Debug, Default)]
struct Mail {
    waiting: VecDeque<Event>,
    missed: u64,
    reader: Option<Waker>,
}

impl Subscription {
    /// To what is told of `policy`: of its one `endpoint` (none for a service that is the only one), or all of it.
    pub(super) fn new(
        registry: &Registry,
        policy: Arc<str>,
        endpoint: Option<Option<Arc<str>>>,
    ) -> Self {
        let inbox = Arc::new(Inbox::default());
        let into = Arc::clone(&inbox);
        let listener: Arc<dyn Fn(&Event) + Send + Sync> = Arc::new(move |event| {
            let meant = endpoint.as_ref().is_none_or(|one| *one == event.endpoint);
            if event.policy == policy && meant {
                into.put(event);
            }
        });
        registry.events().listen(Arc::downgrade(&listener));
        Self {
            inbox,
            _listener: listener,
        }
    }

    /// The next event, as soon as there is one.
    pub async fn next(&mut self) -> Event {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    /// The next event, if it has happened.
    pub fn try_next(&mut self) -> Option<Event> {
        self.inbox.lock().waiting.pop_front()
    }

    /// How many events were not kept for a reader who was slow, the oldest each time.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.inbox.lock().missed
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Event> {
        let mut mail = self.inbox.lock();
        match mail.waiting.pop_front() {
            Some(event) => Poll::Ready(event),
            None => {
                mail.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Inbox {
    fn put(&self, event: &Event) {
        let mut mail = self.lock();
        if mail.waiting.len() >= WAITING {
            mail.waiting.pop_front();
            mail.missed += 1;
        }
        mail.waiting.push_back(event.clone());
        let reader = mail.reader.take();
        drop(mail);
        // Outside of the lock: whoever wakes may read at once.
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Mail> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream for Subscription {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll(cx).map(Some)
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("inbox", &self.inbox)
            .finish_non_exhaustive()
    }
}
