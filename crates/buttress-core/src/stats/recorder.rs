//! The last calls, for whoever wants to know where a fault lies.

use crate::sync::{AtomicU64, Ordering};

/// A ring of the last calls of one lane, each packed into one word. Zero is an empty place.
#[derive(Debug)]
pub(crate) struct Recorder(Box<[AtomicU64]>);

impl Recorder {
    /// Keeps the last `places` calls, rounded up to a power of two.
    pub(crate) fn new(places: usize) -> Self {
        let places = places.max(1).next_power_of_two();
        Self((0..places).map(|_| AtomicU64::new(0)).collect())
    }

    /// Writes the `number`th call. A store, and nothing else.
    pub(crate) fn write(&self, number: u32, record: u64) {
        // Relaxed: a record is one word and orders nothing. The mask holds, for the length is a power of two.
        let place = number as usize & (self.0.len() - 1);
        self.0[place].store(record, Ordering::Relaxed);
    }

    /// The kept calls, in no order.
    pub(crate) fn read(&self) -> impl Iterator<Item = u64> + '_ {
        let records = self.0.iter().map(|place| place.load(Ordering::Relaxed));
        records.filter(|record| *record != 0)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_ones() {
        let recorder = Recorder::new(5);
        (0..20).for_each(|number| recorder.write(number, u64::from(number) + 1));
        let mut kept: Vec<u64> = recorder.read().collect();
        kept.sort_unstable();
        assert_eq!(kept, (13..=20).collect::<Vec<_>>());
    }

    #[test]
    fn numbers_may_wrap() {
        let recorder = Recorder::new(4);
        recorder.write(u32::MAX, 1);
        recorder.write(0, 2);
        assert_eq!(recorder.read().count(), 2);
    }
}
