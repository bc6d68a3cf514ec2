//! Attempts under way.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use buttress_core::{Attempt, Blame};

use crate::{host::attend, terms::Until};

pin_project_lite::pin_project! {
    /// One attempt under way.
    pub(super) struct Flight<F>
    where
        F: Future,
    {
        #[pin]
        leg: Leg<F>,
        attempt: Option<Attempt>,
        until: Until,
    }
}

pin_project_lite::pin_project! {
    /// How far it has come.
    #[project = LegProj]
    enum Leg<F>
    where
        F: Future,
    {
        /// Nothing has come.
        Asked { #[pin] future: F },
        /// An answer of which too little has come to judge it. Absent while it is looked at.
        Begun { answer: Option<F::Output> },
    }
}

pin_project_lite::pin_project! {
    /// All attempts of one call that are under way: one in place, so that attempts in turn cost no memory; those beside it boxed.
    pub(super) struct Flights<F>
    where
        F: Future,
    {
        #[pin]
        first: Option<Flight<F>>,
        beside: Vec<Pin<Box<Flight<F>>>>,
    }
}

/// An attempt that is under way no longer: its future is gone.
#[derive(Debug)]
pub(super) struct Landed {
    pub(super) attempt: Option<Attempt>,
    pub(super) until: Until,
}

impl<F: Future> Flight<F> {
    pub(super) const fn new(future: F, attempt: Option<Attempt>, until: Until) -> Self {
        Self {
            leg: Leg::Asked { future },
            attempt,
            until,
        }
    }

    fn land(self: Pin<&mut Self>) -> Landed {
        let this = self.project();
        Landed {
            attempt: this.attempt.take(),
            until: *this.until,
        }
    }

    fn overtaken(self: Pin<&mut Self>) {
        if let Some(attempt) = self.project().attempt.take() {
            attempt.overtaken();
        }
    }
}

/// Has enough of an answer come to judge it?
pub(super) trait Begun<T>: FnMut(&mut T, &mut Context<'_>) -> Poll<()> {}

impl<T, F: FnMut(&mut T, &mut Context<'_>) -> Poll<()>> Begun<T> for F {}

impl<F: Future> Flight<F> {
    #[inline]
    fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        begun: impl Begun<F::Output>,
    ) -> Poll<F::Output> {
        let this = self.project();
        let (part, blame) = (this.until.enter(), Blame::on(this.attempt));
        let polled = this.leg.poll(cx, begun);
        blame.over();
        drop(part);
        if polled.is_pending() {
            this.attempt.as_ref().map(attend);
        }
        polled
    }
}

impl<F: Future> Leg<F> {
    /// Inlined, as what calls it is: where answers can be judged at once, no more is left of it than the poll of a future.
    #[inline]
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut begun: impl Begun<F::Output>,
    ) -> Poll<F::Output> {
        let mut polled = match self.as_mut().project() {
            LegProj::Asked { future } => future.poll(cx),
            LegProj::Begun { answer } => answer.take().map_or(Poll::Pending, Poll::Ready),
        };
        // Looked at where it lies: what is lent before it is taken is moved once more.
        let kept = match &mut polled {
            Poll::Ready(answer) => begun(answer, cx).is_pending(),
            Poll::Pending => false,
        };
        if kept && let Poll::Ready(answer) = polled {
            let answer = Some(answer);
            self.set(Self::Begun { answer });
            return Poll::Pending;
        }
        polled
    }
}

impl<F: Future> Flights<F> {
    pub(super) const fn none() -> Self {
        Self {
            first: None,
            beside: Vec::new(),
        }
    }

    pub(super) fn launch(self: Pin<&mut Self>, flight: Flight<F>) {
        let mut this = self.project();
        if this.first.is_none() {
            this.first.set(Some(flight));
        } else {
            this.beside.push(Box::pin(flight));
        }
    }

    pub(super) fn running(&self) -> u32 {
        u32::from(self.first.is_some()) + self.beside.len() as u32
    }

    /// When the first of them is given up.
    pub(super) fn until(&self) -> Option<Until> {
        let first = self.first.iter().map(|flight| flight.until);
        let beside = self.beside.iter().map(|flight| flight.until);
        first.chain(beside).min_by_key(|until| until.at())
    }

    /// The time of the first of them is over.
    pub(super) fn expire(self: Pin<&mut Self>) -> Option<Landed> {
        let at = self.until()?.at();
        let mut this = self.project();
        if let Some(flight) = this.first.as_mut().as_pin_mut()
            && flight.until.at() == at
        {
            let landed = flight.land();
            this.first.set(None);
            return Some(landed);
        }
        let beside = this.beside.iter();
        let index = beside
            .map(|flight| flight.until.at())
            .position(|one| one == at)?;
        Some(this.beside.swap_remove(index).as_mut().land())
    }

    /// Drops all that are left, for one was answered.
    pub(super) fn overtake(self: Pin<&mut Self>) {
        let mut this = self.project();
        if let Some(flight) = this.first.as_mut().as_pin_mut() {
            flight.overtaken();
        }
        this.first.set(None);
        while let Some(mut flight) = this.beside.pop() {
            flight.as_mut().overtaken();
        }
    }
}

impl<F: Future> Flights<F> {
    /// The answer of the first of them that has one which has `begun`, and what has `landed` with it: apart, for answers are large.
    #[inline]
    pub(super) fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut begun: impl Begun<F::Output>,
        landed: &mut Option<Landed>,
    ) -> Poll<F::Output> {
        let mut this = self.project();
        if let Some(mut flight) = this.first.as_mut().as_pin_mut() {
            let polled = flight.as_mut().poll(cx, &mut begun);
            if polled.is_ready() {
                *landed = Some(flight.land());
                this.first.set(None);
                return polled;
            }
        }
        for index in 0..this.beside.len() {
            let polled = this.beside[index].as_mut().poll(cx, &mut begun);
            if polled.is_ready() {
                *landed = Some(this.beside.swap_remove(index).as_mut().land());
                return polled;
            }
        }
        Poll::Pending
    }
}
