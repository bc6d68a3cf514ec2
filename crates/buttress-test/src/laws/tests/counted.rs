//! What counts attempts is held to more.

use std::{
    mem,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use tower_service::Service;

use super::{super::*, Boxed};

/// How a [`Counted`] counts.
#[derive(Clone, Copy, PartialEq)]
enum Counting {
    Soundly,
    /// Never finishes what is dropped.
    ForgetsDropped,
    /// Finishes at the answer, and again at the drop.
    Twice,
    /// Begins when asked for readiness, and so holds a permit while waiting.
    WhenAsked,
    /// Holds being not ready against the inner service.
    BlamesPending,
}

/// A pass-through service that counts attempts.
#[derive(Clone)]
struct Counted(Scripted, Arc<Mutex<Tally>>, Counting);

impl Counted {
    fn by(counting: Counting) -> impl Fn(Scripted) -> Self {
        move |inner| Self(inner, Arc::default(), counting)
    }

    fn tally(&self) -> Tally {
        *self.1.lock().unwrap()
    }
}

struct Permit(Arc<Mutex<Tally>>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.lock().unwrap().finished += 1;
    }
}

impl Service<u64> for Counted {
    type Response = u64;
    type Error = BoxError;
    type Future = Boxed;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.2 == Counting::WhenAsked {
            self.1.lock().unwrap().started += 1;
        }
        let ready = self.0.poll_ready(cx);
        if ready.is_pending() && self.2 == Counting::BlamesPending {
            self.1.lock().unwrap().failed += 1;
        }
        ready
    }

    fn call(&mut self, request: u64) -> Boxed {
        let (counts, counting) = (Arc::clone(&self.1), self.2);
        if counting != Counting::WhenAsked {
            counts.lock().unwrap().started += 1;
        }
        let (permit, future) = (Permit(Arc::clone(&counts)), self.0.call(request));
        let permit = match counting {
            Counting::ForgetsDropped => {
                mem::forget(permit);
                None
            }
            _ => Some(permit),
        };
        Box::pin(async move {
            let _permit = permit;
            let answer = future.await;
            if matches!(counting, Counting::Twice | Counting::ForgetsDropped) {
                counts.lock().unwrap().finished += 1;
            }
            answer
        })
    }
}

#[tokio::test(start_paused = true)]
async fn hold_for_what_counts_soundly() {
    let sound = Counted::by(Counting::Soundly);
    Laws::default().check_counted(sound, Counted::tally).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "Ok { pending: 0 }, became Tally { started: 1, finished: 0")]
async fn catch_a_dropped_attempt_that_is_never_finished() {
    let forgets = Counted::by(Counting::ForgetsDropped);
    finishes_once(forgets, Counted::tally).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "Ok { pending: 0 }, became Tally { started: 1, finished: 2")]
async fn catch_an_attempt_that_is_finished_twice() {
    finishes_once(Counted::by(Counting::Twice), Counted::tally).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "Tally { started: 1, finished: 0, failed: 0 } while not ready yet")]
async fn catch_a_permit_that_is_held_while_waiting() {
    let early = Counted::by(Counting::WhenAsked);
    waits_without_permit(Laws::default(), early, Counted::tally).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "held against it while not ready yet")]
async fn catch_a_wait_that_is_taken_for_a_failure() {
    let blames = Counted::by(Counting::BlamesPending);
    waits_without_permit(Laws::default(), blames, Counted::tally).await;
}
