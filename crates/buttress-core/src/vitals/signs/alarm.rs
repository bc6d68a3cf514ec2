//! What becomes of an alarm.

use std::time::Duration;

use super::{Set, Signs};
use crate::{
    Enforce, EventKind, Nanos, Rule,
    destination::{Hold, Ruling},
    health::Alarm,
};

/// How long a ruling that nothing is to be done stands.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// A pause of so long is no hiccup of a busy machine.
const LONG_PAUSE: Duration = Duration::from_millis(500);

/// An alarm that is raised again within so long, three comparisons of peers, is the same.
const LASTS: Duration = Duration::from_secs(30);

/// What became of a fact that may have been an alarm.
pub(super) enum Heard {
    Act(Option<Alarm>),
    Held(Option<EventKind>),
}

impl Signs {
    /// There is enough evidence since `alarm`, by `rule`.
    pub(in crate::vitals) fn accuse(
        &mut self,
        alarm: Alarm,
        rule: Rule,
        now: Nanos,
        set: &impl Set,
    ) -> Option<EventKind> {
        let acts = self.breaker.draws(self.enforce.of(rule));
        // Asked again, its set would spare it twice, and have one place fewer for good.
        if self.breaker.is_down() && !(acts && self.breaker.is_watching()) {
            return None;
        }
        // One rule's dry run must not keep another from judging.
        if !acts && rule != Rule::Health && self.enforce.health != Enforce::OFF {
            return self.note(rule, now);
        }
        match self.hear(Some(alarm), rule, now, set) {
            Heard::Held(told) => told,
            Heard::Act(alarm) => {
                let change = self.breaker.alarmed(now, acts)?;
                Some(self.account(change, now, alarm, rule))
            }
        }
    }

    /// An alarm of a rule that is not enforced: counted once while it lasts.
    pub(super) fn note(&mut self, rule: Rule, now: Nanos) -> Option<EventKind> {
        let before = self.noted.replace((rule, now));
        let lasts = |(one, at)| one == rule && now.since(at) < LASTS;
        if before.is_some_and(lasts) {
            return None;
        }
        self.decided(rule).unenforced += 1;
        Some(EventKind::Held(Hold::DryRun(rule)))
    }

    /// Is it on the way back, about to be opened again, and not to be spared? Then it is borne.
    pub(super) fn must_stay(&mut self, now: Nanos, set: &impl Set) -> bool {
        let stays = self.breaker.on_the_brink() && !set.spares();
        if stays {
            self.breaker.stay(now);
        }
        stays
    }

    /// Is an alarm acted on?
    pub(super) fn hear(
        &mut self,
        alarm: Option<Alarm>,
        rule: Rule,
        now: Nanos,
        set: &impl Set,
    ) -> Heard {
        let Some(alarm) = alarm else {
            return Heard::Act(None);
        };
        // Beyond what could have been set: the clock was set back.
        if self
            .held
            .is_some_and(|(_, until)| now < until && until <= now.after(ASK_AGAIN))
        {
            return Heard::Held(None);
        }
        // By hand nothing is done about it; it is noted down as what would have been done.
        if self.force.is_some() {
            return Heard::Held(self.hold(Hold::ByHand, rule, now));
        }
        let Ruling::Hold(why) = set.rule(&alarm, now) else {
            self.held = None;
            return Heard::Act(Some(alarm));
        };
        // What a long pause brought together is forgotten. After a short one it is kept: if it goes on, it will soon be more
        // than the pause explains.
        if why == Hold::Ourselves && now.since(alarm.since) > LONG_PAUSE {
            self.detector.reset();
            self.forget_proof();
        }
        Heard::Held(self.hold(why, rule, now))
    }

    /// An alarm is not acted on: counted, and told, when that is news.
    pub(super) fn hold(&mut self, why: Hold, rule: Rule, now: Nanos) -> Option<EventKind> {
        let known = self.held.is_some_and(|(before, _)| before == why);
        self.held = Some((why, now.after(ASK_AGAIN)));
        if known {
            return None;
        }
        let decided = self.decided(rule);
        match why {
            Hold::ByHand => decided.unenforced += 1,
            Hold::Cap => decided.overflow += 1,
            _ => decided.held += 1,
        }
        Some(EventKind::Held(why))
    }
}
