//! What is called: a service that costs nothing, and the guard one would write in an afternoon.

use std::{
    cell::Cell,
    collections::VecDeque,
    future::Future,
    hint::black_box,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use buttress::{CLOCK, Nanos};
use tower::Service;

/// One in this many calls fails: what a policy tolerates by default.
const FAILS: u64 = 100;

/// Drawn ahead, so that drawing costs the same little everywhere.
const DRAWS: usize = 1 << 16;

/// Which calls fail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draws(&'static [bool; DRAWS]);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        // A process makes few of these, and its services live as long as it does.
        Self(Box::leak(Box::new(std::array::from_fn(|_| {
            random.u64(..FAILS) == 0
        }))))
    }

    /// Per thread, so that threads share nothing here.
    fn next(self) -> bool {
        thread_local!(static AT: Cell<usize> = const { Cell::new(0) });
        AT.with(|at| {
            at.set(at.get().wrapping_add(1));
            self.0[at.get() % DRAWS]
        })
    }
}

/// An error that costs nothing to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed;

/// A service that answers at once, or after it was pending so many times, and cannot be seen through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bare {
    pub(crate) draws: Draws,
    pub(crate) pending: u8,
}

impl Service<u64> for Bare {
    type Response = u64;
    type Error = Failed;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Answer {
        let fails = self.draws.next();
        Answer {
            answer: black_box(if fails { Err(Failed) } else { Ok(request) }),
            pending: black_box(self.pending),
        }
    }
}

/// The call of a [`Bare`]. Whoever polls it knows when to come back: it wakes nobody.
#[derive(Debug)]
pub(crate) struct Answer {
    answer: Result<u64, Failed>,
    pending: u8,
}

impl Future for Answer {
    type Output = Result<u64, Failed>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        match self.pending.checked_sub(1) {
            Some(left) => {
                self.pending = left;
                Poll::Pending
            }
            None => Poll::Ready(self.answer),
        }
    }
}

/// The control: a breaker as one would write it first, with a lock around a window of the last hundred calls, counted
/// anew each time, and a boxed future.
#[derive(Clone, Debug)]
pub(crate) struct Naive<S> {
    inner: S,
    window: Arc<Mutex<VecDeque<(Nanos, bool)>>>,
}

impl<S> Naive<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self {
            inner,
            window: Arc::default(),
        }
    }
}

impl<S> Service<u64> for Naive<S>
where
    S: Service<u64, Response = u64, Error = Failed>,
    S::Future: Send + 'static,
{
    type Response = u64;
    type Error = Failed;
    type Future = Pin<Box<dyn Future<Output = Result<u64, Failed>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: u64) -> Self::Future {
        let window = Arc::clone(&self.window);
        let failed = {
            let window = window.lock().unwrap_or_else(PoisonError::into_inner);
            window.iter().filter(|(_, failed)| *failed).count()
        };
        if failed > 50 {
            return Box::pin(async { Err(Failed) });
        }
        let call = self.inner.call(request);
        Box::pin(async move {
            let answer = call.await;
            let now = CLOCK.now();
            let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
            window.push_back((now, answer.is_err()));
            if window.len() > 100 {
                window.pop_front();
            }
            answer
        })
    }
}
