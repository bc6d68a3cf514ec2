//! The outages of one endpoint, and the time between them.

use std::{collections::VecDeque, time::Duration};

use super::{Causes, Episode, Reliability};
use crate::{Cause, Nanos, Verdict, sync::Arc};

/// Outages that are kept whole; older ones live on in the sums.
const KEPT: usize = 32;

#[derive(Debug)]
pub(crate) struct Ledger {
    born: Nanos,
    /// Failures seen since the endpoint was last plainly well: those of the next episode, should there be one.
    suspicion: Causes,
    open: Option<Episode>,
    past: VecDeque<Episode>,
    restored: u64,
    down: Duration,
    detecting: Duration,
}

impl Ledger {
    pub(crate) const fn new(born: Nanos) -> Self {
        Self {
            born,
            suspicion: Causes::none(),
            open: None,
            past: VecDeque::new(),
            restored: 0,
            down: Duration::ZERO,
            detecting: Duration::ZERO,
        }
    }

    pub(crate) const fn failure(&mut self, cause: Cause) {
        match &mut self.open {
            Some(episode) => episode.causes.add(cause),
            None => self.suspicion.add(cause),
        }
    }

    pub(crate) const fn calm(&mut self) {
        self.suspicion = Causes::none();
    }

    pub(crate) fn broke(&mut self, since: Nanos, now: Nanos) {
        let last_restored = self.past.back().and_then(|episode| episode.restored);
        // An outage cannot have begun before the last one ended, nor before anyone looked.
        let broke = since.max(last_restored.unwrap_or(self.born)).min(now);
        let causes = std::mem::replace(&mut self.suspicion, Causes::none());
        self.open = Some(Episode {
            broke,
            detected: now,
            repaired: None,
            restored: None,
            causes,
            verdict: None,
        });
    }

    pub(crate) const fn repaired(&mut self, now: Nanos) {
        if let Some(episode) = &mut self.open {
            episode.repaired = Some(now);
        }
    }

    pub(crate) const fn relapsed(&mut self) {
        if let Some(episode) = &mut self.open {
            episode.repaired = None;
        }
    }

    /// Says where the fault of the current outage is.
    pub(crate) fn diagnosed(&mut self, verdict: &Arc<Verdict>) {
        if let Some(episode) = &mut self.open {
            episode.verdict = Some(Arc::clone(verdict));
        }
    }

    pub(crate) fn restored(&mut self, now: Nanos) {
        let Some(episode) = self.open.take() else {
            return;
        };
        let repaired = episode.repaired.or(Some(now));
        self.restored += 1;
        self.down += now.since(episode.broke);
        self.detecting += episode.time_to_detect();
        if self.past.len() == KEPT {
            self.past.pop_front();
        }
        self.past.push_back(Episode {
            repaired,
            restored: Some(now),
            ..episode
        });
    }

    /// The kept outages, the current one last.
    pub(crate) fn episodes(&self) -> Vec<Episode> {
        self.past.iter().chain(&self.open).cloned().collect()
    }

    pub(crate) fn reliability(&self, now: Nanos) -> Reliability {
        let (current, detecting) = self.open.as_ref().map_or_else(Default::default, |episode| {
            (episode.lasted(now), episode.time_to_detect())
        });
        Reliability::of(
            now.since(self.born),
            self.down + current,
            self.restored + u64::from(self.open.is_some()),
            self.restored,
            self.detecting + detecting,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(minutes: u64) -> Nanos {
        Nanos::ZERO.after(Duration::from_secs(60 * minutes))
    }

    #[test]
    fn a_failed_endpoint_counts_down_time_from_when_it_broke() {
        let mut ledger = Ledger::new(Nanos::ZERO);
        for (broke, detected, restored) in [(10, 11, 14), (30, 30, 34)] {
            ledger.broke(minute(broke), minute(detected));
            ledger.restored(minute(restored));
        }
        let figures = ledger.reliability(minute(60));
        assert_eq!(
            (figures.up, figures.down, figures.failures),
            (minute(52).since(minute(0)), minute(8).since(minute(0)), 2)
        );
        assert_eq!(figures.mtbf, Some(Duration::from_secs(26 * 60)));
        assert_eq!(figures.mttr, Some(Duration::from_secs(4 * 60)));
        assert_eq!(figures.mttd, Some(Duration::from_secs(30)));
    }

    #[test]
    fn an_outage_that_lasts_counts_as_down_but_not_as_a_repair() {
        let mut ledger = Ledger::new(Nanos::ZERO);
        ledger.broke(minute(45), minute(45));
        let figures = ledger.reliability(minute(60));
        assert_eq!((figures.failures, figures.mttr), (1, None));
        assert_eq!(figures.availability, Some(0.75));
    }

    #[test]
    fn an_outage_never_begins_before_the_last_one_ended() {
        let mut ledger = Ledger::new(minute(1));
        ledger.broke(minute(0), minute(2));
        ledger.restored(minute(5));
        ledger.broke(minute(4), minute(6));
        let broke: Vec<Nanos> = ledger
            .episodes()
            .iter()
            .map(|episode| episode.broke)
            .collect();
        assert_eq!(broke, [minute(1), minute(5)]);
    }

    #[test]
    fn keeps_a_bounded_number_and_forgets_none_in_the_sums() {
        let mut ledger = Ledger::new(Nanos::ZERO);
        for hour in 0..100 {
            ledger.broke(minute(60 * hour), minute(60 * hour));
            ledger.restored(minute(60 * hour + 1));
        }
        assert_eq!(ledger.episodes().len(), KEPT);
        assert_eq!(ledger.reliability(minute(6000)).failures, 100);
    }
}
