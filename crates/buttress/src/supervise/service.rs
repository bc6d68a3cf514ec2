//! The loop that runs a service, again and again.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use buttress_core::{EventKind, Nanos, Next, Outcome, Supervision, SupervisorPolicy, Vitals};

use super::{
    Exit, GaveUp, Stopped,
    board::{Board, Phase},
    run::{Run, Runs},
    stop::Stop,
};
use crate::{CLOCK, timer::Timer};

/// How long an aborted run is waited for: it ends at its next await, and one that never awaits is not to hold up whoever stops it.
const UNWIND: Duration = Duration::from_secs(1);

/// A service and all that decides when it is run.
pub(super) struct Service {
    pub(super) seat: Seat,
    pub(super) vitals: Vitals,
    pub(super) policy: SupervisorPolicy,
    pub(super) supervision: Supervision,
    pub(super) runs: Runs,
    pub(super) stop: Stop,
    /// Has it failed, and not proven since that it is back?
    pub(super) away: bool,
}

/// The place of a service on the board, given up when its loop ends, however that comes.
pub(super) struct Seat {
    pub(super) board: Arc<Board>,
    pub(super) name: Arc<str>,
    pub(super) number: u64,
}

/// What a run is waited for.
enum Woken {
    Ended(Exit),
    ToStop,
    Due(Nanos),
}

impl Service {
    pub(super) async fn run(mut self) {
        loop {
            self.seat.enters(Phase::Running);
            let started = CLOCK.now();
            self.vitals.began();
            let (exit, stopping) = self.attend(started).await;
            let now = CLOCK.now();
            if stopping {
                return self.stopped(&exit, now);
            }
            match self.next(&exit, started, now) {
                Next::Restart { after } => {
                    self.seat.enters(Phase::Waiting);
                    if self.waits_until(now.after(after)).await.is_none() {
                        return self.seat.enters(Phase::Over(Stopped::InTime));
                    }
                }
                Next::Finish if self.away => return self.seat.enters(Phase::Failed(None)),
                Next::Finish => return self.seat.enters(Phase::Over(Stopped::InTime)),
                Next::GiveUp { restarts } => return self.gives_up(restarts, &exit, now),
            }
        }
    }

    /// Waits for the end of a run, with a deadline once it is to stop.
    async fn attend(&mut self, started: Nanos) -> (Exit, bool) {
        let mut run = self.runs.begin();
        let mut timer = pin!(Timer::default());
        let mut lasts = self.away.then(|| self.lasts(started));
        let mut deadline: Option<Nanos> = None;
        let mut aborted = false;
        loop {
            let due = lasts.into_iter().chain(deadline).min();
            let told = deadline.is_some();
            match poll_fn(|cx| self.poll(&mut run, told, timer.as_mut(), due, cx)).await {
                Woken::Ended(_) if aborted => return (Exit::Aborted, true),
                Woken::Ended(exit) => return (exit, told),
                Woken::ToStop => {
                    run.stop();
                    deadline = Some(CLOCK.now().after(self.policy.stop_within));
                }
                Woken::Due(at) if lasts == Some(at) => {
                    lasts = None;
                    self.restored(started, at);
                }
                Woken::Due(_) if aborted => return (Exit::Aborted, true),
                Woken::Due(at) => {
                    run.abort();
                    aborted = true;
                    deadline = Some(at.after(UNWIND));
                }
            }
        }
    }

    fn poll(
        &mut self,
        run: &mut Run,
        told: bool,
        timer: Pin<&mut Timer>,
        due: Option<Nanos>,
        cx: &mut Context<'_>,
    ) -> Poll<Woken> {
        if let Poll::Ready(exit) = run.poll(cx) {
            return Poll::Ready(Woken::Ended(exit));
        }
        if !told && Pin::new(&mut self.stop).poll(cx).is_ready() {
            return Poll::Ready(Woken::ToStop);
        }
        due.map_or(Poll::Pending, |at| {
            timer.poll_until(at, cx).map(|()| Woken::Due(at))
        })
    }

    /// Waits for the time of the next run; nothing if it is to stop before.
    async fn waits_until(&mut self, at: Nanos) -> Option<()> {
        let mut timer = pin!(Timer::default());
        poll_fn(|cx| {
            if Pin::new(&mut self.stop).poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            timer.as_mut().poll_until(at, cx).map(Some)
        })
        .await
    }

    /// A run has ended by itself: counts it, says so, and decides.
    fn next(&mut self, exit: &Exit, started: Nanos, now: Nanos) -> Next {
        let failure = exit.failure(self.policy.redact);
        if self.away && (failure.is_none() || now >= self.lasts(started)) {
            self.restored(started, now);
        }
        let next = self.supervision.ended(started, now, failure.is_some());
        let Some((cause, why)) = failure else {
            self.vitals.ended(Outcome::Success);
            return next;
        };
        self.vitals.ended(Outcome::Failure(cause));
        let wait = match next {
            Next::Restart { after } => after,
            Next::Finish | Next::GiveUp { .. } => Duration::ZERO,
        };
        self.vitals.broke(now, now, cause, why.into(), wait);
        self.away = true;
        next
    }

    /// From when on a run counts as up: one shorter than the shortest wait was a restart that failed.
    fn lasts(&self, started: Nanos) -> Nanos {
        started.after(self.policy.backoff.first)
    }

    fn restored(&mut self, started: Nanos, now: Nanos) {
        self.vitals.restored(started, now);
        self.away = false;
    }

    /// It is over because it was told to. How it ended is told, and is no outage.
    fn stopped(&self, exit: &Exit, now: Nanos) {
        let (outcome, how) = match (exit, exit.failure(self.policy.redact)) {
            (Exit::Aborted, _) => {
                self.vitals.tell(now, EventKind::Aborted);
                (Outcome::Cancelled, Stopped::Aborted)
            }
            (_, Some((cause, why))) => {
                let (why, wait) = (why.into(), Duration::ZERO);
                self.vitals.tell(now, EventKind::Failed { why, wait });
                (Outcome::Failure(cause), Stopped::InTime)
            }
            (_, None) => (Outcome::Success, Stopped::InTime),
        };
        self.vitals.ended(outcome);
        self.seat.enters(Phase::Over(how));
    }

    fn gives_up(&self, restarts: u32, exit: &Exit, now: Nanos) {
        self.vitals.tell(now, EventKind::GaveUp { restarts });
        let why = exit.failure(self.policy.redact).map(|(_, why)| why);
        self.seat.enters(Phase::Failed(Some(GaveUp {
            service: Arc::clone(&self.seat.name),
            restarts,
            why: why.unwrap_or_default().into(),
        })));
    }
}

impl Seat {
    fn enters(&self, phase: Phase) {
        self.board.enters(&self.name, self.number, phase);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Nothing, unless the loop was dropped where it stood, with its supervisor or its runtime.
        self.enters(Phase::Over(Stopped::Aborted));
    }
}
