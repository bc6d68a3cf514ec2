//! Places for calls under way.
//!
//! Threads on different lanes must not meet at a counter: two that do are slower together than one alone. So places lie
//! in tills, one a lane, and a call takes its place from the till of its lane and gives it back there. Whoever finds its
//! till empty draws from the pool, and whoever finds the pool empty gathers what lies in the tills. While places are
//! scarce all of them go back to the pool, which is then one shared counter; while somebody waits, or is owed one, they
//! go to him under the lock, and nobody overtakes.
//!
//! ```text
//! calm ──pool empty──► scarce, all tills gathered ──nobody left, one comes to wait──► owed
//!   ▲                    │  ▲                                                          │
//!   └──plenty in pool────┘  └──────────────────nobody waits any more───────────────────┘
//! ```

use std::task::Waker;

use super::{
    queue::{Paid, Queue},
    till::Till,
    word::Word,
};
use crate::sync::{AtomicU64, Mutex, Ordering, lock};

/// Places for calls under way, no more of them taken at any time than there are.
///
/// Whatever is taken is given back through [`leave`](Self::leave), on whichever lane.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Places {
    /// The pool; see [`Word`]. Beside the tills it is written only while places are scarce, or a lane has a new peak.
    word: AtomicU64,
    pub(super) queue: Mutex<Queue>,
    /// With so many in the pool places are scarce no longer: a fourth of all, and two a lane. Where there are fewer in
    /// all, they always are.
    pub(super) plenty: AtomicU64,
}

impl Places {
    pub(crate) fn new(limit: u32, lanes: usize) -> Self {
        Self::with_plenty(limit, plenty(limit, lanes))
    }

    pub(super) fn with_plenty(limit: u32, plenty: u64) -> Self {
        Self {
            word: AtomicU64::new(Word::new(u64::from(limit), plenty).0),
            queue: Mutex::new(Queue::new(limit)),
            plenty: AtomicU64::new(plenty),
        }
    }

    /// Takes a place, if there is one. `till` is one of `tills`.
    pub(crate) fn enter<'a, T>(&self, till: &Till, tills: impl FnOnce() -> T) -> bool
    where
        T: Iterator<Item = &'a Till> + Clone,
    {
        // Mostly the others are not looked at.
        till.take() || self.draw(&tills())
    }

    /// Gives a place back.
    pub(crate) fn leave(&self, till: &Till) {
        if !self.word().scarce() {
            till.put();
            // SeqCst, here and where tills are gathered: either whoever gathers finds this place in its till, or we find
            // that it has begun to gather.
            if !self.word().scarce() || !till.take() {
                return;
            }
        }
        self.give_back();
    }

    /// Is there none? A hint: one may be on its way back.
    #[inline]
    pub(crate) fn full(&self) -> bool {
        let word = self.word();
        word.scarce() && word.free() == 0 && !word.gathering()
    }

    /// Draws a place from the pool, or from what lies in the tills.
    #[cold]
    fn draw<'a>(&self, tills: &(impl Iterator<Item = &'a Till> + Clone)) -> bool {
        loop {
            match self.update(Word::drawn) {
                Ok(_) => return true,
                // Whoever looks now waits until they are gathered: what lies on the way is not gone.
                Err(word) if !word.scarce() || word.gathering() => {
                    let _queue = lock(&self.queue);
                    self.gather(tills.clone());
                }
                Err(_) => return false,
            }
        }
    }

    /// Makes places scarce, if the pool is empty, and puts into it what lies in the tills. Under the lock.
    pub(super) fn gather<'a>(&self, tills: impl Iterator<Item = &'a Till>) {
        let begun = self.update(|word| (!word.scarce() && word.free() == 0).then(|| word.begin()));
        if begun.is_ok() {
            let found = tills.map(Till::empty).sum();
            let plenty = self.plenty();
            let _ = self.update(|word| Some(word.end().with(found, plenty)));
        }
    }

    #[cold]
    fn give_back(&self) {
        let plenty = self.plenty();
        let unowed = self.update(|word| (!word.owed()).then(|| word.with(1, plenty)));
        if unowed.is_ok() {
            return;
        }
        let next = self.pay(&mut lock(&self.queue));
        // Not under the lock: whoever is told may come back here at once.
        if let Some(waker) = next {
            waker.wake();
        }
    }

    /// Gives a place to whom it belongs. Under the lock.
    pub(super) fn pay(&self, queue: &mut Queue) -> Option<Waker> {
        let paid = queue.pay();
        let left = u64::from(matches!(paid, Paid::Nobody));
        self.settle(queue, left);
        match paid {
            Paid::Waiting(waker) => waker,
            Paid::Debt | Paid::Nobody => None,
        }
    }

    /// Says whether anybody is owed a place, and puts what is `left` into the pool. Under the lock.
    pub(super) fn settle(&self, queue: &Queue, left: u64) {
        let (owes, plenty) = (queue.owes(), self.plenty());
        if left > 0 || self.word().owed() != owes {
            let _ = self.update(|word| Some(word.owing(owes).with(left, plenty)));
        }
    }

    /// Has the pool nothing left, and is that known now to whoever gives places back?
    pub(super) fn owe(&self) -> bool {
        let empty = |word: Word| word.scarce() && word.free() == 0;
        self.update(|word| empty(word).then(|| word.owing(true)))
            .is_ok()
    }

    pub(super) fn word(&self) -> Word {
        Word(self.word.load(Ordering::SeqCst))
    }

    fn plenty(&self) -> u64 {
        // Relaxed: with an old one places are scarce for one call longer, or shorter.
        self.plenty.load(Ordering::Relaxed)
    }

    pub(super) fn update(&self, change: impl Fn(Word) -> Option<Word>) -> Result<Word, Word> {
        let mut seen = self.word.load(Ordering::SeqCst);
        while let Some(next) = change(Word(seen)) {
            match (self.word).compare_exchange(seen, next.0, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return Ok(next),
                Err(now) => seen = now,
            }
        }
        Err(Word(seen))
    }
}

pub(super) fn plenty(limit: u32, lanes: usize) -> u64 {
    // None is never plenty.
    u64::from(limit / 4).max(2 * lanes as u64).max(1)
}
