//! One body, read by two.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

use buttress_core::Favoured;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{
    Kept, ReplayError,
    account::HELD,
    favour::{Favour, Told},
    state::{Found, Side, State},
};

/// The least length that a side says it has when it cannot be read to its end.
pub(super) const LOST: u64 = u64::MAX;

/// One of two readers of a body, which is read once: whoever is ahead reads it, and what it reads is kept for the other.
///
/// Where that is more than may be kept, the other ends with [`ReplayError::Behind`], unless it is the one that matters: then whoever is
/// ahead does.
pub(super) struct Tee<B: Body<Data = Bytes>> {
    shared: Arc<Shared<B>>,
    side: Side,
    error: fn(ReplayError) -> B::Error,
}

/// What both share. It is also what the source wakes: it knows of one waker, and either may be the one that waits.
struct Shared<B>(Mutex<State<B>>);

impl<B: Body<Data = Bytes>> Tee<B> {
    pub(super) fn split(body: B, limits: Kept, error: fn(ReplayError) -> B::Error) -> [Self; 2] {
        Self::of(State::new(body, limits, &HELD), error)
    }

    pub(super) fn of(state: State<B>, error: fn(ReplayError) -> B::Error) -> [Self; 2] {
        let shared = Arc::new(Shared(Mutex::new(state)));
        [Side::First, Side::Second].map(|side| Self {
            shared: shared.clone(),
            side,
            error,
        })
    }
}

impl<B: Body<Data = Bytes> + Send + 'static> Tee<B> {
    pub(super) fn favour(&self) -> Favour {
        Favour(self.shared.clone())
    }
}

impl<B: Body<Data = Bytes> + Send> Told for Shared<B> {
    fn favour(&self, whom: Favoured) {
        self.lock().favour(match whom {
            Favoured::Original => Side::First,
            Favoured::Copy => Side::Second,
        });
    }
}

impl<B: Body<Data = Bytes>> Shared<B> {
    /// Locks, even after a panic: every critical section here leaves its data whole at each step.
    fn lock(&self) -> MutexGuard<'_, State<B>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_one(&self, side: Side) {
        // Its own statement: nobody is woken under the lock.
        let waker = self.lock().waker(side);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<B: Body<Data = Bytes> + Send + 'static> Wake for Shared<B> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_one(Side::First);
        self.wake_one(Side::Second);
    }
}

impl<B> Body for Tee<B>
where
    B: Body<Data = Bytes, Error: fmt::Display> + Unpin + Send + 'static,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let (shared, side) = (&self.shared, self.side);
        let found = shared.lock().next(side, cx.waker());
        let source = match found {
            Found::Frame(frame) => return Poll::Ready(Some(Ok(frame))),
            Found::Nothing => return Poll::Ready(None),
            Found::Error(error) => return Poll::Ready(Some(Err((self.error)(error)))),
            Found::Wait => return Poll::Pending,
            Found::Source(source) => source,
        };
        // Read without the lock: what is read may do as it likes, and that includes to wake and to panic.
        let mut loan = Loan {
            shared,
            side,
            source: Some(source),
        };
        let waker = Waker::from(shared.clone());
        let read = loan.poll(&mut Context::from_waker(&waker));
        loan.settle(&read);
        read
    }

    fn is_end_stream(&self) -> bool {
        self.shared.lock().is_end_stream(self.side)
    }

    fn size_hint(&self) -> SizeHint {
        self.shared.lock().size_hint(self.side)
    }
}

/// Nobody has to take over: the source wakes both, and whoever comes first reads it.
impl<B: Body<Data = Bytes>> Drop for Tee<B> {
    fn drop(&mut self) {
        // Dropped without the lock, like everything that is not ours.
        let source = self.shared.lock().leave(self.side);
        drop(source);
    }
}

impl<B: Body<Data = Bytes>> fmt::Debug for Tee<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tee")
            .field("side", &self.side)
            .finish_non_exhaustive()
    }
}

/// The source, while a side reads it. Whoever panics over it leaves the other an error, and not for ever waiting.
struct Loan<'a, B: Body<Data = Bytes>> {
    shared: &'a Shared<B>,
    side: Side,
    source: Option<B>,
}

type Read<B> = Poll<Option<Result<Frame<Bytes>, <B as Body>::Error>>>;

impl<B> Loan<'_, B>
where
    B: Body<Data = Bytes, Error: fmt::Display> + Unpin,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Read<B> {
        self.source
            .as_mut()
            .map_or(Poll::Ready(None), |source| Pin::new(source).poll_frame(cx))
    }

    fn settle(mut self, read: &Read<B>) {
        let Some(source) = self.source.take() else {
            return;
        };
        let words = match read {
            Poll::Ready(Some(Err(error))) => Some(error.to_string().into()),
            _ => None,
        };
        let mut state = self.shared.lock();
        let (over, wake) = match (read, words) {
            (Poll::Pending, _) => (None, state.give_back(source)),
            (Poll::Ready(Some(Ok(frame))), _) => (state.read(self.side, frame, source), true),
            (Poll::Ready(_), None) => {
                state.ended(self.side);
                (Some(source), true)
            }
            (Poll::Ready(_), Some(words)) => {
                state.broken(self.side, ReplayError::Source(words));
                (Some(source), true)
            }
        };
        drop(state);
        drop(over);
        if wake {
            self.shared.wake_one(self.side.other());
        }
    }
}

impl<B: Body<Data = Bytes>> Drop for Loan<'_, B> {
    fn drop(&mut self) {
        if self.source.is_some() {
            let error = ReplayError::Source("it panicked".into());
            self.shared.lock().broken(self.side, error);
            self.shared.wake_one(self.side.other());
        }
    }
}
