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

#[cfg(all(test, loom))]
mod loom {
    use ::loom::thread::spawn;

    use super::*;
    use crate::{locate::Ending, sync::Arc};

    #[test]
    fn every_record_is_one_that_was_written_and_none_is_lost_to_a_reader() {
        ::loom::model(|| {
            let recorder = Arc::new(Recorder::new(2));
            let write = |number: u16| {
                let recorder = Arc::clone(&recorder);
                let call = Call {
                    started: u32::from(number) << 8,
                    ending: Ending::Late,
                    route: number as u8,
                    method: number as u8,
                };
                spawn(move || recorder.write(number, Record::pack(call)))
            };
            // The second and the third share a place.
            let writers = [write(1), write(2), write(3)];
            let whole = |call: &Call| {
                call.ending == Ending::Late
                    && u32::from(call.route) << 8 == call.started
                    && call.route == call.method
            };
            assert!(recorder.read().all(|call| whole(&call)));
            writers
                .into_iter()
                .for_each(|writer| writer.join().unwrap());
            let mut kept: Vec<u8> = recorder.read().map(|call| call.route).collect();
            kept.sort_unstable();
            assert!(kept == [1, 2] || kept == [2, 3], "{kept:?}");
        });
    }
}
