//! Another attempt beside one that is slow.

use std::{fmt, time::Duration};

use super::{Progress, Step, check_attempts};
use crate::{PolicyError, print_duration, random::unit, value::check_span};

/// How many attempts, and after how long. Written as a number, or as a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HedgePolicy {
    /// In all, those after a failure included; from 2 on.
    pub attempts: u32,
    /// How long one is waited for before another is sent beside it. By default it is learned from how long calls take, so that
    /// the extra load which the policy allows is what it costs; until it is known, nothing is hedged.
    pub after: Option<Duration>,
}

/// After how long another attempt is sent beside one, and how often it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HedgeAfter {
    /// After so long.
    pub delay: Duration,
    /// In this share of cases, drawn: where little extra load is allowed, it does most when some of those that could be helped
    /// late are helped early.
    pub chance: f64,
}

impl HedgePolicy {
    pub(super) fn next(&self, progress: &Progress) -> Step {
        let fixed = self.after.map(|delay| HedgeAfter { delay, chance: 1.0 });
        let Some(hedge) = fixed.or(progress.hedge).filter(|_| progress.can_copy()) else {
            return Step::rest(progress);
        };
        let at = progress.sent.after(hedge.delay);
        let in_time = progress.deadline.is_none_or(|deadline| at < deadline);
        if in_time && unit(progress.draw) < hedge.chance {
            Step::LaunchAt(at)
        } else {
            Step::rest(progress)
        }
    }

    pub(super) fn check(&self) -> Result<(), PolicyError> {
        check_attempts("redundancy.hedge", self.attempts, 2)?;
        self.after
            .map_or(Ok(()), |after| check_span("redundancy.hedge.after", after))
    }
}

/// As a file has it.
impl fmt::Display for HedgePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.after {
            None => self.attempts.fmt(f),
            Some(after) => write!(
                f,
                "{{ attempts = {}, after = \"{}\" }}",
                self.attempts,
                print_duration(after)
            ),
        }
    }
}

#[cfg(feature = "serde")]
mod data {
    use std::{fmt, time::Duration};

    use serde::{
        Deserialize, Deserializer, Serialize, Serializer,
        de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
    };

    use super::HedgePolicy;

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Table {
        attempts: u32,
        #[serde(with = "crate::duration_text")]
        after: Duration,
    }

    impl Serialize for HedgePolicy {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            match self.after {
                None => to.serialize_u32(self.attempts),
                Some(after) => Table {
                    attempts: self.attempts,
                    after,
                }
                .serialize(to),
            }
        }
    }

    impl<'de> Deserialize<'de> for HedgePolicy {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            from.deserialize_any(Written)
        }
    }

    struct Written;

    impl<'de> Visitor<'de> for Written {
        type Value = HedgePolicy;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number of attempts, or { attempts = 2, after = \"50ms\" }")
        }

        fn visit_i64<E: Error>(self, attempts: i64) -> Result<HedgePolicy, E> {
            let wrong = || E::custom(format!("hedge = {attempts}: needs 2 to 10 attempts"));
            let attempts = u32::try_from(attempts).map_err(|_| wrong())?;
            Ok(HedgePolicy {
                attempts,
                after: None,
            })
        }

        fn visit_u64<E: Error>(self, attempts: u64) -> Result<HedgePolicy, E> {
            self.visit_i64(i64::try_from(attempts).unwrap_or(i64::MAX))
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<HedgePolicy, A::Error> {
            let table = Table::deserialize(MapAccessDeserializer::new(map))?;
            Ok(HedgePolicy {
                attempts: table.attempts,
                after: Some(table.after),
            })
        }
    }
}
