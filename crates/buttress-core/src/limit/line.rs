//! Waiting for a place.

use std::task::Waker;

use super::{Level, places::Places, queue::Turn, till::Till, word::Word};
use crate::sync::lock;

/// What became of one who came to wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lined {
    /// There was a place after all.
    Place,
    /// It waits, under this number; is it the only one?
    Up { number: u64, alone: bool },
    /// As many wait as may.
    Full,
}

impl Places {
    /// Waits for a place, behind whoever waits already and matters as much, of whom there may be `most` in all.
    pub(crate) fn line_up<'a>(
        &self,
        most: usize,
        level: Level,
        tills: &(impl Iterator<Item = &'a Till> + Clone),
    ) -> Lined {
        let mut queue = lock(&self.queue);
        loop {
            self.gather(tills.clone());
            if self.update(Word::drawn).is_ok() {
                return Lined::Place;
            }
            let others = queue.waiting();
            if others >= most && !queue.displaces(level) {
                return Lined::Full;
            }
            // In one step: from here on whoever gives a place back sees that somebody waits, and none came back meanwhile.
            if !self.owe() {
                continue;
            }
            let displaced = (others >= most).then(|| queue.displace(level)).flatten();
            let number = queue.push(level);
            drop(queue);
            // Not under the lock; see `give_back`.
            if let Some(waker) = displaced {
                waker.wake();
            }
            return Lined::Up {
                number,
                alone: others == 0,
            };
        }
    }

    /// How does it stand with `number`? If it has to wait, `waker` is told.
    pub(crate) fn poll(&self, number: u64, waker: &Waker) -> Turn {
        let waker = waker.clone();
        let (turn, old) = lock(&self.queue).poll(number, waker);
        drop(old);
        turn
    }

    /// Turns away whoever waits below the threshold.
    pub(crate) fn shed(&self, threshold: usize) {
        let mut queue = lock(&self.queue);
        let woken = queue.shed(threshold);
        self.settle(&queue, 0);
        drop(queue);
        // Not under the lock; see `give_back`.
        woken.into_iter().for_each(Waker::wake);
    }

    /// Does anybody wait?
    pub(crate) fn waits(&self) -> bool {
        self.word().owed()
    }

    /// `number` waits no longer. A place that it was given and did not take goes to the next.
    pub(crate) fn step_out(&self, number: u64) {
        let mut queue = lock(&self.queue);
        let (given, old) = queue.step_out(number);
        let next = if given {
            self.pay(&mut queue)
        } else {
            self.settle(&queue, 0);
            None
        };
        drop(queue);
        // Neither told nor dropped under the lock; see `give_back`.
        drop(old);
        if let Some(waker) = next {
            waker.wake();
        }
    }
}
