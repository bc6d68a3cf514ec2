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
    Level,
    queue::{Paid, Queue, Turn},
};
use crate::sync::{AtomicU64, Mutex, Ordering, lock};

/// Places that one lane has at hand.
#[derive(Debug)]
pub(crate) struct Till(AtomicU64);

impl Till {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    fn put(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn take(&self) -> bool {
        let mut seen = self.0.load(Ordering::SeqCst);
        while let Some(next) = seen.checked_sub(1) {
            match (self.0).compare_exchange(seen, next, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    fn empty(&self) -> u64 {
        match self.0.load(Ordering::SeqCst) {
            0 => 0,
            _ => self.0.swap(0, Ordering::SeqCst),
        }
    }
}

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

/// Places for calls under way, no more of them taken at any time than there are.
///
/// Whatever is taken is given back through [`leave`](Self::leave), on whichever lane.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Places {
    /// The pool; see [`Word`]. Beside the tills it is written only while places are scarce, or a lane has a new peak.
    word: AtomicU64,
    queue: Mutex<Queue>,
    /// With so many in the pool places are scarce no longer: a fourth of all, and two a lane. Where there are fewer in
    /// all, they always are.
    plenty: AtomicU64,
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
    pub(crate) fn enter<'a>(
        &self,
        till: &Till,
        tills: &(impl Iterator<Item = &'a Till> + Clone),
    ) -> bool {
        till.take() || self.draw(tills)
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
    fn gather<'a>(&self, tills: impl Iterator<Item = &'a Till>) {
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
    fn pay(&self, queue: &mut Queue) -> Option<Waker> {
        let paid = queue.pay();
        let left = u64::from(matches!(paid, Paid::Nobody));
        self.settle(queue, left);
        match paid {
            Paid::Waiting(waker) => waker,
            Paid::Debt | Paid::Nobody => None,
        }
    }

    /// Says whether anybody is owed a place, and puts what is `left` into the pool. Under the lock.
    fn settle(&self, queue: &Queue, left: u64) {
        let (owes, plenty) = (queue.owes(), self.plenty());
        if left > 0 || self.word().owed() != owes {
            let _ = self.update(|word| Some(word.owing(owes).with(left, plenty)));
        }
    }

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

    /// There are to be `limit` places from now on. Those too many vanish as they are given back.
    pub(crate) fn resize<'a>(
        &self,
        limit: u32,
        lanes: usize,
        tills: &(impl Iterator<Item = &'a Till> + Clone),
    ) {
        let mut queue = lock(&self.queue);
        let before = std::mem::replace(&mut queue.limit, limit);
        // Relaxed: see `plenty`.
        self.plenty.store(plenty(limit, lanes), Ordering::Relaxed);
        let woken = if limit >= before {
            self.add(u64::from(limit - before), &mut queue)
        } else {
            self.take_out(u64::from(before - limit), &mut queue, tills);
            Vec::new()
        };
        drop(queue);
        // Not under the lock; see `give_back`.
        woken.into_iter().for_each(Waker::wake);
    }

    /// Makes so many places more. Under the lock.
    fn add(&self, mut more: u64, queue: &mut Queue) -> Vec<Waker> {
        let mut woken = Vec::new();
        while more > 0 && queue.owes() {
            more -= 1;
            if let Paid::Waiting(Some(waker)) = queue.pay() {
                woken.push(waker);
            }
        }
        self.settle(queue, more);
        woken
    }

    /// Makes so many places less. Under the lock.
    fn take_out<'a>(
        &self,
        mut less: u64,
        queue: &mut Queue,
        tills: &(impl Iterator<Item = &'a Till> + Clone),
    ) {
        while less > 0 {
            self.gather(tills.clone());
            if self.update(Word::drawn).is_ok() {
                less -= 1;
                continue;
            }
            // In one step, as in `line_up`.
            if self.owe() {
                queue.debt += less;
                return;
            }
        }
    }

    /// Has the pool nothing left, and is that known now to whoever gives places back?
    fn owe(&self) -> bool {
        let empty = |word: Word| word.scarce() && word.free() == 0;
        self.update(|word| empty(word).then(|| word.owing(true)))
            .is_ok()
    }

    fn word(&self) -> Word {
        Word(self.word.load(Ordering::SeqCst))
    }

    fn plenty(&self) -> u64 {
        // Relaxed: with an old one places are scarce for one call longer, or shorter.
        self.plenty.load(Ordering::Relaxed)
    }

    fn update(&self, change: impl Fn(Word) -> Option<Word>) -> Result<Word, Word> {
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

fn plenty(limit: u32, lanes: usize) -> u64 {
    // None is never plenty.
    u64::from(limit / 4).max(2 * lanes as u64).max(1)
}

/// The pool in one word: places in the lower half, flags in the upper.
#[derive(Clone, Copy, Debug)]
struct Word(u64);

impl Word {
    /// Places are given back to the pool.
    const SCARCE: u64 = 1 << 32;
    /// Somebody gathers what lies in the tills, under the lock.
    const GATHERING: u64 = 1 << 33;
    /// Somebody is owed a place. Then the pool is empty, and places are scarce.
    const OWED: u64 = 1 << 34;

    const fn new(free: u64, plenty: u64) -> Self {
        Self(Self::SCARCE).with(free, plenty)
    }

    const fn free(self) -> u64 {
        self.0 & u32::MAX as u64
    }

    const fn scarce(self) -> bool {
        self.0 & Self::SCARCE != 0
    }

    const fn gathering(self) -> bool {
        self.0 & Self::GATHERING != 0
    }

    const fn owed(self) -> bool {
        self.0 & Self::OWED != 0
    }

    /// With one place less.
    const fn drawn(self) -> Option<Self> {
        match self.free() {
            0 => None,
            _ => Some(Self(self.0 - 1)),
        }
    }

    /// With so many places more: scarce → calm, if that is plenty.
    const fn with(self, more: u64, plenty: u64) -> Self {
        let word = Self(self.0 + more);
        if word.free() < plenty || word.gathering() || word.owed() {
            return word;
        }
        Self(word.0 & !Self::SCARCE)
    }

    /// Calm → scarce.
    const fn begin(self) -> Self {
        Self(self.0 | Self::SCARCE | Self::GATHERING)
    }

    const fn end(self) -> Self {
        Self(self.0 & !Self::GATHERING)
    }

    /// Scarce ↔ owed.
    const fn owing(self, owes: bool) -> Self {
        if owes {
            Self(self.0 | Self::OWED)
        } else {
            Self(self.0 & !Self::OWED)
        }
    }
}
