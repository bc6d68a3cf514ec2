//! More places, or fewer.

use std::task::Waker;

use super::{
    places::{Places, plenty},
    queue::{Paid, Queue},
    till::Till,
    word::Word,
};
use crate::sync::{Ordering, lock};

impl Places {
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
}
