//! The last calls, for whoever wants to know where a fault lies.

use crate::{
    locate::{Call, Record},
    sync::{AtomicU64, Ordering},
};

/// A ring of the last calls of one lane.
#[derive(Debug)]
pub(crate) struct Recorder(Box<[AtomicU64]>);

impl Recorder {
    /// Keeps the last `places` calls, rounded up to a power of two.
    pub(crate) fn new(places: usize) -> Self {
        let places = places.max(1).next_power_of_two();
        Self((0..places).map(|_| AtomicU64::new(0)).collect())
    }

    /// Writes the `number`th call. A store, and nothing else.
    pub(crate) fn write(&self, number: u16, record: Record) {
        // Relaxed: a record is one word and orders nothing. The mask holds, for the length is a power of two.
        let place = number as usize & (self.0.len() - 1);
        self.0[place].store(record.to_bits(), Ordering::Relaxed);
    }

    /// The kept calls, in no order.
    pub(crate) fn read(&self) -> impl Iterator<Item = Call> + '_ {
        let words = self.0.iter().map(|place| place.load(Ordering::Relaxed));
        words.filter_map(|word| Record::from_bits(word).unpack())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::locate::Ending;

    fn call(started: u32) -> Record {
        Record::pack(Call {
            started,
            ending: Ending::Success,
            route: 0,
            method: 0,
        })
    }

    #[test]
    fn keeps_the_last_ones() {
        let recorder = Recorder::new(5);
        (0..20).for_each(|number| recorder.write(number, call(u32::from(number))));
        let mut kept: Vec<u32> = recorder.read().map(|call| call.started).collect();
        kept.sort_unstable();
        assert_eq!(kept, (12..20).collect::<Vec<_>>());
    }

    #[test]
    fn numbers_may_wrap() {
        let recorder = Recorder::new(4);
        recorder.write(u16::MAX, call(1));
        recorder.write(0, call(2));
        assert_eq!(recorder.read().count(), 2);
    }
}
