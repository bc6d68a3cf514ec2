//! The calls of the last so much time.

use std::{collections::VecDeque, time::Duration};

use super::{Call, Flaw, Tally};
use crate::Nanos;

/// Parts that a span is kept in, as Hystrix and Polly do: a call is let go of when it is between nine tenths of a span
/// and one span old.
pub(super) const BUCKETS: u64 = 10;

/// A window over the calls that ended within the last span, kept in tenths.
///
/// Time that stands still or steps back changes nothing: such calls count as of the latest time seen.
#[derive(Debug)]
pub(in super::super) struct TimeWindow {
    /// A tenth of the span, in nanoseconds.
    width: u64,
    /// At most [`BUCKETS`], in order; tenths without a call have none.
    buckets: VecDeque<Bucket>,
    /// The sum of them.
    tally: Tally,
}

#[derive(Debug)]
struct Bucket {
    /// Which tenth since the origin.
    index: u64,
    tally: Tally,
    /// When the earliest call with each flaw began.
    earliest: [Option<Nanos>; 3],
}

impl TimeWindow {
    pub(super) fn new(span: Duration) -> Self {
        let span = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Self {
            width: (span / BUCKETS).max(1),
            buckets: VecDeque::new(),
            tally: Tally::default(),
        }
    }

    pub(super) fn push(&mut self, call: &Call) {
        let index = self.forget(call.ended);
        match self.buckets.back_mut() {
            Some(bucket) if bucket.index == index => bucket.add(call),
            _ => {
                let mut bucket = Bucket {
                    index,
                    tally: Tally::default(),
                    earliest: [None; 3],
                };
                bucket.add(call);
                self.buckets.push_back(bucket);
            }
        }
        self.tally.calls = self.tally.calls.saturating_add(1);
        self.tally.add(call.flaws);
    }

    pub(super) const fn tally(&self) -> Tally {
        self.tally
    }

    pub(super) fn earliest(&self, flaw: Flaw) -> Option<Nanos> {
        self.buckets
            .iter()
            .filter_map(|bucket| bucket.earliest[flaw as usize])
            .min()
    }

    pub(super) fn clear(&mut self) {
        self.buckets.clear();
        self.tally = Tally::default();
    }

    /// Lets go of what is a span old at `now`, and tells which tenth `now` is in: never one before the latest.
    pub(super) fn forget(&mut self, now: Nanos) -> u64 {
        let latest = self.buckets.back().map_or(0, |bucket| bucket.index);
        let index = (now.as_u64() / self.width).max(latest);
        while let Some(bucket) = self.buckets.front()
            && index - bucket.index >= BUCKETS
        {
            self.tally.calls = self.tally.calls.saturating_sub(bucket.tally.calls);
            for (sum, gone) in self.tally.flawed.iter_mut().zip(bucket.tally.flawed) {
                *sum = sum.saturating_sub(gone);
            }
            self.buckets.pop_front();
        }
        index
    }
}

impl Bucket {
    fn add(&mut self, call: &Call) {
        self.tally.calls = self.tally.calls.saturating_add(1);
        self.tally.add(call.flaws);
        for (earliest, flawed) in self.earliest.iter_mut().zip(call.flaws.0) {
            if flawed {
                *earliest = Some(earliest.map_or(call.started, |at| at.min(call.started)));
            }
        }
    }
}
