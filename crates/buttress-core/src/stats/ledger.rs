//! The outages of one endpoint, and the time between them.

use std::{
    collections::VecDeque,
    time::{Duration, SystemTime},
};

use super::{Causes, Episode, Recovery, Reliability, Trend};
use crate::{Cause, Nanos, Verdict, sync::Arc};

/// Outages that are kept whole; older ones live on in the sums.
const KEPT: usize = 32;

#[derive(Debug)]
pub(crate) struct Ledger {
    born: Nanos,
    /// When the kept outages begin to count: when the last of those that are not was over.
    origin: Nanos,
    /// Failures seen since the endpoint was last plainly well: those of the next episode, should there be one.
    suspicion: Causes,
    open: Option<Episode>,
    past: VecDeque<Episode>,
    restored: u64,
    down: Duration,
    detecting: Duration,
}

/// Whose outages they are, and what the clock on the wall says of a time: what is not kept with each.
pub(crate) struct Named<'a> {
    pub(crate) policy: &'a Arc<str>,
    pub(crate) endpoint: Option<Arc<str>>,
    pub(crate) wall: &'a dyn Fn(Nanos) -> Option<SystemTime>,
}

impl Ledger {
    pub(crate) const fn new(born: Nanos) -> Self {
        Self {
            born,
            origin: born,
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
        if self.open.is_some() {
            return;
        }
        let last_restored = self.past.back().and_then(|episode| episode.restored);
        // An outage cannot have begun before the last one ended, nor before anyone looked.
        let broke = since.max(last_restored.unwrap_or(self.born)).min(now);
        if let Some(last) = self.past.back_mut()
            && let Some(restored) = last.restored
        {
            last.relapsed = Some(broke < last.safe_from(restored));
        }
        let causes = std::mem::replace(&mut self.suspicion, Causes::none());
        self.open = Some(Episode {
            policy: Arc::default(),
            endpoint: None,
            began: None,
            broke,
            detected: now,
            repaired: None,
            restored: None,
            causes,
            relapsed: None,
            verdict: None,
            recovery: Recovery::default(),
        });
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub(crate) const fn repaired(&mut self, now: Nanos) {
        if let Some(episode) = &mut self.open {
            episode.repaired = Some(now);
        }
    }

    pub(crate) const fn relapsed(&mut self) {
        if let Some(episode) = &mut self.open {
            episode.repaired = None;
            episode.recovery.reopened = episode.recovery.reopened.saturating_add(1);
        }
    }

    /// Calls are stopped for `wait`.
    pub(crate) const fn waits(&mut self, wait: Duration) {
        if let Some(episode) = &mut self.open {
            episode.recovery.waited = episode.recovery.waited.saturating_add(wait);
        }
    }

    /// A probe goes out.
    pub(crate) const fn probes(&mut self) {
        if let Some(episode) = &mut self.open {
            episode.recovery.probes = episode.recovery.probes.saturating_add(1);
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
        if self.past.len() == KEPT
            && let Some(forgotten) = self.past.pop_front()
        {
            self.origin = forgotten.restored.unwrap_or(self.origin);
        }
        self.past.push_back(Episode {
            repaired,
            restored: Some(now),
            ..episode
        });
    }

    /// The kept outages, the current one last, as they look at `now`.
    pub(crate) fn episodes(&self, now: Nanos, of: &Named<'_>) -> Vec<Episode> {
        let kept = self.past.iter().chain(&self.open);
        kept.map(|episode| Episode {
            policy: Arc::clone(of.policy),
            endpoint: of.endpoint.clone(),
            began: (of.wall)(episode.broke),
            relapsed: episode.relapsed.or_else(|| {
                let over = episode.restored.map(|restored| episode.safe_from(restored));
                over.filter(|safe| now >= *safe).map(|_| false)
            }),
            ..episode.clone()
        })
        .collect()
    }

    /// Whether failures come more and more often, as far as the kept outages tell.
    pub(crate) fn trend(&self, now: Nanos) -> Option<Trend> {
        let (mut up, mut last) = (Duration::ZERO, self.origin);
        let mut failures = Vec::new();
        for episode in self.past.iter().chain(&self.open) {
            up += episode.broke.since(last);
            failures.push(up.as_secs_f64());
            last = episode.restored.unwrap_or(now);
        }
        Trend::of(&failures, (up + now.since(last)).as_secs_f64())
    }

    pub(crate) fn reliability(&self, now: Nanos) -> Reliability {
        let (current, detecting) = self.open.as_ref().map_or_else(Default::default, |episode| {
            (episode.lasted(now), episode.time_to_detect())
        });
        Reliability::of(
            now.since(self.born),
            self.down + current,
            self.restored + u64::from(self.open.is_some()),
            (self.restored, self.down),
            self.detecting + detecting,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn episodes(ledger: &Ledger, now: Nanos) -> Vec<Episode> {
        let of = Named {
            policy: &"db".into(),
            endpoint: Some("a".into()),
            wall: &|at| SystemTime::UNIX_EPOCH.checked_add(at.since(Nanos::ZERO)),
        };
        ledger.episodes(now, &of)
    }

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
    fn an_outage_that_lasts_leaves_the_time_to_restoration_as_it_was() {
        let mut ledger = Ledger::new(Nanos::ZERO);
        ledger.broke(minute(10), minute(10));
        ledger.restored(minute(14));
        ledger.broke(minute(20), minute(20));
        let figures = ledger.reliability(minute(60));
        assert_eq!(figures.mttr, Some(Duration::from_secs(4 * 60)));
        assert_eq!(figures.down, Duration::from_secs(44 * 60));
    }

    #[test]
    fn an_outage_never_begins_before_the_last_one_ended() {
        let mut ledger = Ledger::new(minute(1));
        ledger.broke(minute(0), minute(2));
        ledger.restored(minute(5));
        ledger.broke(minute(4), minute(6));
        let broke: Vec<Nanos> = episodes(&ledger, minute(7))
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
        assert_eq!(episodes(&ledger, minute(6000)).len(), KEPT);
        ledger.broke(minute(6000), minute(6000));
        assert_eq!(episodes(&ledger, minute(6001)).len(), KEPT + 1);
        assert_eq!(ledger.reliability(minute(6000)).failures, 101);
    }

    #[test]
    fn an_outage_soon_after_the_last_is_its_relapse() {
        let mut ledger = Ledger::new(Nanos::ZERO);
        for (broke, restored) in [(10, 12), (31, 33), (200, 201)] {
            ledger.broke(minute(broke), minute(broke));
            ledger.restored(minute(restored));
        }
        let relapsed = |now| -> Vec<Option<bool>> {
            let kept = episodes(&ledger, now);
            kept.iter().map(|one| one.relapsed).collect()
        };
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(relapsed(minute(210)), [yes, no, None], "nobody knows yet");
        assert_eq!(relapsed(minute(211)), [yes, no, no]);
    }

    #[test]
    fn keeps_what_recovery_did_and_forgets_it_with_the_outage() {
        let mut ledger = Ledger::new(Nanos::ZERO);
        ledger.probes();
        ledger.broke(minute(10), minute(10));
        ledger.waits(Duration::from_secs(2));
        ledger.probes();
        ledger.relapsed();
        ledger.waits(Duration::from_secs(3));
        ledger.probes();
        ledger.repaired(minute(12));
        ledger.restored(minute(13));
        ledger.broke(minute(20), minute(20));
        let [first, second] = &episodes(&ledger, minute(30))[..] else {
            panic!("two outages")
        };
        let did = Recovery {
            probes: 2,
            reopened: 1,
            waited: Duration::from_secs(5),
        };
        assert_eq!(
            (first.recovery, second.recovery),
            (did, Recovery::default())
        );
        assert_eq!(
            (first.repaired, first.restored),
            (Some(minute(12)), Some(minute(13)))
        );
        assert_eq!(
            second.began,
            SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(1200))
        );
        assert_eq!(
            (&*second.policy, second.endpoint.as_deref()),
            ("db", Some("a"))
        );
    }

    #[test]
    fn outages_that_come_more_and_more_often_are_a_trend_in_operating_time() {
        let mut ledger = Ledger::new(Nanos::ZERO);
        // Up for 100, 50, 25 and 12 minutes, with ten minutes down after each.
        for broke in [100, 160, 195, 217] {
            ledger.broke(minute(broke), minute(broke));
            ledger.restored(minute(broke + 10));
        }
        let trend = ledger.trend(minute(228)).unwrap();
        assert!(trend.growth > 1.0 && trend.laplace > 0.0, "{trend:?}");
        assert_eq!(Ledger::new(Nanos::ZERO).trend(minute(1)), None);
    }
}
