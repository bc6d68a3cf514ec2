//! The two sides of a tee.

use std::{collections::VecDeque, sync::atomic::AtomicUsize, task::Waker};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{Kept, ReplayError, account::Account, part::Part, tee::LOST};

/// What the two sides of a tee share.
#[derive(Debug)]
pub(super) struct State<B> {
    source: Source<B>,
    /// What one side has read and the other, the slower, has not.
    queue: VecDeque<Part>,
    slower: Side,
    sides: [Reading; 2],
    wakers: [Option<Waker>; 2],
    account: Account,
    /// Whoever is not to be cut. If that is nobody, whoever is behind is.
    favoured: Option<Side>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    First,
    Second,
}

/// What is read.
#[derive(Debug)]
enum Source<B> {
    Here(B),
    /// A side reads it. Has the other asked meanwhile? How long is what is left of it?
    Lent {
        asked: bool,
        left: Length,
    },
    Ended,
    Failed(ReplayError),
}

/// At least so much is left of it, and at most.
type Length = (u64, Option<u64>);

/// How far a side is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    On,
    /// The other is too far ahead. It has not been told yet.
    Behind,
    /// It has had its end or an error, or was dropped.
    Over,
}

/// What a side finds.
pub(super) enum Found<B> {
    Frame(Frame<Bytes>),
    Nothing,
    Error(ReplayError),
    /// To be read by it, and [given back](State::give_back).
    Source(B),
    Wait,
}

impl Side {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

impl<B: Body<Data = Bytes>> State<B> {
    pub(super) fn new(source: B, limits: Kept, all: &'static AtomicUsize) -> Self {
        Self {
            source: Source::Here(source),
            queue: VecDeque::new(),
            slower: Side::Second,
            sides: [Reading::On; 2],
            wakers: [None, None],
            account: Account::new(limits, all),
            favoured: None,
        }
    }

    /// The next for this side. If it has to wait, or to read the source, its waker is kept.
    pub(super) fn next(&mut self, side: Side, waker: &Waker) -> Found<B> {
        match self.sides[side as usize] {
            Reading::On => {}
            Reading::Behind => return self.failed(side, ReplayError::Behind),
            Reading::Over => return Found::Nothing,
        }
        if side == self.slower
            && let Some(part) = self.queue.pop_front()
        {
            self.account.give(part.cost());
            return Found::Frame(part.into());
        }
        match &mut self.source {
            Source::Ended => {
                self.sides[side as usize] = Reading::Over;
                return Found::Nothing;
            }
            Source::Failed(error) => {
                let error = error.clone();
                return self.failed(side, error);
            }
            Source::Lent { asked, .. } => *asked = true,
            Source::Here(_) => {}
        }
        match &mut self.wakers[side as usize] {
            Some(kept) => kept.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        match std::mem::replace(&mut self.source, Source::Ended) {
            Source::Here(source) => {
                let left = length(&source.size_hint());
                self.source = Source::Lent { asked: false, left };
                Found::Source(source)
            }
            lent => {
                self.source = lent;
                Found::Wait
            }
        }
    }

    pub(super) const fn favour(&mut self, side: Side) {
        self.favoured = Some(side);
    }

    fn failed(&mut self, side: Side, error: ReplayError) -> Found<B> {
        self.sides[side as usize] = Reading::Over;
        Found::Error(error)
    }

    /// It had nothing to read yet. Is the other to be woken, for it asked meanwhile?
    pub(super) fn give_back(&mut self, source: B) -> bool {
        let lent = std::mem::replace(&mut self.source, Source::Here(source));
        matches!(lent, Source::Lent { asked: true, .. })
    }

    /// This side has read a frame. The source is given back for whoever is to drop it, when it is over.
    pub(super) fn read(&mut self, side: Side, frame: &Frame<Bytes>, source: B) -> Option<B> {
        let other = side.other();
        if self.sides[other as usize] == Reading::On
            && let Some(part) = Part::of(frame)
        {
            if self.account.take(part.cost()) {
                self.slower = other;
                self.queue.push_back(part);
            } else if self.favoured == Some(other) {
                // What has been read is there no more: it is kept whatever there is room for.
                self.account.exceed(part.cost());
                self.slower = other;
                self.queue.push_back(part);
                // Whoever has it all is not cut.
                if !source.is_end_stream() {
                    self.sides[side as usize] = Reading::Behind;
                }
            } else {
                self.forget(other, Reading::Behind);
            }
        }
        if source.is_end_stream() {
            self.source = Source::Ended;
            return Some(source);
        }
        self.source = Source::Here(source);
        None
    }

    /// This side has read to the end.
    pub(super) fn ended(&mut self, side: Side) {
        self.sides[side as usize] = Reading::Over;
        self.source = Source::Ended;
    }

    /// This side has been given the error of the source, or panicked in it.
    pub(super) fn broken(&mut self, side: Side, error: ReplayError) {
        self.sides[side as usize] = Reading::Over;
        self.source = Source::Failed(error);
    }

    /// This side is dropped. The source is given back for whoever is to drop it, when nobody needs it.
    pub(super) fn leave(&mut self, side: Side) -> Option<B> {
        self.forget(side, Reading::Over);
        self.wakers[side as usize] = None;
        if self.sides[side.other() as usize] == Reading::On {
            return None;
        }
        match std::mem::replace(&mut self.source, Source::Ended) {
            Source::Here(source) => Some(source),
            other => {
                self.source = other;
                None
            }
        }
    }

    fn forget(&mut self, side: Side, reading: Reading) {
        self.sides[side as usize] = reading;
        if side == self.slower {
            self.queue = VecDeque::new();
            self.account.give_all();
        }
    }

    pub(super) const fn waker(&mut self, side: Side) -> Option<Waker> {
        self.wakers[side as usize].take()
    }

    pub(super) fn is_end_stream(&self, side: Side) -> bool {
        match self.sides[side as usize] {
            Reading::Over => true,
            Reading::Behind => false,
            Reading::On if side == self.slower && !self.queue.is_empty() => false,
            Reading::On => match &self.source {
                Source::Here(source) => source.is_end_stream(),
                Source::Lent { .. } | Source::Failed(_) => false,
                Source::Ended => true,
            },
        }
    }

    pub(super) fn size_hint(&self, side: Side) -> SizeHint {
        let (least, most) = match (&self.source, self.sides[side as usize]) {
            (_, Reading::Behind) | (Source::Failed(_), Reading::On) => (LOST, None),
            (_, Reading::Over) | (Source::Ended, _) => (0, Some(0)),
            (Source::Here(source), _) => length(&source.size_hint()),
            (Source::Lent { left, .. }, _) => *left,
        };
        let unread = self.queue.iter().filter(|_| side == self.slower);
        let kept = unread.map(Part::len).sum::<usize>() as u64;
        let mut hint = SizeHint::new();
        hint.set_lower(least.saturating_add(kept));
        if let Some(most) = most {
            hint.set_upper(most.saturating_add(kept));
        }
        hint
    }
}

fn length(hint: &SizeHint) -> Length {
    (hint.lower(), hint.upper())
}
